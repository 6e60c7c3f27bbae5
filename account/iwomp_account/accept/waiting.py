"""Waiting for what AWS does in its own time, always with a bound and a word for what did not happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class NotInTime(TimeoutError):
    """What was waited for did not happen within its bound."""


@dataclass(frozen=True)
class Patience:
    """How often to look, and how long to wait for a build, for anything shorter, and for a metric."""

    look_seconds: float = 3.0  # AWS bounds how often an account may ask
    build_seconds: float = 900.0  # a machine is provisioned and an image of some 300 MB pulled first
    short_seconds: float = 300.0
    metric_seconds: float = 240.0  # CloudWatch shows a new metric within two or three minutes

    def wait_for(self, what: str, look: Callable[[], T | None], seconds: float | None = None) -> T:
        """Calls `look` until it returns something other than None. Raises NotInTime naming `what`."""
        bound = self.short_seconds if seconds is None else seconds
        deadline = time.monotonic() + bound
        while True:
            found = look()
            if found is not None:
                return found
            if time.monotonic() >= deadline:
                raise NotInTime(f"{what}: not within {bound:g} s")
            time.sleep(self.look_seconds)


LOCAL = Patience(look_seconds=0.3, build_seconds=180.0, short_seconds=120.0, metric_seconds=3.0)
