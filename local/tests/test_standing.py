"""`make up`: the parts of a stack that stays which need no stack."""

from __future__ import annotations

import io
import os
import subprocess
import threading
from pathlib import Path

import pytest

from iwomp_local import standing
from iwomp_local.git_host import GitHost
from iwomp_local.pipeline import PipelineError
from iwomp_local.repository import Repository
from iwomp_local.story import Story

SECONDS = 60.0


def test_of_two_at_once_the_second_waits_and_says_so(tmp_path: Path) -> None:
    directory, out, at_work = tmp_path / "stack", io.StringIO(), []

    def second() -> None:
        with standing.alone(directory, Story(out=out)):
            at_work.append("second")

    thread = threading.Thread(target=second)
    with standing.alone(directory, Story(out=io.StringIO())):
        thread.start()
        thread.join(0.5)
        at_work.append("first")
    thread.join(SECONDS)
    assert at_work == ["first", "second"]
    assert "goes on after it" in out.getvalue()


def test_the_git_host_serves_what_is_added_while_it_runs(tmp_path: Path) -> None:
    host = GitHost.start(tmp_path)
    try:
        for name in ("demo", "shop"):
            commit = Repository.create(tmp_path / f"{name}.git").commit("First", {"file": name})
            url = host.serve(name, f"token-of-{name}").replace("https://", f"https://x:token-of-{name}@")
            trust = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_SSL_CAINFO": str(tmp_path / "ca.pem")}
            git = ["git", "ls-remote", url, "refs/heads/main"]
            said = subprocess.run(git, env=trust, capture_output=True, text=True, check=True, timeout=SECONDS).stdout
            assert said.split()[0] == commit
    finally:
        host.stop()


@pytest.mark.parametrize("name", ["", "../x", "Shop", "a b", "-x"])
def test_a_project_that_could_not_be_called_so_is_refused_before_anything_is_started(tmp_path: Path, name: str) -> None:
    with pytest.raises(PipelineError, match="is no name for a project"):
        standing.up(tmp_path / "stack", name)
    assert list(tmp_path.iterdir()) == []
