"""Waiting for something to become true, always with a bound and with a word for what did not happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.05
LONGEST_POLL_SECONDS = 0.5  # of what takes long: each look costs the machine something, often a call
T = TypeVar("T")


class NotInTime(TimeoutError):
    """What was waited for did not happen within its bound."""


def wait_for(what: str, look: Callable[[], T | None], timeout_seconds: float) -> T:
    """Calls `look` until it returns something other than None. Raises NotInTime naming `what`."""
    begin = time.monotonic()
    while True:
        found = look()
        if found is not None:
            return found
        waited = time.monotonic() - begin
        if waited >= timeout_seconds:
            raise NotInTime(f"{what}: not within {timeout_seconds:g} s")
        time.sleep(min(max(POLL_SECONDS, waited / 20), LONGEST_POLL_SECONDS))
