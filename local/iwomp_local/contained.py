"""Runs a program to its end, and with it everything that it has started, whatever happens to us meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from iwomp_local import keeper

KEEPER = [sys.executable, "-I", "-S", str(Path(keeper.__file__).resolve())]
STOP_SECONDS = keeper.GRACE_SECONDS * 2 + 5

Done = subprocess.CompletedProcess[str]


def run(command: list[str], variables: dict[str, str], timeout_seconds: float) -> Done:
    """Runs `command` with these variables for its environment. Raises subprocess.TimeoutExpired."""
    # The keeper ends the program when this pipe closes: on our way out, orderly or not.
    ours, held = os.pipe()
    try:
        process = subprocess.Popen(
            [*KEEPER, "--", *command],
            env=variables,
            stdin=ours,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            output, error = process.communicate(timeout=timeout_seconds)
        except BaseException:
            process.terminate()
            process.communicate(timeout=STOP_SECONDS)
            raise
        return subprocess.CompletedProcess(command, process.returncode, output, error)
    finally:
        os.close(ours)
        os.close(held)
