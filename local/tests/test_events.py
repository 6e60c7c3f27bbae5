"""What the local AWS delivers by itself, as far as the pipeline relies on it: events, schedules, a queue's delays."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from test_codebuild import policy, project, role, spec

from iwomp_local.emulator import ACCOUNT, REGION, Emulator
from iwomp_local.waiting import wait_for

WAIT_SECONDS = 120.0
HANDLER = """
import json, os
def handler(event, context):
    with open(os.environ["SEEN"], "a") as file:
        file.write(json.dumps(event) + "\\n")
"""


@dataclass
class Function:
    """A Lambda function that writes down what it gets."""

    arn: str
    seen_file: Path

    def seen(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.seen_file.read_text().splitlines()] if self.seen_file.exists() else []

    def first(self, what: str) -> dict[str, Any]:
        return wait_for(what, lambda: next(iter(self.seen()), None), WAIT_SECONDS)


@pytest.fixture
def function(emulator: Emulator, tmp_path: Path) -> Function:
    code, name, seen = io.BytesIO(), f"function-{uuid.uuid4().hex[:8]}", tmp_path / "seen"
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", HANDLER)
    made = emulator.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="index.handler",
        Role=role(emulator, service="lambda.amazonaws.com"),
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"SEEN": str(seen)}},
    )
    return Function(made["FunctionArn"], seen)


def soon() -> str:
    return f"at({(datetime.now(UTC) + timedelta(seconds=2)).strftime('%Y-%m-%dT%H:%M:%S')})"


def schedule(emulator: Emulator, target: str, what: dict[str, Any], expression: str) -> None:
    scheduler, group = emulator.client("scheduler"), f"group-{uuid.uuid4().hex[:8]}"
    scheduler.create_schedule_group(Name=group)
    scheduler.create_schedule(
        GroupName=group,
        Name="it",
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": target,
            "RoleArn": role(emulator, service="scheduler.amazonaws.com"),
            "Input": json.dumps(what),
        },
    )


def queue(emulator: Emulator, **attributes: str) -> tuple[str, str]:
    name = f"queue-{uuid.uuid4().hex[:8]}"
    url = str(emulator.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def test_the_end_of_a_build_reaches_the_function_that_a_rule_names_and_its_begin_does_not(
    emulator: Emulator, function: Function
) -> None:
    made, events = project(emulator, spec("exit 3")), emulator.client("events")
    rule = f"rule-{uuid.uuid4().hex[:8]}"
    pattern = {
        "source": ["aws.codebuild"],
        "detail-type": ["CodeBuild Build State Change"],
        "detail": {
            "build-status": ["SUCCEEDED", "FAILED", "STOPPED", "FAULT", "TIMED_OUT"],
            "project-name": [{"prefix": made.name}],
        },
    }
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "function", "Arn": function.arn}])
    build = made.start()
    event = function.first("the event")
    assert event["source"] == "aws.codebuild"
    assert event["detail"]["build-status"] == "FAILED"
    assert event["detail"]["project-name"] == made.name
    assert event["detail"]["build-id"] == build["arn"]
    events.disable_rule(Name=rule)
    made.finished(made.start()["id"])
    time.sleep(1)  # an event would be there long since
    assert len(function.seen()) == 1


def test_a_schedule_invokes_a_function_with_its_input(emulator: Emulator, function: Function) -> None:
    schedule(emulator, function.arn, {"sweep": True}, soon())
    assert function.first("the schedule") == {"sweep": True}


def test_a_schedule_publishes_its_input_as_a_message_like_any_other(emulator: Emulator) -> None:
    url, queue_arn = queue(emulator)
    sqs, sns = emulator.client("sqs"), emulator.client("sns")
    topic = sns.create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy(allowed))})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    schedule(emulator, topic, {"project": "demo", "branch": "main"}, soon())

    def look() -> dict[str, Any] | None:
        got = sqs.receive_message(QueueUrl=url).get("Messages")
        return json.loads(got[0]["Body"]) if got else None

    envelope = wait_for("the message", look, WAIT_SECONDS)
    assert json.loads(envelope["Message"]) == {"project": "demo", "branch": "main"}
    assert envelope["TopicArn"] == topic
    assert envelope["MessageId"]


def session(emulator: Emulator, *statements: dict[str, Any]) -> boto3.session.Session:
    """A session of a role with these rights, as a function has one."""
    iam, name = emulator.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy(trust)))["Role"]["Arn"]
    rights = policy(*({"Effect": "Allow", **statement} for statement in statements))
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(rights))
    keys = emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="function")["Credentials"]
    return boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=REGION)


def test_a_log_is_filtered_in_pages_and_none_of_its_events_is_missing(emulator: Emulator) -> None:
    logs, group = emulator.client("logs"), f"/log-{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=group)
    begin = int(time.time() * 1000)
    for stream in ("one", "two"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        for start in range(0, 6000, 1000):
            # Hundreds of a kind at the same time.
            events = [
                {"timestamp": begin + number // 500, "message": f"{stream} {number}"}
                for number in range(start, start + 1000)
            ]
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    for limit in ({}, {"PaginationConfig": {"PageSize": 700}}):
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **limit)
        said = [event["message"] for page in pages for event in page["events"]]
        assert (len(said), len(set(said))) == (12000, 12000)
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=begin + 11)
    assert sum(len(page["events"]) for page in pages) == 1000


def test_a_log_of_json_is_filtered_by_what_stands_in_it(emulator: Emulator) -> None:
    logs, group = emulator.client("logs"), f"/log-{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    lines = [{"trigger": "t-1", "outcome": "busy"}, {"trigger": "t-1", "outcome": "started"}, {"trigger": "t-2"}]
    messages = [*(json.dumps(line) for line in lines), "no JSON", "[" * 3000]
    events = [{"timestamp": int(time.time() * 1000), "message": message} for message in messages]
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=events)
    for pattern, expected in (
        ('{ $.trigger = "t-1" }', lines[:2]),
        ('{ ($.trigger = "t-1") && ($.outcome != "busy") }', lines[1:2]),
        ('{ $.outcome = "*" }', lines[:2]),
        ('{ $.trigger = "t-3" }', []),
    ):
        found = logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"]
        assert [json.loads(event["message"]) for event in found] == expected, pattern
    with pytest.raises(ClientError, match="does not understand"):
        logs.filter_log_events(logGroupName=group, filterPattern="{ $.size > 1 }")


def denied(error: pytest.ExceptionInfo[ClientError]) -> bool:
    return str(error.value.response["Error"]["Code"]).startswith("AccessDenied")


def test_a_role_delays_the_messages_of_its_own_queue_only_and_one_by_one(emulator: Emulator) -> None:
    (mine, mine_arn), (other, _) = queue(emulator, VisibilityTimeout="60"), queue(emulator)
    root = emulator.client("sqs")
    for body in ("soon", "late"):
        root.send_message(QueueUrl=mine, MessageBody=body)
    got = root.receive_message(QueueUrl=mine, MaxNumberOfMessages=10)["Messages"]
    handles = {message["Body"]: message["ReceiptHandle"] for message in got}
    right = {"Action": "sqs:ChangeMessageVisibility", "Resource": mine_arn}
    sqs = session(emulator, right).client("sqs", endpoint_url=emulator.url)
    delays = {"soon": 1, "late": 600}
    answer = sqs.change_message_visibility_batch(
        QueueUrl=mine,
        Entries=[
            *({"Id": body, "ReceiptHandle": handles[body], "VisibilityTimeout": delays[body]} for body in delays),
            {"Id": "gone", "ReceiptHandle": "x", "VisibilityTimeout": 1},
        ],
    )
    assert {entry["Id"] for entry in answer["Successful"]} == {"soon", "late"}
    assert [entry["Id"] for entry in answer["Failed"]] == ["gone"]
    with pytest.raises(ClientError) as error:
        sqs.change_message_visibility_batch(
            QueueUrl=other, Entries=[{"Id": "a", "ReceiptHandle": "x", "VisibilityTimeout": 1}]
        )
    assert denied(error)
    back = wait_for("the message", lambda: root.receive_message(QueueUrl=mine).get("Messages"), WAIT_SECONDS)
    assert [message["Body"] for message in back] == ["soon"]


def test_a_role_sends_to_the_queue_that_it_may_send_to_and_to_no_other(emulator: Emulator) -> None:
    (dead, dead_arn), (other, _) = queue(emulator), queue(emulator)
    right = {"Action": "sqs:SendMessage", "Resource": dead_arn}
    sqs = session(emulator, right).client("sqs", endpoint_url=emulator.url)
    sqs.send_message(QueueUrl=dead, MessageBody="as it was")
    sqs.send_message_batch(QueueUrl=dead, Entries=[{"Id": "a", "MessageBody": "as it was"}])
    message, _ = emulator.client("sqs").receive_message(QueueUrl=dead, MaxNumberOfMessages=10)["Messages"]
    assert message["Body"] == "as it was"
    with pytest.raises(ClientError) as error:
        sqs.send_message(QueueUrl=other, MessageBody="x")
    assert denied(error)
