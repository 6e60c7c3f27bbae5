"""A server in a process of its own, that may be killed at any moment and started again at the same port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from iwomp_local.emulator import PACKAGE, free_port
from iwomp_local.waiting import wait_for

START_SECONDS = 60.0


@dataclass
class Killable:
    """The process of `module`, which is run with `directory` and `port` as its arguments."""

    module: ClassVar[str]
    directory: Path
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts the process, and returns when it can be connected to."""
        with (self.directory / "process.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, str(self.directory), str(self.port)],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE.parent)},
                stdin=subprocess.PIPE,  # held open for as long as we live: the process ends with us
                stdout=log,
                stderr=log,
            )
        wait_for(self.module, lambda: True if self._can_be_connected_to() else None, START_SECONDS)

    def _can_be_connected_to(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """As kill -9."""
        if self._process is not None and self._process.stdin is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process.stdin.close()
            self._process = None


def main(serve: Callable[[Path, int], None]) -> None:
    """The process: serves until it is killed, or until whoever started it is gone."""
    threading.Thread(target=end_with_starter, daemon=True).start()
    serve(Path(sys.argv[1]), int(sys.argv[2]))


def end_with_starter() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)
