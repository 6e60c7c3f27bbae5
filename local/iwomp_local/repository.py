"""A bare Git repository that commits are written to: what a team's repository is to the pipeline."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

GIT_SECONDS = 60.0
WHO = {
    "GIT_AUTHOR_NAME": "Ada Example",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada Example",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


@dataclass(frozen=True)
class Repository:
    """A bare repository at `path`."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> Repository:
        repository = cls(path)
        path.mkdir(parents=True)
        repository.git("init", "--quiet", "--bare", "--template=", "--initial-branch=main")
        # A host that serves partial clones and single commits, as the big ones do.
        repository.git("config", "uploadpack.allowFilter", "true")
        repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
        return repository

    def commit(self, subject: str, files: dict[str, str], branch: str = "main", parent: str | None = None) -> str:
        """Adds a commit that writes `files` (executable if they begin with `#!`); returns its id.

        The parent is the branch's head unless given; a branch that does not exist begins without one.
        """
        parent = parent or self.head(branch)
        with tempfile.TemporaryDirectory() as scratch:
            index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            if parent is not None:
                self.git("read-tree", parent, variables=index)
            for name, text in files.items():
                blob = self.git("hash-object", "-w", "--stdin", text=text)
                mode = "100755" if text.startswith("#!") else "100644"
                self.git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{name}", variables=index)
            tree = self.git("write-tree", variables=index)
        parents = ("-p", parent) if parent is not None else ()
        commit = self.git("commit-tree", tree, *parents, "-m", subject, variables=WHO)
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def head(self, branch: str = "main") -> str | None:
        try:
            return self.git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
        except subprocess.CalledProcessError:
            return None

    def move(self, branch: str, commit: str) -> None:
        """Rewrites history: the branch now ends at `commit`."""
        self.git("update-ref", f"refs/heads/{branch}", commit)

    def git(self, *arguments: str, text: str = "", variables: dict[str, str] | None = None) -> str:
        return subprocess.run(
            ["git", "--git-dir", str(self.path), *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            timeout=GIT_SECONDS,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.path),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                **(variables or {}),
            },
        ).stdout.strip()
