"""The Git host of a stack that stays: a process with its repositories, which outlives the command that made it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from iwomp_local import emulator
from iwomp_local.certificates import Authority
from iwomp_local.contained import KEEPER, STOP_SECONDS
from iwomp_local.git_server import GitServer, Token
from iwomp_local.waiting import wait_for

START_SECONDS = 30.0
LOOK_SECONDS = 0.2  # between two looks at what is wanted
SIGNALS = {signal.SIGTERM, signal.SIGINT}


@dataclass(frozen=True)
class GitHost:
    """A running Git host: `directory` holds its repositories, its certificate authority and where it listens."""

    directory: Path

    @classmethod
    def start(cls, directory: Path) -> GitHost:
        """Starts one that serves nothing yet, until it is stopped."""
        replace(directory / "wanted.json", "{}")
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [*KEEPER, "--stays", "--", sys.executable, "-m", "iwomp_local.git_host", str(directory)],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(emulator.PACKAGE.parent)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        host = cls(directory)
        (directory / "process.json").write_text(json.dumps({"pid": process.pid, "born": emulator.birth(process.pid)}))
        wait_for("the Git host", lambda: True if host._serving.exists() else None, START_SECONDS)
        return host

    def serve(self, repository: str, token: str) -> str:
        """Serves a repository of its directory to who has the token; returns its URL."""
        wanted = self.directory / "wanted.json"
        replace(wanted, json.dumps({**json.loads(wanted.read_text()), repository: token}))

        def url() -> str | None:
            served: dict[str, str] = json.loads(self._serving.read_text())
            return served.get(repository)

        return wait_for(f"the Git host with {repository}", url, START_SECONDS)

    @property
    def _serving(self) -> Path:
        return self.directory / "serving.json"

    @property
    def ca_bundle(self) -> str:
        return (self.directory / "ca.pem").read_text()

    def stop(self) -> None:
        try:
            process = json.loads((self.directory / "process.json").read_text())
        except FileNotFoundError:
            return
        if emulator.birth(process["pid"]) != process["born"]:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process["pid"], signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while emulator.birth(process["pid"]) == process["born"] and time.monotonic() < deadline:
            time.sleep(emulator.POLL_SECONDS)


def serve(directory: Path) -> None:
    authority = Authority()
    authority.write_bundle(directory / "ca.pem")
    with GitServer(directory, authority.server_context()) as server:
        urls: dict[str, str] | None = None
        while urls is None or signal.sigtimedwait(SIGNALS, LOOK_SECONDS) is None:
            wanted = json.loads((directory / "wanted.json").read_text())
            if urls is None or set(wanted) != set(urls):
                urls = {repository: server.serve(repository, Token(token)) for repository, token in wanted.items()}
                replace(directory / "serving.json", json.dumps(urls))


def replace(file: Path, text: str) -> None:
    """Writes a file that is whole at once, since somebody waits for it."""
    finished = file.with_suffix(".new")
    finished.touch(mode=0o600)
    finished.write_text(text)
    finished.rename(file)


if __name__ == "__main__":
    # Before any thread starts, so that all of them leave the signal to the main one.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    serve(Path(sys.argv[1]))
