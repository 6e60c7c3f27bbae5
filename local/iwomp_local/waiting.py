"""Waiting for something to become true, always with a bound and with a word for what did not happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.05
T = TypeVar("T")


class NotInTime(TimeoutError):
    """What was waited for did not happen within its bound."""


def wait_for(what: str, look: Callable[[], T | None], timeout_seconds: float) -> T:
    """Calls `look` until it returns something other than None. Raises NotInTime naming `what`."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() >= deadline:
            raise NotInTime(f"{what}: not within {timeout_seconds:g} s")
        time.sleep(POLL_SECONDS)
