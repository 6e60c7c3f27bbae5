"""One run of a program, and what it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_LOG_CHARS = 2000
RUNNER = Path(__file__).with_name("runner.py")


@dataclass(frozen=True)
class Run:
    """Time of the clock and of the processors, its children's included, and the largest process among them."""

    seconds: float
    cpu_seconds: float
    largest_mb: float


class FailedError(RuntimeError):
    """A program that is measured has to succeed."""


def run(command: Sequence[str], variables: Mapping[str, str], directory: Path) -> Run:
    """In a small process of its own: this one is large, which counts for the child, and busy with being a Git host."""
    asked = json.dumps({"command": list(command), "variables": dict(variables), "directory": str(directory)})
    told = subprocess.run(
        [sys.executable, "-S", "-E", str(RUNNER)],
        input=asked,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    if told.returncode != 0:
        raise FailedError(f"{command[0]}: {told.stdout[-MAX_LOG_CHARS:]} {told.stderr[-MAX_LOG_CHARS:]}")
    return Run(**json.loads(told.stdout))
