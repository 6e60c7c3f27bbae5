"""A region is taken from what is addressed, or from one place: version 1 of the AWS CLI does not know AWS_REGION.

What people are given to paste says it; so does every script that calls the AWS CLI. The manual says it once.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from iwomp_local.places import REPOSITORY

COMMAND = re.compile(r"\baws (?!iam\b)([a-z-]+) [a-z]+-[a-z-]+.*|\baws sns publish .*")
GIVEN = [
    REPOSITORY / "README.md",
    REPOSITORY / ".github" / "actions" / "trigger" / "action.yml",
    REPOSITORY / "worker" / "image.sh",
    *sorted((REPOSITORY / "terraform").rglob("*.tf")),
]


def test_every_command_that_is_given_to_paste_or_run_names_its_region() -> None:
    commands = [
        (path.name, match[0])
        for path in GIVEN
        if ".terraform" not in path.parts
        for line in path.read_text().splitlines()
        if not line.lstrip().startswith("#")
        for match in COMMAND.finditer(line)
    ]
    assert len(commands) >= 8, commands
    assert [command for command in commands if "--region" not in command[1]] == []


def test_the_manual_says_which_region_its_commands_are_for() -> None:
    manual = (REPOSITORY / "docs" / "operations.md").read_text()
    assert "AWS_DEFAULT_REGION" in manual.partition("\n## ")[0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1 eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1 eu-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "- us-east-1"),
        ({}, "- -"),
    ],
)
def test_make_hands_every_tool_the_same_region(tmp_path: Path, given: dict[str, str], expected: str) -> None:
    show = tmp_path / "show.mk"
    show.write_text('show:\n\t@echo "$${AWS_REGION--} $${AWS_DEFAULT_REGION--}"\n')
    environment = {
        name: value for name, value in os.environ.items() if name not in ("AWS_REGION", "AWS_DEFAULT_REGION")
    }
    shown = subprocess.run(
        ["make", "--no-print-directory", "--file", "Makefile", "--file", str(show), "show"],
        cwd=REPOSITORY,
        env={**environment, **given, "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == expected
