"""What one client meets in one case: its own repository, its own directories and a record of what happened to it."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hostile_git.objects import WHO, File, Folder, Node, Store, script

GOOD = "good"
FOREIGN = "foreign"
SECRET_ON_DISK = "secret on disk"


@dataclass(frozen=True)
class Request:
    """What a client sent to one of the hosts."""

    path: str
    authorization: str


@dataclass
class Repository:
    """Objects and refs, as a host tells of them."""

    store: Store = field(default_factory=Store)
    refs: dict[str, str] = field(default_factory=dict)
    head: str = "refs/heads/main"


@dataclass
class World:
    """One run: `key` stands in its URLs and is its project's name."""

    key: str
    directory: Path
    branch: str
    canary: str = field(repr=False)
    repository: Repository = field(default_factory=Repository)
    commits: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    """Those to the registered repository."""
    strays: list[Request] = field(default_factory=list)
    """Those to any other repository, host or port."""
    is_lent: bool = False
    """The command has the credential: every repository of the registered host is its own, and others ask for it."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    places: dict[str, str] = field(default_factory=dict)
    """URLs: `registered`, `sibling` (same host), `elsewhere` (another host), `plain` (without TLS), and `proxy`."""

    @property
    def store(self) -> Store:
        return self.repository.store

    @property
    def refs(self) -> dict[str, str]:
        return self.repository.refs

    @property
    def home(self) -> Path:
        return self.directory / "home"

    @property
    def temporary(self) -> Path:
        return self.directory / "tmp"

    @property
    def marks_directory(self) -> Path:
        return self.directory / "marks"

    def marks(self) -> set[str]:
        return {path.name for path in self.marks_directory.iterdir()}

    def mark(self, name: str) -> str:
        """A shell command that shows that it was run."""
        return f": > {shlex.quote(str(self.marks_directory / name))}"

    def payload(self, name: str = FOREIGN) -> str:
        """A program outside of the repository that leaves a mark: what planted configuration points to."""
        path = self.directory / f"payload {name}".replace(" ", "-")
        path.write_text(f"#!/bin/sh\n{self.mark(name)}\n")
        path.chmod(0o755)
        return str(path)

    def deploy_script(self, name: str) -> File:
        """Leaves its mark, and another one if it finds the credential in the checkout."""
        canary = shlex.quote(str(self.directory / "canary"))
        looks = f"grep -rqsFf {canary} .git && {self.mark(SECRET_ON_DISK)}"
        return script(f"{self.mark(name)}\n{looks}\nexit 0\n")

    def tree(self, name: str, more: Sequence[tuple[bytes, Node]] = (), raw: bool = False) -> str:
        entries = [(b"deploy.sh", self.deploy_script(name)), *more]
        return self.store.put(Folder(entries, raw=raw))[1]

    def commit(
        self,
        name: str,
        parents: Iterable[str] = (),
        more: Sequence[tuple[bytes, Node]] = (),
        message: bytes | None = None,
        author: bytes = WHO,
        headers: bytes = b"",
    ) -> str:
        """A commit whose command leaves the mark `name`, and which is known by this name."""
        text = message if message is not None else name.encode() + b"\n"
        tree = self.tree(name, more)
        commit = self.store.commit(
            tree, [self.commits.get(parent, parent) for parent in parents], text, author, WHO, headers
        )
        self.commits[name] = commit
        return commit

    @property
    def branch_ref(self) -> str:
        return f"refs/heads/{self.branch}"

    @cached_property
    def foreign(self) -> Repository:
        """What every other host has: each ref leads to a command that must not run."""
        other = Repository(head=self.branch_ref)
        tree = other.store.put(Folder([(b"deploy.sh", self.deploy_script(FOREIGN))]))[1]
        commit = other.store.commit(tree, message=b"foreign\n")
        other.refs = {self.branch_ref: commit, "refs/heads/main": commit}
        return other


def ordinary(world: World) -> None:
    """A branch of two commits."""
    world.commit("older")
    world.refs[world.branch_ref] = world.commit(GOOD, ["older"])
