"""The accounting finds what it is there to find: each fault, made up, is counted; and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iwomp_local.faults.accounting import Accepted, Build, Command, Evidence, Figures, account
from iwomp_local.faults.world import live_since

OLD, MIDDLE, NEW = "a" * 40, "b" * 40, "c" * 40
ORDER = {"demo": {OLD: 0, MIDDLE: 1, NEW: 2}}
TRIGGER = Accepted("t1", "demo", "main", MIDDLE, published=100.0)
OWN = Build("demo:1", "demo", "main", "t1", start=101.0, end=110.0, status="SUCCEEDED", commit=MIDDLE)
OTHER = replace(OWN, id="demo:2", trigger="t0")
COMMAND = Command("demo", "main", "demo:1", MIDDLE, begin=102.0, end=109.0)


def found(*builds: Build, trigger: Accepted = TRIGGER, **more: object) -> Figures:
    fields: dict[str, object] = {"said": {}, "dead": frozenset(), "order": ORDER, "histories": {}, **more}
    return account(Evidence(accepted=[trigger], builds=builds, **fields))  # type: ignore[arg-type]


def test_a_build_of_its_own_answers_a_trigger_however_it_ended() -> None:
    for status in ("SUCCEEDED", "FAILED", "STOPPED"):
        figures = found(replace(OWN, status=status))
        assert figures.wrong == 0
        assert figures.fates == {"own build": 1}
    assert figures.longest_wait_seconds == pytest.approx(1.0)


def test_a_build_of_its_own_that_deployed_something_older_answers_nothing() -> None:
    assert found(replace(OWN, commit=OLD)).fates == {"lost": 1}


def test_a_later_build_that_deployed_no_older_commit_covers_a_trigger() -> None:
    assert found(OTHER).fates == {"covered": 1}
    assert found(replace(OTHER, commit=NEW)).fates == {"covered": 1}


@pytest.mark.parametrize(
    "build",
    [
        replace(OTHER, start=99.9),
        replace(OTHER, status="FAILED"),
        replace(OTHER, commit=OLD),
        replace(OTHER, commit=None),
        replace(OTHER, commit="f" * 40),
        replace(OTHER, branch="release"),
        replace(OTHER, project="another"),
    ],
    ids=["began before", "failed", "older commit", "no commit", "unknown commit", "other branch", "other project"],
)
def test_no_other_build_does(build: Build) -> None:
    figures = found(build, said={"t1": ["busy", "covered"]})
    assert figures.wrong == 1
    assert figures.lost == ["t1 of demo: the launcher said busy covered"]


def test_a_pinned_trigger_wants_its_commit_and_not_the_head() -> None:
    pinned = replace(TRIGGER, head=NEW, commit=OLD)
    assert found(replace(OTHER, commit=OLD), trigger=pinned).fates == {"covered": 1}
    assert found(replace(OTHER, commit=MIDDLE), trigger=replace(pinned, commit=None)).fates == {"lost": 1}


def test_a_dead_letter_is_not_lost() -> None:
    assert found(dead=frozenset({"t1"})).fates == {"dead letter": 1}


def test_a_refused_trigger_is_lost_since_all_that_are_published_here_are_valid() -> None:
    assert found(said={"t1": ["refused"]}).fates == {"lost": 1}


def test_giving_up_takes_three_failed_builds_and_the_launchers_word() -> None:
    failed = [
        replace(OTHER, id=f"demo:{n}", status="FAILED", start=101.0 + 20 * n, end=110.0 + 20 * n) for n in range(3)
    ]
    said = {"t1": ["busy", "failed:keeps_failing"]}
    assert found(*failed, said=said).fates == {"given up after failed builds": 1}
    assert found(*failed).fates == {"lost": 1}
    assert found(*failed[:2], said=said).fates == {"lost": 1}


def test_two_builds_of_a_trigger_are_doubled() -> None:
    figures = found(OWN, replace(OWN, id="demo:2", start=120.0, end=130.0))
    assert figures.doubled == ["t1 of demo: 2 builds"]
    assert figures.wrong == 1


def test_a_build_that_begins_before_the_last_is_over_overlaps() -> None:
    assert len(found(OWN, replace(OTHER, start=109.9, end=120.0)).overlapped) == 1
    assert found(OWN, replace(OTHER, start=110.0, end=120.0)).wrong == 0
    assert found(OWN, replace(OTHER, project="another", start=109.0, end=120.0)).overlapped == []


def test_a_command_that_begins_while_another_runs_overlaps() -> None:
    second = replace(COMMAND, build="demo:2", begin=108.0, end=112.0)
    assert len(found(OWN, commands=[COMMAND, second]).overlapped) == 1
    assert found(OWN, commands=[COMMAND, replace(second, begin=109.0)]).wrong == 0
    killed = replace(COMMAND, end=None)  # it was over with its build, at 110
    assert len(found(OWN, commands=[killed, second]).overlapped) == 1
    assert found(OWN, commands=[killed, replace(second, begin=110.0)]).wrong == 0


def test_an_older_commit_after_a_newer_one_is_backward() -> None:
    assert found(OWN, histories={("demo", "main"): [OLD, MIDDLE, MIDDLE, NEW]}).wrong == 0
    assert len(found(OWN, histories={("demo", "main"): [OLD, NEW, MIDDLE]}).backward) == 1
    newer = replace(COMMAND, commit=NEW, begin=90.0, end=95.0, build="demo:0")
    assert len(found(OWN, commands=[newer, COMMAND]).backward) == 1
    assert found(OWN, commands=[replace(newer, end=None), COMMAND]).backward == []


def test_a_build_whose_end_nobody_was_told_is_unreported() -> None:
    assert found(OWN, reported={}).unreported == ["demo:1"]
    assert found(OWN, reported={"demo:1": 2}).wrong == 0


def test_a_head_that_is_not_live_in_the_end_is_stale() -> None:
    live = {("demo", "main"): [MIDDLE]}
    assert found(OWN, histories=live, heads={"demo": NEW}).stale == [f"demo: {NEW} is not live"]
    assert found(OWN, histories=live, heads={"demo": MIDDLE}).wrong == 0
    assert len(found(OWN, heads={"demo": MIDDLE}).stale) == 1


def test_a_build_that_ran_nothing_leaves_live_what_it_found() -> None:
    def said(outcome: str, commit: str) -> dict[str, str]:
        return {"outcome": outcome, "commit": commit}

    ended = [said("deployed", "c2"), said("superseded", "c1"), {}, said("failed", "c3"), said("superseded", "c3")]
    assert live_since(ended, ["c1", "c2", "c3"]) == ["c2", "c2", None, None, "c3"]
    assert live_since([said("superseded", "of no branch")], ["c1"]) == [None]
