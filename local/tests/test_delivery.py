"""What is promised of every trigger, end to end: floods, starvation, pauses, lost events and lost triggers."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from pipeline_under_test import CLOCK_SKEW_SECONDS, RETRY_SECONDS, PipelineUnderTest

from iwomp_local.faults.accounting import Accepted, account
from iwomp_local.faults.world import BRANCH, Watch, script
from iwomp_local.waiting import wait_for

FLOOD, FLOOD_BUILD_SECONDS = 3000, 8
FLOOD_SECONDS = 600.0  # 10 s on a quiet machine
PUBLISHED_AT_ONCE = 10  # SNS's own limit of a batch
OLD_COMMITS, PINNED_EVERY_SECONDS = 30, 1.0
REAL_RUNS_SECONDS = 300.0  # a real trigger in a flood of old pinned ones; it waits only for those that are older
RETRIED_SECONDS = RETRY_SECONDS * 2 + 120.0
QUIET_SECONDS = 600.0
SCHEDULED_SECONDS = 60 + RETRIED_SECONDS


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path


def watch(
    pipeline: PipelineUnderTest, ledger: Path, project: str, seconds: float = 0.3, gate: Path | None = None
) -> Watch:
    """A project of the shared stack, with a deploy script that writes down when it ran.

    It takes so many seconds, or until `gate` is there.
    """
    text = script(ledger, project, seconds)
    if gate is not None:
        text = text.replace(f"sleep {seconds}\n", f"while [ ! -e {gate} ]; do sleep 0.2; done\n")
    pipeline.repository(project).commit("watched", {"deploy.sh": text})
    return Watch(pipeline.stack, pipeline.git.root, ledger, (project,))


def flood(watched: Watch, project: str, triggers: int) -> None:
    """Publishes so many, ten in a call, and notes each that SNS took."""
    ci = watched.stack.ci
    sns = watched.stack.emulator.client("sns", ci.access_key, ci.secret_key)
    topic, head = watched.stack.pipeline.topic(project), watched.repository(project).head(BRANCH) or ""
    message = json.dumps({"project": project, "branch": BRANCH})

    def batch(_: int) -> None:
        entries = [{"Id": str(number), "Message": message} for number in range(PUBLISHED_AT_ONCE)]
        taken = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Successful"]
        watched.accepted += [Accepted(one["MessageId"], project, BRANCH, head, time.time()) for one in taken]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(batch, range(triggers // PUBLISHED_AT_ONCE)))


def test_a_flood_of_one_project_causes_few_builds_delays_others_little_and_loses_nothing(
    pipeline: PipelineUnderTest, ledger: Path
) -> None:
    watched = watch(pipeline, ledger, "flooded", seconds=FLOOD_BUILD_SECONDS)
    calm = watch(pipeline, ledger, "calm")
    begin = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(flood, watched, "flooded", FLOOD)
        wait_for("half the flood", lambda: True if len(watched.accepted) > FLOOD / 2 else None, FLOOD_SECONDS)
        other = calm.publish("calm")
        done.result()
    lasted = time.monotonic() - begin
    assert len(watched.accepted) == FLOOD
    watched.wait_until_quiet(QUIET_SECONDS)
    figures = account(watched.evidence())
    assert (figures.triggers, figures.wrong) == (FLOOD, 0), figures
    # However many triggers: one build after the other, a part of a build's time counting for one, until one begins so
    # long after the last publication that it covers whoever waits, whatever the clocks; and one more may come late, as
    # with the crowd of test_pipeline.
    assert figures.builds <= ceil((lasted + CLOCK_SKEW_SECONDS) / FLOOD_BUILD_SECONDS) + 3, (figures, lasted)
    (build,) = [build for build in calm.builds("calm") if build.trigger == other.trigger]
    waited = build.start - calm.publications()[other.trigger]
    tries = pipeline.stack.launcher_verdict(other.trigger)["tries"]
    print(f"flood: {figures.builds} builds, longest wait {figures.longest_wait_seconds:.1f} s")
    print(f"another project's trigger in the middle of it: started after {waited:.2f} s, at try {tries}")
    # It stands behind the flood's messages, each of which is looked at once, but behind none of its builds.
    words = [line["outcome"] for line in pipeline.stack.launcher_words(other.trigger)]
    assert "busy" not in words, words


def test_a_real_trigger_runs_among_old_pinned_ones_without_end(pipeline: PipelineUnderTest, ledger: Path) -> None:
    watched = watch(pipeline, ledger, "starved")
    old = [watched.push("starved") for _ in range(OLD_COMMITS)]
    watched.publish("starved")
    watched.wait_until_quiet(RETRIED_SECONDS)
    over = threading.Event()

    def attack() -> None:
        for commit in old * 10:
            watched.publish("starved", commit)
            if over.wait(PINNED_EVERY_SECONDS):
                return

    with ThreadPoolExecutor(1) as pool:
        attacked = pool.submit(attack)
        try:
            over.wait(10 * PINNED_EVERY_SECONDS)
            head = watched.push("starved")
            real = watched.publish("starved")
            wait_for("the real deployment", lambda: live_at(watched, "starved", head), REAL_RUNS_SECONDS)
        finally:
            over.set()
        attacked.result()
    watched.wait_until_quiet(QUIET_SECONDS)
    figures = account(watched.evidence())
    assert figures.wrong == 0, figures
    waited = next(build.start for build in watched.builds("starved") if build.commit == head) - real.published
    print(f"starvation: {figures.triggers} triggers, {figures.builds} builds, the real one waited {waited:.1f} s")


def live_at(watched: Watch, project: str, commit: str) -> bool | None:
    return True if watched.history(project)[-1:] == [commit] else None


def test_triggers_of_a_paused_project_wait_until_it_is_resumed(pipeline: PipelineUnderTest, ledger: Path) -> None:
    watched = watch(pipeline, ledger, "paused")
    pipeline.stack.operate("pause", "paused", "--reason", "maintenance")
    trigger = watched.publish("paused").trigger
    (said, *_) = wait_for(
        "the launcher's word", lambda: pipeline.stack.launcher_words(trigger) or None, RETRIED_SECONDS
    )
    assert (said["outcome"], said["class"]) == ("busy", "paused")
    time.sleep(CLOCK_SKEW_SECONDS)
    assert watched.builds("paused") == []
    again = pipeline.stack.operate("resume", "paused").split()[-1]
    watched.wait_until_quiet(RETRIED_SECONDS)
    assert [build.trigger for build in watched.builds("paused")] == [again]
    assert pipeline.stack.launcher_verdict(trigger)["outcome"] == "covered"
    assert account(watched.evidence()).wrong == 0


def test_a_trigger_that_waited_too_long_is_reported_as_expired_and_runs_when_it_is_sent_again(
    pipeline: PipelineUnderTest, ledger: Path
) -> None:
    gate = ledger / "go-on"
    watched = watch(pipeline, ledger, "expiring", gate=gate)
    first = watched.publish("expiring")
    pipeline.stack.launcher_verdict(first.trigger)
    watched.push("expiring")
    with pipeline.shortest_wait():
        trigger = watched.publish("expiring").trigger
        verdict = pipeline.stack.launcher_verdict(trigger)
        assert (verdict["outcome"], verdict["class"]) == ("expired", "building")
        assert trigger in watched.dead()
    gate.touch()
    pipeline.stack.operate("redrive", trigger)  # only this one: other tests have dead letters, too
    watched.wait_until_quiet(RETRIED_SECONDS)
    assert trigger in [build.trigger for build in watched.builds("expiring")]
    assert account(watched.evidence()).wrong == 0


def test_the_end_of_a_build_is_reported_once_and_a_lost_event_is_made_up_for_by_the_sweep(
    pipeline: PipelineUnderTest, ledger: Path, request: pytest.FixtureRequest
) -> None:
    watched, events = watch(pipeline, ledger, "forgotten"), pipeline.stack.emulator.client("events")
    watched.hear_reports()
    request.addfinalizer(watched.stop_hearing)
    mine: list[dict[str, Any]] = []

    def reported(trigger: str) -> dict[str, Any] | None:
        mine.extend(report for report in watched.reports() if report.get("project") == "forgotten")
        return next((report for report in mine if report["trigger"] == trigger), None)

    heard = watched.publish("forgotten").trigger
    report = wait_for("the report", lambda: reported(heard), RETRIED_SECONDS)
    assert (report["outcome"], report["build_status"]) == ("deployed", "SUCCEEDED")

    rule = f"{pipeline.config_path}--build-changed"
    events.disable_rule(Name=rule)
    missed = watched.publish("forgotten").trigger
    pipeline.stack.finished_build("forgotten", missed)
    time.sleep(1)
    assert reported(missed) is None
    watched.sweep()
    events.enable_rule(Name=rule)
    report = wait_for("the report", lambda: reported(missed), RETRIED_SECONDS)
    assert report["outcome"] == "deployed"
    watched.sweep()
    time.sleep(1)
    assert reported("none") is None
    assert [report["trigger"] for report in mine] == [heard, missed]


def test_the_sweep_comes_by_its_schedule(pipeline: PipelineUnderTest) -> None:
    scheduler, pipe = pipeline.stack.emulator.client("scheduler"), pipeline.stack.pipeline
    group, name = pipe.outputs["sweep_schedule"].split("/")
    known = scheduler.get_schedule(GroupName=group, Name=name)
    fields = ("GroupName", "Name", "FlexibleTimeWindow", "Target")
    begin = time.time()
    scheduler.update_schedule(**{key: known[key] for key in fields}, ScheduleExpression="rate(1 minute)")
    try:
        logs = pipeline.stack.emulator.client("logs")

        def swept() -> bool | None:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=pipe.outputs["notifier_log_group"], startTime=int(begin * 1000)
            )
            return True if any('"Sweeps":1' in event["message"] for page in pages for event in page["events"]) else None

        wait_for("a sweep", swept, SCHEDULED_SECONDS)
    finally:
        expression = known["ScheduleExpression"]
        scheduler.update_schedule(**{key: known[key] for key in fields}, ScheduleExpression=expression)


def test_a_lost_trigger_is_made_up_for_by_the_projects_schedule_and_what_is_live_is_not_run_again(
    pipeline: PipelineUnderTest, ledger: Path
) -> None:
    watched = watch(pipeline, ledger, "scheduled")
    head = watched.push("scheduled")  # and nobody publishes
    wait_for("the deployment", lambda: live_at(watched, "scheduled", head), SCHEDULED_SECONDS)

    trigger = watched.publish("scheduled").trigger
    build, log = pipeline.stack.finished_build("scheduled", trigger, SCHEDULED_SECONDS)
    outcome = pipeline.stack.pipeline.build_outcome(build) or {}
    assert (build["buildStatus"], outcome["outcome"], outcome["commit"]) == ("SUCCEEDED", "unchanged", head), log
    assert [command.commit for command in watched.commands("scheduled")] == [head]
