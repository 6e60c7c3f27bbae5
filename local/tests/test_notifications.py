"""Those whom a project's entry names learn how it went: of builds, and of triggers that end without one."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pipeline_under_test import CANARY, EVENT_BUS, RETRY_SECONDS, PipelineUnderTest
from told_host import Host, listening

from iwomp_local.waiting import wait_for

PROJECT = "told"
TOKEN, KEY = f"{CANARY}-status", f"{CANARY}-signature"
TOLD_SECONDS = 60.0
TRIGGER_ID = str(uuid.uuid4())
REFUSALS, IN_A_CALL = 200, 10


@pytest.fixture(scope="module")
def host(pipeline: PipelineUnderTest) -> Iterator[Host]:
    with listening(pipeline.authority.server_context(), TOKEN, KEY) as host:
        store(pipeline, "gitlab", {"token": TOKEN, "url": f"{host.url}/api/v4"})
        store(pipeline, "slack", {"url": f"{host.url}/slack/{CANARY}"})
        store(pipeline, "webhook", {"url": f"{host.url}/webhook", "key": KEY})
        store(pipeline, "failures", {"url": f"{host.url}/failures", "key": KEY})
        store(pipeline, "early", {"url": f"{host.url}/early", "key": KEY})
        store(pipeline, "discord", {"url": f"{host.url}/discord/{CANARY}"})
        yield host


def store(pipeline: PipelineUnderTest, target: str, document: dict[str, str]) -> None:
    pipeline.stack.emulator.client("ssm").put_parameter(
        Name=f"/{pipeline.config_path}-notify/{PROJECT}/{target}",
        Value=json.dumps(document),
        Type="SecureString",
        KeyId=pipeline.stack.pipeline.outputs["kms_key_arn"],
        Overwrite=True,
    )


def news_of(host: Host, trigger: str, path: str = "/webhook") -> dict[str, Any]:
    """What a webhook's owner was told of a trigger first."""

    def told() -> dict[str, Any] | None:
        return next((news for news in host.by(path) if news.get("trigger") == trigger), None)

    return wait_for(f"the news of {trigger}", told, TOLD_SECONDS)


def courier_lines(pipeline: PipelineUnderTest) -> list[dict[str, Any]]:
    group = f"/aws/lambda/{pipeline.config_path}--courier"
    pages = pipeline.stack.emulator.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    lines = [event["message"] for page in pages for event in page["events"]]
    return [json.loads(line) for line in lines if line.startswith("{") and '"notification"' in line]


def deploy(pipeline: PipelineUnderTest, script: str) -> tuple[str, str]:
    """The trigger and the commit of a deployment that has ended; pinned, so that its commit is known if it fails."""
    commit = pipeline.repository(PROJECT).commit("next", {"deploy.sh": f"#!/bin/sh\n{script}\n"})
    trigger = pipeline.stack.trigger(PROJECT, commit=commit)
    pipeline.stack.finished_build(PROJECT, trigger)
    return trigger, commit


def states(host: Host, commit: str, last: str) -> list[str]:
    """What the Git host was told of a commit, up to this."""
    path = f"/api/v4/projects/{PROJECT}/statuses/{commit}"

    def told() -> list[str] | None:
        found = [status["state"] for status in host.by(path)]
        return found if last in found else None

    return wait_for(f"the status {last} of {commit}", told, TOLD_SECONDS)


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


def test_a_deployment_is_told_where_it_is_looked_for(pipeline: PipelineUnderTest, host: Host, events: str) -> None:
    trigger, commit = deploy(pipeline, "true")
    news = news_of(host, trigger)
    assert (news["version"], news["state"], news["project"], news["branch"]) == (1, "succeeded", PROJECT, "main")
    assert news["commit"] == commit and "/codesuite/codebuild/" in news["link"]
    assert states(host, commit, "success")[-1] == "success"
    assert host.by(f"/api/v4/projects/{PROJECT}/statuses/{commit}")[-1]["name"] == f"iwomp/{PROJECT}"
    assert host.by("/failures") == [], "it is told of failures only"
    sqs = pipeline.stack.emulator.client("sqs")
    put = wait_for("the event", lambda: sqs.receive_message(QueueUrl=events).get("Messages"), TOLD_SECONDS)
    event = json.loads(put[0]["Body"])
    assert event["detail-type"] == "iwomp Deployment State Change" and event["detail"] == news

    trigger, commit = deploy(pipeline, "echo '<!channel>' >&2; exit 3")
    assert news_of(host, trigger)["state"] == "failed"
    assert states(host, commit, "failed")[-1] == "failed"
    (message,) = wait_for("the message", lambda: host.by("/failures") or None, TOLD_SECONDS)
    assert (message["trigger"], message["state"]) == (trigger, "failed")
    assert "<!channel>" not in json.dumps(host.told[-1].body), "what a command prints is no news"

    # Its URL is the secret: whoever writes the entry could else read it, by an authority and a host of theirs.
    def refused() -> list[dict[str, Any]] | None:
        return [
            line for line in courier_lines(pipeline) if line["target"] == "slack" and line["trigger"] == trigger
        ] or None

    assert "certificate" in wait_for("the chat's refusal", refused, TOLD_SECONDS)[0]["reason"]
    assert host.by("/slack") == []


def test_what_has_not_ended_is_told_to_who_asks_for_it(pipeline: PipelineUnderTest, host: Host, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    commit = pipeline.repository(PROJECT).commit(
        "slow", {"deploy.sh": f"#!/bin/sh\nuntil [ -e {go_on} ]; do sleep 0.1; done\n"}
    )
    trigger = pipeline.stack.trigger(PROJECT, commit=commit)
    try:
        assert states(host, commit, "running") == ["running"]
        early = news_of(host, trigger, "/early")
        assert (early["state"], early["commit"]) == ("running", commit) and "reason" not in early
    finally:
        go_on.touch()
    assert states(host, commit, "success") == ["running", "success"]
    assert news_of(host, trigger)["state"] == "succeeded"

    # The worker refuses it: what was shown to run is neither green nor red.
    nowhere = "f" * 40
    refused = pipeline.stack.trigger(PROJECT, commit=nowhere)
    pipeline.stack.finished_build(PROJECT, refused)
    assert states(host, nowhere, "canceled")[-1] == "canceled"

    # As the launcher writes it after a minute.
    line = {"outcome": "busy", "class": "building", "fate": "waits", "project": PROJECT, "trigger": TRIGGER_ID}
    logs, group = pipeline.stack.emulator.client("logs"), f"/aws/lambda/{pipeline.config_path}--launcher"
    logs.create_log_stream(logGroupName=group, logStreamName=TRIGGER_ID)
    published = int(time.time()) - 400
    for waited in (59, 61, 90, 361):
        message = json.dumps({**line, "WaitSeconds": waited})
        event = {"timestamp": (published + waited) * 1000, "message": message}
        logs.put_log_events(logGroupName=group, logStreamName=TRIGGER_ID, logEvents=[event])
    assert news_of(host, TRIGGER_ID, "/early")["state"] == "waiting"
    _, after = deploy(pipeline, "true")  # whose news go behind them
    assert states(host, after, "success")[-1] == "success"
    assert [news["state"] for news in host.by("/early") if news["trigger"] == TRIGGER_ID] == ["waiting"]
    assert states(host, commit, "success") == ["running", "success"], "and nothing came late"


def test_who_is_refused_learns_it_and_a_flood_of_refusals_costs_a_few_messages(
    pipeline: PipelineUnderTest, host: Host
) -> None:
    trigger = pipeline.stack.trigger(PROJECT, "elsewhere")
    news = news_of(host, trigger)
    assert (news["state"], news["class"]) == ("refused", "branch_not_allowed")
    assert "does not allow branch elsewhere" in news["reason"]
    before = len(host.by("/webhook"))
    ci, stack = pipeline.stack.ci, pipeline.stack
    sns = stack.emulator.client("sns", ci.access_key, ci.secret_key)
    message = json.dumps({"project": PROJECT, "branch": "elsewhere"})
    for _ in range(REFUSALS // IN_A_CALL):
        entries = [{"Id": str(number), "Message": message} for number in range(IN_A_CALL)]
        sns.publish_batch(TopicArn=stack.pipeline.topic(PROJECT), PublishBatchRequestEntries=entries)
    last = stack.trigger(PROJECT, "elsewhere")
    stack.launcher_verdict(last)
    deployed, _ = deploy(pipeline, "true")  # which goes behind them
    assert news_of(host, deployed)["state"] == "succeeded"
    # One in five minutes of the clock, whose border may have passed meanwhile.
    assert len(host.by("/webhook")) - before - 1 <= 1 + 1


def test_a_host_that_is_not_well_is_asked_again_and_nothing_else_waits_for_it(
    pipeline: PipelineUnderTest, host: Host
) -> None:
    host.answers.extend([(503, {"Retry-After": "1"})] * 2)
    trigger, _ = deploy(pipeline, "true")
    assert news_of(host, trigger)["state"] == "succeeded"
    waited = [line for line in courier_lines(pipeline) if line["trigger"] == trigger and line["result"] == "waits"]
    assert len(waited) >= 1 and all("503" in line["reason"] for line in waited)


def test_what_no_try_can_bring_is_laid_aside_with_its_reason(pipeline: PipelineUnderTest, host: Host) -> None:
    """The entry does not let this target have a private address; and a redirect is followed by nobody."""
    trigger, _ = deploy(pipeline, "true")

    def said() -> str | None:
        mine = [line for line in courier_lines(pipeline) if line["trigger"] == trigger and line["target"] == "discord"]
        return mine[0]["reason"] if mine else None

    assert "which is not asked" in wait_for("the courier's word", said, TOLD_SECONDS)
    assert host.by("/discord") == []

    news_of(host, trigger)
    # Twice, for that it runs is told first, and the Git host's refusal of that is let go.
    host.answers.extend([(302, {"Location": "http://169.254.169.254/latest/meta-data/"})] * 2)
    store(pipeline, "discord", {"url": "https://localhost:1/nobody"})
    redirected, _ = deploy(pipeline, "true")

    def aside() -> list[dict[str, Any]] | None:
        mine = [line for line in courier_lines(pipeline) if line["trigger"] == redirected]
        return [line for line in mine if line["result"] == "failed" and "302" in line["reason"]] or None

    wait_for("the redirect's end", aside, TOLD_SECONDS + RETRY_SECONDS)
    sqs = pipeline.stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{pipeline.config_path}--deliveries-dead.fifo")["QueueUrl"]
    dead = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)["Messages"]
    assert any(redirected in message["Body"] for message in dead)


def test_no_secret_of_a_target_is_in_a_line(pipeline: PipelineUnderTest, host: Host) -> None:
    assert host.told, "there is something to look at"
    assert CANARY not in json.dumps(courier_lines(pipeline))
