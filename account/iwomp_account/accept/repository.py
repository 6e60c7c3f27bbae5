"""The commits of an acceptance run, pushed under branches of their own to the repository that was named for it.

The histories begin there: nothing of the repository is fetched, and its own branches stay as they are.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from iwomp_account.place import AccountError

GIT_SECONDS = 120.0
WHO = {
    "GIT_AUTHOR_NAME": "iwomp accept",
    "GIT_AUTHOR_EMAIL": "accept@example.invalid",
    "GIT_COMMITTER_NAME": "iwomp accept",
    "GIT_COMMITTER_EMAIL": "accept@example.invalid",
}


@dataclass
class Repository:
    """A bare repository at `path`, whose branches go to `push_url` below `prefix`."""

    path: Path
    push_url: str
    prefix: str
    pushed: set[str] = field(default_factory=set)

    def begin(self) -> None:
        self._git("init", "--quiet", "--bare", "--template=", str(self.path), inside=False)

    def branch(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def commit(self, branch: str, script: str) -> str:
        """A commit on top of the branch that holds `script` as deploy.sh; returns its id. It is not pushed yet."""
        ref = f"refs/heads/{self.branch(branch)}"
        blob = self._git("hash-object", "-w", "--stdin", text=script)
        tree = self._git("mktree", text=f"100755 blob {blob}\tdeploy.sh\n")
        parent = self._git("for-each-ref", "--format=%(objectname)", ref)
        commit = self._git("commit-tree", tree, *(("-p", parent) if parent else ()), "-m", "accept")
        self._git("update-ref", ref, commit)
        return commit

    def push(self, branch: str) -> None:
        full = self.branch(branch)
        self.pushed.add(full)  # before, since a push that was cut off may have arrived
        self._git("push", "--quiet", self.push_url, f"refs/heads/{full}:refs/heads/{full}")

    def remove(self) -> None:
        """Takes the branches away again."""
        if self.pushed:
            self._git("push", "--quiet", self.push_url, *(f":refs/heads/{branch}" for branch in sorted(self.pushed)))
            self.pushed.clear()

    def _git(self, *arguments: str, text: str = "", inside: bool = True) -> str:
        try:
            return subprocess.run(
                ["git", *(("--git-dir", str(self.path)) if inside else ()), *arguments],
                input=text,
                capture_output=True,
                text=True,
                check=True,
                timeout=GIT_SECONDS,
                # The user's own configuration and agent are what may push there.
                env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **WHO},
            ).stdout.strip()
        except subprocess.CalledProcessError as error:
            raise AccountError(
                f"git {arguments[0]} failed for {self.push_url}: {error.stderr.strip()}; it needs the right to push "
                f"branches below {self.prefix}/"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise AccountError(f"git {arguments[0]} took longer than {GIT_SECONDS:.0f} s") from error
