"""The Git host of a stack that stays: a process with one repository, which outlives the command that made it."""

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


@dataclass(frozen=True)
class GitHost:
    """A running Git host: `directory` holds its repositories, its certificate authority and where it listens."""

    directory: Path

    @classmethod
    def start(cls, directory: Path, repository: str, token: str) -> GitHost:
        """Starts serving `repository` of `directory` to who has the token, until it is stopped."""
        wanted = directory / "wanted.json"
        wanted.touch(mode=0o600)
        wanted.write_text(json.dumps({"repository": repository, "token": token}))
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
        wait_for("the Git host", lambda: host.url if host._serving.exists() else None, START_SECONDS)
        return host

    @property
    def _serving(self) -> Path:
        return self.directory / "serving.json"

    @property
    def url(self) -> str:
        return str(json.loads(self._serving.read_text())["url"])

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
    wanted, authority = json.loads((directory / "wanted.json").read_text()), Authority()
    authority.write_bundle(directory / "ca.pem")
    with GitServer(directory, authority.server_context()) as server:
        url = server.serve(wanted["repository"], Token(wanted["token"]))
        finished = directory / "serving.json.new"
        finished.write_text(json.dumps({"url": url}))
        finished.rename(directory / "serving.json")  # at once whole, since somebody waits for it
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    # Before any thread starts, so that all of them leave the signal to the main one.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    serve(Path(sys.argv[1]))
