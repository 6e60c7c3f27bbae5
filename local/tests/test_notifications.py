"""Those whom a project's entry names learn how it went: of builds, and of triggers that end without one."""

from __future__ import annotations

import json
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pipeline_under_test import CANARY, EVENT_BUS, RETRY_SECONDS, PipelineUnderTest
from told_host import HOSTS, Host, listening

from iwomp_local.emulator import ACCOUNT, REGION
from iwomp_local.waiting import wait_for

PROJECT = "told"
TOKEN, KEY = f"{CANARY}-status", f"{CANARY}-signature"
TOLD_SECONDS = 60.0
TRIGGER_ID = str(uuid.uuid4())
NOWHERE = "f" * 40
REFUSALS, IN_A_CALL = 1000, 10
NOT_TO_BE_ASKED = "which is not asked"

# As what a Git host shows a state, and the chat's word for it.
WORDS = {
    "running": ("running", "is being deployed"),
    "succeeded": ("good", "deployed"),
    "failed": ("bad", "failed"),
    "refused": ("neither", "refused"),
    "superseded": ("neither", "superseded"),
    "stopped": ("bad", "stopped"),
}


@dataclass
class Told:
    """Everybody who is told: hosts behind the entry's own authority, and one that the whole world trusts."""

    own: Host
    public: Host

    def news(self, trigger: str, name: str = "webhook") -> list[dict[str, Any]]:
        return [news for news in self.own.by(name) if news.get("trigger") == trigger]

    def states(self, trigger: str, name: str = "webhook") -> list[str]:
        return [news["state"] for news in self.news(trigger, name)]

    def statuses(self, host: str, commit: str) -> list[str]:
        return [status["state"] for status in self.own.by(host, f"/statuses/{commit}")]

    def chat(self, trigger: str) -> list[str]:
        """The first lines of what was said of a trigger."""
        texts = [message["text"] for message in self.public.by("slack")]
        return [text.splitlines()[0].removeprefix(f"{PROJECT} ") for text in texts if f"iwomp trace {trigger}" in text]

    def by_webhook(self, trigger: str, state: str, name: str = "webhook") -> dict[str, Any]:
        """The news of a trigger, once they are there."""

        def found() -> dict[str, Any] | None:
            return next((news for news in self.news(trigger, name) if news["state"] == state), None)

        return wait_for(f"the news that {trigger} is {state}", found, TOLD_SECONDS)

    def of_build(self, trigger: str, commit: str, state: str) -> None:
        """Waits until it is what everybody was told of a build last."""
        shown, chat = WORDS[state]
        wanted = [state, *(HOSTS[host]["shows"][shown] for host in ("github", "gitlab")), f"main {chat}"]

        def last() -> list[str]:
            lists = [
                self.states(trigger),
                self.statuses("github", commit),
                self.statuses("gitlab", commit),
                self.chat(trigger),
            ]
            return [told[-1] if told else "" for told in lists]

        try:
            wait_for(f"{state}, told to everybody", lambda: True if last() == wanted else None, TOLD_SECONDS)
        except Exception as error:
            raise AssertionError(f"told last was {last()}, and not {wanted}") from error


@pytest.fixture(scope="module")
def told(pipeline: PipelineUnderTest) -> Iterator[Told]:
    with (
        listening(pipeline.authority.server_context(), TOKEN, KEY) as own,
        listening(pipeline.world.server_context(), TOKEN, KEY) as public,
    ):
        for kind in ("github", "gitlab", "webhook"):
            store(pipeline, kind, own.secret(kind))
        store(pipeline, "usual", own.secret("webhook", "usual"))
        store(pipeline, "slack", public.secret("slack"))
        store(pipeline, "discord", public.secret("discord"))
        yield Told(own, public)


def store(pipeline: PipelineUnderTest, target: str, document: dict[str, str]) -> None:
    pipeline.stack.emulator.client("ssm").put_parameter(
        Name=f"/{pipeline.config_path}-notify/{PROJECT}/{target}",
        Value=json.dumps(document),
        Type="SecureString",
        KeyId=pipeline.stack.pipeline.outputs["kms_key_arn"],
        Overwrite=True,
    )


def courier_lines(pipeline: PipelineUnderTest) -> list[dict[str, Any]]:
    group = f"/aws/lambda/{pipeline.config_path}--courier"
    pages = pipeline.stack.emulator.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    lines = [event["message"] for page in pages for event in page["events"]]
    return [json.loads(line) for line in lines if line.startswith("{") and '"notification"' in line]


def deploy(pipeline: PipelineUnderTest, script: str = "true") -> tuple[str, str]:
    """The trigger and the commit of a deployment that has ended; pinned, so that its commit is known if it fails."""
    commit = pipeline.repository(PROJECT).commit("next", {"deploy.sh": f"#!/bin/sh\n{script}\n"})
    trigger = pipeline.stack.trigger(PROJECT, commit=commit)
    pipeline.stack.finished_build(PROJECT, trigger)
    return trigger, commit


@contextmanager
def running(pipeline: PipelineUnderTest, told: Told, gate: Path) -> Iterator[tuple[str, str]]:
    """The trigger and the commit of a deployment that goes on as long as the block lasts, and of which all know."""
    script = f"#!/bin/sh\nuntil [ -e {gate} ]; do sleep 0.1; done\n"
    commit = pipeline.repository(PROJECT).commit("slow", {"deploy.sh": script})
    trigger = pipeline.stack.trigger(PROJECT, commit=commit)
    try:
        told.of_build(trigger, commit, "running")
        yield trigger, commit
    finally:
        gate.touch()


@pytest.fixture(scope="module")
def events(pipeline: PipelineUnderTest) -> str:
    """The URL of a queue that a rule of the platform team's bus fills."""
    bus, sqs = (pipeline.stack.emulator.client(service) for service in ("events", "sqs"))
    bus.create_event_bus(Name=EVENT_BUS)
    url = sqs.create_queue(QueueName="told-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["iwomp"], "detail": {"state": ["succeeded"]}}
    bus.put_rule(Name="told", EventBusName=EVENT_BUS, EventPattern=json.dumps(pattern))
    bus.put_targets(Rule="told", EventBusName=EVENT_BUS, Targets=[{"Id": "queue", "Arn": arn}])
    return str(url)


def waits(pipeline: PipelineUnderTest, trigger: str) -> None:
    """Writes what the launcher writes of a trigger that waits for six minutes."""
    line = {"outcome": "busy", "class": "building", "fate": "waits", "project": PROJECT, "branch": "main"}
    logs, group = pipeline.stack.emulator.client("logs"), f"/aws/lambda/{pipeline.config_path}--launcher"
    logs.create_log_stream(logGroupName=group, logStreamName=trigger)
    published = int(time.time()) - 400
    for waited in (59, 61, 90, 361):
        message = json.dumps({**line, "trigger": trigger, "WaitSeconds": waited})
        event = {"timestamp": (published + waited) * 1000, "message": message}
        logs.put_log_events(logGroupName=group, logStreamName=trigger, logEvents=[event])


def test_who_waits_and_a_build_that_runs_and_succeeds_are_told_where_it_is_looked_for(
    pipeline: PipelineUnderTest, told: Told, events: str, tmp_path: Path
) -> None:
    waits(pipeline, TRIGGER_ID)
    told.by_webhook(TRIGGER_ID, "waiting")
    with running(pipeline, told, tmp_path / "go-on") as (trigger, commit):
        news = told.by_webhook(trigger, "running")
        assert news["commit"] == commit and "reason" not in news
    told.of_build(trigger, commit, "succeeded")
    for host, words in (("github", ["pending", "success"]), ("gitlab", ["running", "success"])):
        assert told.statuses(host, commit) == words, "once for each state"
    assert told.states(trigger) == ["running", "succeeded"]
    assert told.chat(trigger) == ["main is being deployed", "main deployed"]
    assert (told.states(TRIGGER_ID), told.chat(TRIGGER_ID)) == (["waiting"], ["main waits"]), "once for the six minutes"
    assert told.own.by("github", commit)[-1]["context"] == f"iwomp/{PROJECT}"
    news = told.news(trigger)[-1]
    assert (news["version"], news["project"], news["branch"], news["commit"]) == (1, PROJECT, "main", commit)
    assert "/codesuite/codebuild/" in news["link"]
    assert told.by_webhook(trigger, "succeeded", "usual") == news
    assert told.states(trigger, "usual") == ["succeeded"], "who did not ask for it is not told that it runs"
    sqs = pipeline.stack.emulator.client("sqs")
    put = wait_for("the event", lambda: sqs.receive_message(QueueUrl=events).get("Messages"), TOLD_SECONDS)
    event = json.loads(put[0]["Body"])
    assert event["detail-type"] == "iwomp Deployment State Change" and event["detail"] == news


def test_a_failure_is_told_and_neither_a_lie_nor_an_old_event_nor_a_second_one_changes_that(
    pipeline: PipelineUnderTest, told: Told
) -> None:
    trigger, commit = deploy(pipeline, "echo '<!channel>' >&2; exit 3")
    told.of_build(trigger, commit, "failed")
    build = told.by_webhook(trigger, "failed", "usual")["build"]
    for status in ("SUCCEEDED", "IN_PROGRESS", "FAILED", "FAILED"):
        event = {
            "source": "aws.codebuild",
            "detail-type": "CodeBuild Build State Change",
            "detail": {
                "build-status": status,
                "project-name": build.partition(":")[0],
                "build-id": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:build/{build}",
            },
        }
        functions = pipeline.stack.emulator.client("lambda")
        functions.invoke(FunctionName=f"{pipeline.config_path}--notifier", Payload=json.dumps(event))
    after, _ = deploy(pipeline)  # whose news go behind those
    told.by_webhook(after, "succeeded")
    told.by_webhook(after, "succeeded", "usual")
    told.of_build(trigger, commit, "failed")
    assert "success" not in told.statuses("github", commit) + told.statuses("gitlab", commit)
    assert told.states(trigger, "usual") == ["failed"], "who was told of the end alone is told once"
    assert "<!channel>" not in json.dumps([one.body for one in told.own.told + told.public.told])


def test_what_came_to_nothing_is_told_as_neither_good_nor_bad(pipeline: PipelineUnderTest, told: Told) -> None:
    refused = pipeline.stack.trigger(PROJECT, commit=NOWHERE)
    pipeline.stack.finished_build(PROJECT, refused)
    told.of_build(refused, NOWHERE, "refused")
    older = pipeline.repository(PROJECT).commit("older", {"deploy.sh": "#!/bin/sh\n"})
    deploy(pipeline)
    superseded = pipeline.stack.trigger(PROJECT, commit=older)
    pipeline.stack.finished_build(PROJECT, superseded)
    told.of_build(superseded, older, "superseded")


def test_who_waits_too_long_and_what_is_stopped_are_told(
    pipeline: PipelineUnderTest, told: Told, tmp_path: Path
) -> None:
    stack = pipeline.stack
    with running(pipeline, told, tmp_path / "never") as (trigger, commit):
        with pipeline.shortest_wait():
            expired = stack.trigger(PROJECT, commit=commit)
            assert stack.launcher_verdict(expired)["outcome"] == "expired"
        news = told.by_webhook(expired, "expired")
        assert "build" not in news
        wait_for("the chat's word", lambda: told.chat(expired) or None, TOLD_SECONDS)
        assert told.chat(expired) == ["main expired"]
        build = stack.build_of(PROJECT, trigger) or {}
        stack.emulator.client("codebuild").stop_build(id=build["id"])
        told.of_build(trigger, commit, "stopped")
    assert told.statuses("gitlab", commit) == ["running", "failed"], "a trigger without a build shows nothing"


def test_who_is_refused_learns_it_and_a_flood_of_refusals_costs_a_few_messages(
    pipeline: PipelineUnderTest, told: Told
) -> None:
    trigger = pipeline.stack.trigger(PROJECT, "elsewhere")
    news = told.by_webhook(trigger, "refused")
    assert news["class"] == "branch_not_allowed"
    assert "does not allow branch elsewhere" in news["reason"]
    wait_for("the chat's word", lambda: told.chat(trigger) or None, TOLD_SECONDS)
    assert told.chat(trigger) == ["elsewhere refused"]

    def refusals() -> int:
        return len([news for news in told.own.by("webhook") if news["state"] == "refused"])

    before, ci, stack = refusals(), pipeline.stack.ci, pipeline.stack
    sns = stack.emulator.client("sns", ci.access_key, ci.secret_key)
    message = json.dumps({"project": PROJECT, "branch": "elsewhere"})
    for _ in range(REFUSALS // IN_A_CALL):
        entries = [{"Id": str(number), "Message": message} for number in range(IN_A_CALL)]
        sns.publish_batch(TopicArn=stack.pipeline.topic(PROJECT), PublishBatchRequestEntries=entries)
    last = stack.trigger(PROJECT, "elsewhere")
    stack.launcher_verdict(last)
    deployed, _ = deploy(pipeline)  # which goes behind them
    told.by_webhook(deployed, "succeeded")
    told.by_webhook(deployed, "succeeded", "usual")
    # One in five minutes of the clock, whose border may have passed meanwhile.
    assert refusals() - before <= 1


def test_a_host_that_is_not_well_is_asked_again_and_nothing_else_waits_for_it(
    pipeline: PipelineUnderTest, told: Told
) -> None:
    told.own.answers["usual"] = deque([(503, {"Retry-After": "1"})])
    trigger, _ = deploy(pipeline)
    told.by_webhook(trigger, "succeeded")
    assert told.news(trigger, "usual") == [], "the other has not waited"
    told.by_webhook(trigger, "succeeded", "usual")
    waited = [line for line in courier_lines(pipeline) if line["trigger"] == trigger and line["result"] == "waits"]
    assert [line["target"] for line in waited] == ["usual"] and "503" in waited[0]["reason"]


def test_what_no_try_can_bring_is_laid_aside_with_its_reason(pipeline: PipelineUnderTest, told: Told) -> None:
    """The entry does not let this target have a private address; and a redirect is followed by nobody."""
    metadata = {"Location": "http://169.254.169.254/latest/meta-data/"}
    told.own.answers["usual"] = deque([(302, metadata)])
    trigger, _ = deploy(pipeline, "exit 1")

    def said(target: str, of: str) -> bool | None:
        lines = [line for line in courier_lines(pipeline) if (line["trigger"], line["target"]) == (trigger, target)]
        return True if any(line["result"] == "failed" and of in line["reason"] for line in lines) else None

    wait_for("the word of a private address", lambda: said("discord", NOT_TO_BE_ASKED), TOLD_SECONDS)
    wait_for("the word of a redirect", lambda: said("usual", "302"), TOLD_SECONDS + RETRY_SECONDS)
    assert told.public.by("discord") == []
    sqs = pipeline.stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{pipeline.config_path}--deliveries-dead.fifo")["QueueUrl"]
    dead = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)["Messages"]
    assert any(trigger in message["Body"] for message in dead)


def test_no_secret_of_a_target_is_in_a_line(pipeline: PipelineUnderTest, told: Told) -> None:
    assert told.own.told and told.public.told, "there is something to look at"
    assert CANARY not in json.dumps(courier_lines(pipeline))
