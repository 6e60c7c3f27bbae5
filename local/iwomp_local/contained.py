"""Runs a program to its end, and with it everything that it has started, whatever happens to us meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from iwomp_local import keeper

KEEPER = [sys.executable, "-I", "-S", str(Path(keeper.__file__).resolve())]
STOP_SECONDS = keeper.GRACE_SECONDS * 2 + 5

Done = subprocess.CompletedProcess[str]
OnLine = Callable[[str], None]


def run(
    command: list[str], variables: dict[str, str], timeout_seconds: float, on_line: OnLine = lambda _: None
) -> Done:
    """Runs `command` with these variables for its environment; `on_line` hears each line of output as it comes.

    Raises subprocess.TimeoutExpired.
    """
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
        output, error = Collector(process.stdout, on_line), Collector(process.stderr, lambda _: None)
        try:
            status = process.wait(timeout_seconds)
        except BaseException:
            process.terminate()
            process.wait(STOP_SECONDS)
            raise
        return subprocess.CompletedProcess(command, status, output.text(), error.text())
    finally:
        os.close(ours)
        os.close(held)


class Collector:
    """Reads a stream to its end in a thread of its own, so that no pipe fills up."""

    def __init__(self, stream: IO[str] | None, on_line: OnLine) -> None:
        self._stream, self._on_line, self._lines = stream, on_line, list[str]()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream or ():
            self._lines.append(line)
            self._on_line(line)

    def text(self) -> str:
        """All of it. Call it once the program is over."""
        self._thread.join(STOP_SECONDS)
        return "".join(self._lines)
