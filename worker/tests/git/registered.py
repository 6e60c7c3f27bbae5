"""A project whose Git host is one of `iwomp_local`'s, and the worker itself as a build of it: no stack, no image."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iwomp_local import places
from iwomp_local.certificates import Authority
from iwomp_local.emulator import Emulator
from iwomp_local.git_server import Access, GitServer
from iwomp_local.repository import Repository

CONFIG_PATH = "registered"
WORKER_SECONDS = 300


@dataclass
class Registered:
    """The project's own host, and another one on another port. Both have certificates of the same authority."""

    own: GitServer
    other: GitServer
    directory: Path
    authority: Authority
    emulator: Emulator
    projects: int = field(default=0)

    def serve(self, host: GitServer, name: str, access: Access) -> tuple[str, Repository]:
        """A new repository of `host`, with its URL."""
        return host.serve(name, access), Repository.create(host.root / f"{name}.git")

    def deploy(
        self, entry: Mapping[str, object], credentials: Mapping[str, str] | None = None, path: str = os.environ["PATH"]
    ) -> tuple[dict[str, Any], str]:
        """Registers `entry` and runs the worker; returns its outcome and its whole log."""
        self.projects += 1
        project = f"p{self.own.port}-{self.projects}"
        self._put(f"/{CONFIG_PATH}/{project}", {"command": "deploy.sh", **entry}, "String")
        if credentials is not None:
            self._put(f"/{CONFIG_PATH}-credentials/{project}", credentials, "SecureString")
        home, temporary = (self.directory / f"{name}-{self.projects}" for name in ("home", "tmp"))
        home.mkdir()
        temporary.mkdir()
        done = subprocess.run(
            [str(places.worker())],
            capture_output=True,
            text=True,
            check=False,
            timeout=WORKER_SECONDS + 60,
            env={
                "PATH": path,
                "HOME": str(home),
                "TMPDIR": str(temporary),
                "CONFIGPATH": CONFIG_PATH,
                "PROJECTNAME": project,
                "GITBRANCH": "main",
                "TRIGGERID": f"trigger-{project}",
                "TIMELIMITSECONDS": str(WORKER_SECONDS),
                **self.emulator.variables(),
            },
        )
        assert list(temporary.iterdir()) == []
        return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr

    def _put(self, name: str, value: Mapping[str, object], kind: str) -> None:
        self.emulator.client("ssm").put_parameter(Name=name, Value=json.dumps(value), Type=kind)


@contextmanager
def hosts(directory: Path, emulator: Emulator) -> Iterator[Registered]:
    authority = Authority()
    with (
        GitServer(directory / "own", authority.server_context()) as own,
        GitServer(directory / "other", authority.server_context()) as other,
    ):
        yield Registered(own, other, directory, authority, emulator)
