"""A copy of the tracked files, in which defences are turned off. The repository itself is only read."""

from __future__ import annotations

import fcntl
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# A block of a test file that starts and ends at the margin.
RUN = re.compile(r'^run "([^"]+)" \{\n.*?^\}\n', re.MULTILINE | re.DOTALL)


class Tree:
    """The copy. It stays between runs, so that only what changed is compiled again."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def fill(self, repository: Path) -> None:
        """Makes it as the tracked files are now. A file that is right already keeps its time, which cargo goes by."""
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, check=True).stdout
        names = {name for name in listed.decode().split("\0") if name and (repository / name).is_file()}
        names = {name for name in names if not (repository / name).is_symlink()}
        for name in names:
            self._put(name, (repository / name).read_bytes(), (repository / name).stat().st_mode)
        for path in [path for path in self.root.rglob("*") if path.is_file() and ".terraform" not in path.parts]:
            if str(path.relative_to(self.root)) not in names and not path.name.startswith(".terraform"):
                path.unlink()

    def _put(self, name: str, content: bytes, mode: int) -> None:
        path = self.root / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        path.chmod(mode)

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    @contextmanager
    def changed(self, name: str, text: str) -> Iterator[None]:
        """With `text` in the place of the file."""
        path = self.root / name
        before = path.read_text()
        path.write_text(text)
        try:
            yield
        finally:
            path.write_text(before)

    @contextmanager
    def only_runs(self, name: str, runs: set[str]) -> Iterator[None]:
        """With no other runs in Terraform's test file `name`: some have eighty, of half a second each."""
        with self.changed(name, RUN.sub(lambda block: block[0] if block[1] in runs else "", self.read(name))):
            yield


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Waits until no other run uses `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
