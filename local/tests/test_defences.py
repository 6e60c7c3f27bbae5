"""`make defences`: the lists fit the code, and a test that fails is told from one that cannot be run.

The run itself takes minutes and is not here.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from test_threat_model import defined

from iwomp_local.defences import judge, listed
from iwomp_local.defences.judge import Judge, Verdict
from iwomp_local.defences.listed import Defect, Defence, all_defences
from iwomp_local.defences.tree import RUN, Tree
from iwomp_local.places import REPOSITORY

LEAST = 35
DEFENCES = all_defences()


def test_there_are_defences_in_every_part() -> None:
    parts = Counter(defence.file.split("/")[0] for defence in DEFENCES)
    assert set(parts) == {"aws", "contract", "lambdas", "worker", "terraform"}
    assert parts.total() >= LEAST


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.title)
def test_what_defends_stands_once_in_its_file(defence: Defence) -> None:
    text = (REPOSITORY / defence.file).read_text()
    assert defence.off(text) != text


def test_every_test_that_must_fail_exists() -> None:
    assert {defence.fails for defence in DEFENCES} - defined() == set()


def test_terraforms_tests_can_be_run_one_by_one() -> None:
    for defence in DEFENCES:
        if defence.command[0] == "terraform":
            runs = [block[1] for block in RUN.finditer((REPOSITORY / listed.test_file(defence.command)).read_text())]
            assert runs.count(defence.fails) == 1, defence.title


def test_a_list_that_does_not_fit_the_code_is_a_defect() -> None:
    with pytest.raises(Defect, match="is 2 times in"):
        DEFENCES[0].off(DEFENCES[0].old * 2)
    with pytest.raises(Defect, match="is 0 times in"):
        DEFENCES[0].off("")


# The tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A copy of a small repository."""
    repository = tmp_path / "repository"
    (repository / "terraform").mkdir(parents=True)
    for name in ("one", "two", "terraform/three"):
        (repository / name).write_text(name)
    for words in (["init", "--quiet"], ["add", "one", "terraform"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    tree = Tree(tmp_path / "tree")
    tree.fill(repository)
    return tree


def test_the_copy_has_what_is_tracked_as_it_is_now(tree: Tree, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    assert [tree.read(name) for name in ("one", "terraform/three")] == ["one", "terraform/three"]
    assert not (tree.root / "two").exists()
    # What an interrupted run left is mended; what is right keeps the time by which cargo goes.
    (tree.root / "one").write_text("off")
    (tree.root / "left").write_text("over")
    kept = (tree.root / "terraform/three").stat().st_mtime_ns
    tree.fill(repository)
    assert tree.read("one") == "one"
    assert not (tree.root / "left").exists()
    assert (tree.root / "terraform/three").stat().st_mtime_ns == kept


def test_a_defence_is_off_for_as_long_as_its_test_runs(tree: Tree) -> None:
    with pytest.raises(ZeroDivisionError), tree.changed("one", "off"):
        assert tree.read("one") == "off"
        raise ZeroDivisionError
    assert tree.read("one") == "one"


# The judge, with a cargo that says what it is told to

CARGO = """#!/bin/sh
case "$*" in
    *--no-run) echo building; exit {builds} ;;
    *--list) echo "module::a_test: test" ;;
    *"--exact module::a_test") {runs} ;;
    *) exit 9 ;;
esac
"""


def verdict(tree: Tree, monkeypatch: pytest.MonkeyPatch, runs: str, builds: int = 0) -> Verdict:
    cargo = tree.root / "cargo"
    cargo.write_text(CARGO.format(builds=builds, runs=runs))
    cargo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tree.root}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(judge, "TEST_SECONDS", 2)
    return Judge(tree, tree.root / "target").verdict(("cargo", "test"), {"a_test"})


def test_a_test_that_passes_fails_or_hangs(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict(tree, monkeypatch, "exit 0") is Verdict.PASSED
    assert verdict(tree, monkeypatch, "echo 'test result: FAILED. 0 passed'; exit 101") is Verdict.FAILED
    assert verdict(tree, monkeypatch, "exec sleep 60") is Verdict.HUNG


def test_what_does_not_compile_or_is_no_test_shows_nothing(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Defect, match="does not compile"):
        verdict(tree, monkeypatch, "exit 0", builds=101)
    with pytest.raises(Defect, match="but no test failed"):
        verdict(tree, monkeypatch, "exit 101")
    with pytest.raises(Defect, match="has no test b_test"):
        Judge(tree, tree.root / "target").verdict(("cargo", "test"), {"b_test"})
