"""The Git host of a fault run: every repository of its directory, for everybody, in a process that may be killed."""

from __future__ import annotations

import threading
from pathlib import Path

from iwomp_local.certificates import Authority
from iwomp_local.faults import killable
from iwomp_local.faults.killable import Killable
from iwomp_local.git_server import Anybody, GitServer

AUTHORITY = "authority.pem"


class GitHost(Killable):
    """Serves what lies in `directory`; its certificate authority stays the same when it is started again."""

    module = "iwomp_local.faults.git_host"

    def start(self) -> None:
        if not (file := self.directory / AUTHORITY).exists():
            file.touch(mode=0o600)
            file.write_text(Authority().to_text())
        super().start()

    @property
    def ca_bundle(self) -> str:
        return Authority.of_text((self.directory / AUTHORITY).read_text()).bundle

    def url(self, project: str) -> str:
        return f"https://localhost:{self.port}/{project}.git"


def serve(directory: Path, port: int) -> None:
    authority = Authority.of_text((directory / AUTHORITY).read_text())
    with GitServer(directory, authority.server_context(), port) as server:
        for repository in directory.glob("*.git"):
            server.serve(repository.stem, Anybody())
        threading.Event().wait()


if __name__ == "__main__":
    killable.main(serve)
