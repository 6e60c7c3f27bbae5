"""The worker against hostile Git: each case of the lab is one test, and the last one counts what the lab is worth."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from hostile_git import catalogue, lab
from hostile_git.case import Case
from hostile_git.lab import Lab
from iwomp_local.emulator import Emulator

CASES = catalogue.cases()
FEWEST_CASES = 700
FEWEST_DAMAGES = 250
"""Fewer naive clients that come to harm would mean that the lab has lost its bite."""


@pytest.fixture(scope="session")
def hostile(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """All cases that this session will ask for are under way at once; each test waits for its own."""
    wanted = {item.callspec.params.get("case") for item in request.session.items if hasattr(item, "callspec")}
    with lab.running(emulator) as running:
        running.hand_in(case for case in CASES if case in wanted)
        yield running


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_worker_holds_when(case: Case, hostile: Lab) -> None:
    finding = hostile.finding(case)
    assert not finding.objections, f"{finding.objections}\n{finding.worker_output}"


def test_nothing_is_left_and_nobody_was_told_a_password(hostile: Lab) -> None:
    for case in CASES:
        if hostile.has(case):
            hostile.finding(case)
    assert hostile.keys_left() == []
    assert hostile.doors.hostile_ssh.passwords == []


def test_the_lab_bites(hostile: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    findings = {case.name: hostile.finding(case) for case in CASES if hostile.has(case)}
    with capsys.disabled():
        print("\n" + lab.summary(findings))
    if len(findings) < len(CASES):
        pytest.skip("only some cases were asked for")
    assert len(findings) >= FEWEST_CASES
    bitten = sorted(name for name, finding in findings.items() if finding.damages)
    if lab.TRY_ALL:
        lab.BITES_FILE.write_text(json.dumps(bitten, indent=0, ensure_ascii=True) + "\n")
    assert len(bitten) >= FEWEST_DAMAGES
    assert hostile.watcher.seen, "the naive clients' tokens are arguments of git, so the watcher must have seen some"
