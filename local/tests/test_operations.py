"""docs/operations.md has a paragraph for every alarm, because the alarms' descriptions send people there."""

from __future__ import annotations

import re

from iwomp_local.places import REPOSITORY

MANUAL = REPOSITORY / "docs" / "operations.md"
TERRAFORM = REPOSITORY / "terraform"
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ALARM = re.compile(r"^    ([a-z-]+) = \{\n      description += <<-TEXT$", re.MULTILINE)
COMMAND = re.compile(r"\bmake ([a-z-]+)")
LINK = re.compile(r"\]\((?:([\w./-]+))?#([\w-]+)\)")


def anchors(text: str) -> set[str]:
    """As GitHub makes them: lower case, hyphens for spaces, no other punctuation."""
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in HEADING.findall(text)}


def alarms() -> list[str]:
    return ALARM.findall((TERRAFORM / "alarms.tf").read_text())


def test_every_alarm_has_its_paragraph() -> None:
    assert len(alarms()) > 10, "the alarms are not found any more"
    assert sorted(set(alarms()) - anchors(MANUAL.read_text())) == []


def test_every_paragraph_under_alarms_has_its_alarm() -> None:
    chapter = MANUAL.read_text().split("\n## Alarms\n")[1].split("\n## ")[0]
    assert sorted(set(HEADING.findall(chapter)) ^ set(alarms())) == []


def test_every_command_that_people_are_told_to_type_exists() -> None:
    told = {command for file in (MANUAL, TERRAFORM / "alarms.tf") for command in COMMAND.findall(file.read_text())}
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert {"pause", "redrive", "resume", "stop"} <= told
    assert sorted(told - targets) == []


def test_every_link_to_a_heading_leads_somewhere() -> None:
    for path, anchor in LINK.findall(MANUAL.read_text()):
        file = (MANUAL.parent / path).resolve() if path else MANUAL
        assert anchor in anchors(file.read_text()), f"{path}#{anchor}"
