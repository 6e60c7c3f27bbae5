"""The Makefile's targets "in use" are `iwomp` with what make was given, and no noise of make's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from iwomp_local.places import REPOSITORY

SECONDS = 60.0
STRANGE = "a \"b\" $(id) `id` 'c' ; x"


def make(folder: Path, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs make with an `iwomp` that prints its arguments, one a line, and ends with `status`."""
    program = folder / "iwomp"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@"\nexit {status}\n')
    program.chmod(0o755)
    # What a make that runs these tests has set is not meant for this one.
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", f"PROGRAM={program}", *arguments],
        env=variables,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


@pytest.mark.parametrize(
    ("given", "handed_on"),
    [
        (["trigger", "PROJECT=demo", "BRANCH=main"], ["trigger", "demo", "main"]),
        (["trigger", "PROJECT=demo", "BRANCH=main", "COMMIT=c"], ["trigger", "demo", "main", "--commit", "c"]),
        (["rollback", "PROJECT=demo", "BRANCH=main", "COMMIT=c"], ["rollback", "demo", "main", "c"]),
        (["release", "PROJECT=demo", "BRANCH=main"], ["release", "demo", "main"]),
        (["logs", "PROJECT=demo"], ["logs", "demo", "--follow"]),
        (["status"], ["status"]),
        (["stop", "PROJECT=demo", "ARGS=--yes"], ["stop", "demo", "--yes"]),
        (["pause", "PROJECT=demo", "REASON=we repair"], ["pause", "demo", "--reason", "we repair"]),
        (["resume", "PROJECT=demo"], ["resume", "demo"]),
        (["secret", "PROJECT=demo"], ["secret", "set", "demo", "--yes"]),
        (["secret", "PROJECT=demo", "FILE=f"], ["secret", "set", "demo", "--file", "f"]),
        (["redrive"], ["redrive"]),
    ],
)
def test_a_target_in_use_is_a_call_of_iwomp_and_nothing_else(
    tmp_path: Path, given: list[str], handed_on: list[str]
) -> None:
    done = make(tmp_path, *given)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, handed_on, "")


def test_no_value_means_anything_to_the_shell(tmp_path: Path) -> None:
    done = make(tmp_path, "pause", "PROJECT=demo", f"REASON={STRANGE.replace('$', '$$')}")
    assert done.stdout.splitlines() == ["pause", "demo", "--reason", STRANGE]


def test_what_is_left_out_is_left_to_iwomp_to_ask_for(tmp_path: Path) -> None:
    assert make(tmp_path, "stop", status=2).stdout == "stop\n"


@pytest.mark.parametrize("status", [2, 3, 4, 5])
def test_where_iwomp_says_no_make_adds_nothing(tmp_path: Path, status: int) -> None:
    done = make(tmp_path, "redrive", status=status)
    assert (done.returncode, done.stdout, done.stderr) == (0, "redrive\n", "")


@pytest.mark.parametrize("status", [1, 6, 130])
def test_what_failed_fails_in_make_too(tmp_path: Path, status: int) -> None:
    assert make(tmp_path, "redrive", status=status).returncode != 0


@pytest.mark.parametrize(("given", "tried"), [([], "--publish --in-build "), (["DOCTOR_ARGS="], "")])
def test_deploy_ends_with_what_the_doctor_tries_unless_it_is_to_look_only(
    tmp_path: Path, given: list[str], tried: str
) -> None:
    done = make(tmp_path, "--dry-run", "deploy", *given)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("target/release/iwomp ")]
    assert line.partition('" ')[2].partition("||")[0].split() == ["doctor", *tried.split()]
