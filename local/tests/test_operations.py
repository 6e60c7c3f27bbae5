"""docs/operations.md has a paragraph for every alarm, because the alarms' descriptions send people there.

And what people are told to type is there to be typed.
"""

from __future__ import annotations

import re
import subprocess

from documents import anchors, texts

from iwomp_local import places
from iwomp_local.places import REPOSITORY

MANUAL = REPOSITORY / "docs" / "operations.md"
TERRAFORM = REPOSITORY / "terraform"
ALARM = re.compile(r"^    ([a-z-]+) = \{\n      description += <<-TEXT$", re.MULTILINE)
TARGET = re.compile(r"\bmake ([a-z-]+)")
COMMAND = re.compile(r"(?:`|^|[:;] )iwomp ([a-z-]+)", re.MULTILINE)
TELLING = (
    "README.md",
    "docs/operations.md",
    "docs/register.md",
    "docs/commands.md",
    "docs/ci.md",
    "docs/faq.md",
    "examples/**/*.md",
    "docs/migration.md",
    "scripts/trigger",
    "terraform/**/*.md",
    "terraform/*.tf",
    "aws/src/**/*.rs",
    "worker/src/**/*.rs",
    "lambdas/*/src/**/*.rs",
)


def alarms() -> list[str]:
    return ALARM.findall((TERRAFORM / "alarms.tf").read_text())


def test_every_alarm_has_its_paragraph() -> None:
    assert len(alarms()) > 10, "the alarms are not found any more"
    assert sorted(set(alarms()) - anchors(MANUAL.read_text())) == []


def test_every_paragraph_under_alarms_has_its_alarm() -> None:
    chapter = MANUAL.read_text().split("\n## Alarms\n")[1].split("\n## ")[0]
    assert sorted(anchors(chapter) ^ set(alarms())) == []


def test_every_command_that_people_are_told_to_type_exists() -> None:
    told = {command for text in texts(TELLING) for command in COMMAND.findall(text)}
    assert {"pause", "redrive", "resume", "stop", "rollback", "release"} <= told
    for command in sorted(told):
        done = subprocess.run([str(places.iwomp()), command, "--help"], capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, f"iwomp {command}"


def test_every_target_that_the_manual_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+)\b[^:=]*:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    told = {target for file in (MANUAL, REPOSITORY / "README.md") for target in TARGET.findall(file.read_text())}
    assert {"deploy", "preflight"} <= told
    assert sorted(told - targets) == []
