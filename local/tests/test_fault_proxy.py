"""The proxy that breaks calls on purpose: each fault does what its name says, and everything is counted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from test_codebuild import Project, project, role, spec
from test_events import queue

from iwomp_local.emulator import REGION, ROOT_KEY, Emulator, Lifetime
from iwomp_local.faults import call as calls
from iwomp_local.faults.plan import NOTHING, Dice, Fault, Plan, Rule, all_over
from iwomp_local.faults.proxy import Proxy
from iwomp_local.waiting import wait_for

WAIT_SECONDS = 120.0
PATIENT_SECONDS = 120
GIVES_UP_SECONDS = 1
TOO_LATE_SECONDS = 7.0  # long after that, also where both clocks are looked at rarely


@pytest.fixture(scope="module")
def proxy(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with Proxy(tmp_path_factory.mktemp("proxy")) as running:
        running.aim(emulator.url)
        yield running


@pytest.fixture
def made(emulator: Emulator) -> Project:
    return project(emulator, spec("true"))


def client(
    proxy: Proxy, service: str, keys: tuple[str, str] = (ROOT_KEY, ROOT_KEY), waits_seconds: int = PATIENT_SECONDS
) -> Any:
    """A client that tries once."""
    config = Config(proxies={}, read_timeout=waits_seconds, retries={"total_max_attempts": 1})
    session = boto3.session.Session(*keys, region_name=REGION)
    return session.client(service, endpoint_url=proxy.url, config=config)


def with_fault(proxy: Proxy, emulator: Emulator, fault: Fault, **seconds: float) -> None:
    proxy.aim(emulator.url, Plan((Rule("codebuild", "StartBuild", fault, 1.0),), **seconds))  # type: ignore[arg-type]


def builds(made: Project) -> int:
    return len(made.api.list_builds_for_project(projectName=made.name)["ids"])


def start(proxy: Proxy, made: Project, waits_seconds: int = PATIENT_SECONDS) -> str:
    """The code of the error with which a StartBuild ends, or `nothing` if no answer came."""
    try:
        client(proxy, "codebuild", waits_seconds=waits_seconds).start_build(projectName=made.name)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    except BotoCoreError:
        return "nothing"
    return "answer"


@pytest.mark.parametrize(
    ("fault", "said", "effect"),
    [
        (Fault.DROPPED, "nothing", 0),
        (Fault.LOST, "nothing", 1),
        (Fault.BROKEN, "InternalServerError", 0),
        (Fault.BROKEN_AFTER, "InternalServerError", 1),
        (Fault.THROTTLED, "ThrottlingException", 0),
        (Fault.LIMIT, "AccountLimitExceededException", 0),
        (Fault.SLOW, "nothing", 1),
    ],
)
def test_each_fault_has_its_answer_and_its_effect(
    emulator: Emulator, proxy: Proxy, made: Project, fault: Fault, said: str, effect: int
) -> None:
    before = proxy.injected()[fault.value]
    with_fault(proxy, emulator, fault, slow_seconds=TOO_LATE_SECONDS)
    assert start(proxy, made, GIVES_UP_SECONDS if fault is Fault.SLOW else PATIENT_SECONDS) == said
    assert builds(made) == effect
    wait_for("the count", lambda: True if proxy.injected()[fault.value] == before + 1 else None, WAIT_SECONDS)


def test_a_late_call_takes_effect_when_its_caller_has_given_up(emulator: Emulator, proxy: Proxy, made: Project) -> None:
    with_fault(proxy, emulator, Fault.LATE, late_seconds=TOO_LATE_SECONDS)
    assert start(proxy, made, GIVES_UP_SECONDS) == "nothing"
    assert builds(made) == 0
    wait_for("the build", lambda: builds(made) or None, WAIT_SECONDS)


def test_what_meets_no_fault_passes_as_it_was_and_iam_still_judges_it(emulator: Emulator, proxy: Proxy) -> None:
    with_fault(proxy, emulator, Fault.DROPPED)
    name, iam = f"user-{uuid.uuid4().hex[:8]}", emulator.client("iam")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = (key["AccessKeyId"], key["SecretAccessKey"])
    assert client(proxy, "sts", keys).get_caller_identity()["Arn"].endswith(f":user/{name}")
    with pytest.raises(ClientError, match="not authorized"):
        client(proxy, "ssm", keys).get_parameter(Name="/x")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(proxy, "sts", (keys[0], "wrong")).get_caller_identity()


def test_a_killed_proxy_comes_back_at_the_same_address_with_its_aim_and_its_count(
    emulator: Emulator, proxy: Proxy, made: Project
) -> None:
    with_fault(proxy, emulator, Fault.THROTTLED)
    assert start(proxy, made) == "ThrottlingException"
    counted = sum(1 for _ in proxy.requests())
    proxy.kill()
    assert start(proxy, made) == "nothing"
    proxy.start()
    assert start(proxy, made) == "ThrottlingException"
    wait_for("the count", lambda: True if sum(1 for _ in proxy.requests()) == counted + 1 else None, WAIT_SECONDS)
    assert builds(made) == 0


def test_functions_and_builds_go_through_the_proxy_and_codebuild_itself_does_not(tmp_path: Path) -> None:
    with Proxy(tmp_path / "proxy") as own:
        more = {"AWS_ENDPOINT_URL": own.url}
        with Emulator.start(tmp_path / "aws", [], Lifetime.WITH_STARTER, more) as disturbed:
            own.aim(disturbed.url)
            made = project(disturbed, spec("echo calls $AWS_ENDPOINT_URL"), role(disturbed, "logs:*"))
            _, log = made.run()
            assert f"calls {own.url}\n" in log
            assert list(own.requests()) == []


def test_a_query_call_is_known_by_its_form() -> None:
    scope = {"Authorization": "AWS4-HMAC-SHA256 Credential=ABC/20261123/eu-central-1/sns/aws4_request, Signature=x"}
    call = calls.read("POST", "/", scope, b"Action=Publish&Message=x")
    assert (call.service, call.operation, call.is_json) == ("sns", "Publish", False)
    assert b"<Code>Throttling</Code>" in calls.throttled(call).body


def test_the_same_seed_gives_the_same_faults_and_a_plan_survives_its_text() -> None:
    plan = all_over(seed=7, share=0.1)
    assert Plan.of_text(plan.to_text()) == plan
    one, two, dice = Dice(plan), Dice(plan), Dice(plan)
    assert [one.throw("ssm", "x") for _ in range(200)] == [two.throw("ssm", "x") for _ in range(200)]
    thrown = [dice.throw("codebuild", "StartBuild") for _ in range(2000)]
    assert set(thrown) == {None, *Fault}
    assert all(Dice(NOTHING).throw("ssm", "GetParameter") is None for _ in range(10))


def test_a_disturbed_delivery_comes_twice_and_late_and_others_overtake_it(tmp_path: Path) -> None:
    faults = {"seed": 3, "twice": 0.3, "late": 0.3, "seconds": 1.0}
    more = {"IWOMP_DELIVERY_FAULTS": json.dumps(faults)}
    with Emulator.start(tmp_path, [], Lifetime.WITH_STARTER, more) as disturbed:
        sns, sqs = disturbed.client("sns"), disturbed.client("sqs")
        url, arn = queue(disturbed)
        topic = sns.create_topic(Name="topic")["TopicArn"]
        everybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        document = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        sent = [sns.publish(TopicArn=topic, Message=str(number))["MessageId"] for number in range(60)]
        got: list[str] = []

        def receive() -> bool | None:
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            got.extend(json.loads(message["Body"])["MessageId"] for message in messages)
            return True if set(got) == set(sent) and len(got) > len(sent) else None

        wait_for("all of them, and some twice", receive, WAIT_SECONDS)
        assert list(dict.fromkeys(got)) != sent
