"""`iwomp doctor` on the shared stack: what is broken there by hand, it finds, and what was mended is good again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pipeline_under_test import BEARER, CANARY, TOKEN, Iwomp, PipelineUnderTest

from iwomp_local.waiting import wait_for

PROJECT = "public"
SECONDS = 300.0  # on a busy machine


def found(iwomp: Iwomp, grade: str = "problem") -> dict[str, str]:
    """What the doctor saw of the project and the pipeline, by what it looked at."""
    said = iwomp("doctor", PROJECT, "--json")
    assert said.out, said.err
    return {finding["check"]: finding["saw"] for finding in said.json["findings"] if finding["grade"] == grade}


@contextmanager
def deaf_queue(pipeline: PipelineUnderTest) -> Iterator[None]:
    functions = pipeline.stack.emulator.client("lambda")
    name = f"{pipeline.config_path}--launcher"
    (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


@contextmanager
def stopped_notifier(pipeline: PipelineUnderTest) -> Iterator[None]:
    functions = pipeline.stack.emulator.client("lambda")
    name = f"{pipeline.config_path}--notifier"
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=name)


@contextmanager
def filtered_topic(pipeline: PipelineUnderTest) -> Iterator[None]:
    sns, topic = pipeline.stack.emulator.client("sns"), pipeline.stack.pipeline.outputs["topic_arn"]
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]

    def filtered(policy: str) -> None:
        arn = subscription["SubscriptionArn"]
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=policy)

    filtered('{"branch": ["main"]}')
    try:
        yield
    finally:
        filtered("{}")


@contextmanager
def silent_rule(pipeline: PipelineUnderTest) -> Iterator[None]:
    events = pipeline.stack.emulator.client("events")
    name = events.list_rules(NamePrefix=f"{pipeline.config_path}--")["Rules"][0]["Name"]
    events.disable_rule(Name=name)
    try:
        yield
    finally:
        events.enable_rule(Name=name)


@contextmanager
def disabled_key(pipeline: PipelineUnderTest) -> Iterator[None]:
    kms = pipeline.stack.emulator.client("kms")
    key = kms.describe_key(KeyId=f"alias/{pipeline.config_path}")["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)
    try:
        yield
    finally:
        kms.enable_key(KeyId=key)


@pytest.mark.parametrize(
    ("broken", "check", "told"),
    [
        (deaf_queue, "mapping", "the mapping is Disabl"),
        (stopped_notifier, "notifier", "is throttled to nothing"),
        (filtered_topic, "topic", "the queue's subscription has a filter"),
        (silent_rule, "events", "is disabled: the notifier is not told"),
        (disabled_key, "key", "is Disabled, and opens nothing"),
    ],
)
def test_what_somebody_has_switched_off_is_found_and_good_again_when_it_is_back(
    pipeline: PipelineUnderTest, iwomp: Iwomp, broken: Any, check: str, told: str
) -> None:
    before = found(iwomp)
    assert check not in before
    context: AbstractContextManager[None] = broken(pipeline)
    with context:
        assert told in found(iwomp)[check]
    wait_for(f"{check} to be good again", lambda: found(iwomp) == before or None, SECONDS)


def test_a_project_that_works_has_no_problem_but_what_this_machine_has_not(iwomp: Iwomp) -> None:
    # No image is in the local ECR: builds are the stand-in's. Service Quotas is not part of the local AWS.
    assert set(found(iwomp)) == {"image"}
    assert set(found(iwomp, "unknown")) == {"builds at once"}
    good = found(iwomp, "good")
    assert good["build project"] == "it is there, for one deployment at a time"
    assert good["role"] == "the role of its builds is there"
    assert good["launcher"] == "it is not throttled"
    assert good["topic"] == "what is published there gets into the queue"


def test_what_wants_attention_is_told_for_people_with_what_to_do(iwomp: Iwomp) -> None:
    assert iwomp("pause", PROJECT, "--yes", "--reason", "we repair").status == 0
    try:
        said = iwomp("doctor", PROJECT)
    finally:
        assert iwomp("resume", PROJECT, "--yes").status == 0
    assert said.status == 1
    assert f"warning  {PROJECT} paused: its triggers wait: " in said.out
    assert " ago, we repair\n" in said.out
    assert f"  to do: iwomp resume {PROJECT}\n" in said.out


def test_the_form_the_size_and_the_age_of_a_secret_are_told_and_never_its_value(iwomp: Iwomp) -> None:
    said = iwomp("secret", "check", "token", "--json")
    assert said.status == 0, said
    check = said.json
    assert (check["kept"], check["unread"], check["faults"]) == ("own_key", None, [])
    assert check["content"] == {"bytes": len(json.dumps({"authToken": TOKEN})), "form": "token"}
    assert check["since"].startswith("20")
    assert CANARY not in said.out + said.err
    assert iwomp("secret", "check", "token").status == 0
    absent = iwomp("secret", "check", PROJECT)
    assert absent.status == 5
    assert "has no stored Git credentials" in absent.err


def test_a_build_asks_the_git_host_and_deploys_nothing(
    pipeline: PipelineUnderTest, iwomp: Iwomp, tmp_path: Path
) -> None:
    before = iwomp("history", "bearer", "--json").json["records"]
    asked = iwomp("secret", "check", "bearer", "--in-build", "--json")
    assert asked.status == 0, asked
    answer = asked.json["in_build"]
    assert answer["reason"] == "the Git host takes the project's credentials; nothing was fetched or run"
    assert "command: " not in iwomp("logs", "bearer", "--build", answer["build"]).out
    file = tmp_path / "token"
    file.write_text(f"{CANARY}-expired\n")
    assert iwomp("secret", "set", "bearer", "--file", str(file), "--yes").status == 0
    try:
        refused = iwomp("doctor", "bearer", "--in-build", "--json")
    finally:
        file.write_text(BEARER)
        assert iwomp("secret", "set", "bearer", "--file", str(file), "--yes").status == 0
    assert refused.status == 1, refused
    (host,) = [finding for finding in refused.json["findings"] if finding["check"] == "in-build git host"]
    assert (host["grade"], host["project"]) == ("problem", "bearer")
    assert "asking https://" in host["saw"]
    assert "the server refused the project's credentials" in host["saw"]
    assert host["to_do"].startswith("see whether the token")
    grades = {finding["check"]: finding["grade"] for finding in refused.json["findings"]}
    good = ("git", "certificates", "role", "register", "temporary directory")
    assert {grades[f"in-build {check}"] for check in good} == {"good"}
    assert CANARY not in refused.out + refused.err
    assert iwomp("history", "bearer", "--json").json["records"] == before
    last = iwomp("status", "bearer", "--json").json["projects"][0]["last"]
    assert last is None or last["build"] != answer["build"]


def test_credentials_that_a_host_does_not_ask_for_are_not_said_to_be_taken(
    iwomp: Iwomp, pipeline: PipelineUnderTest
) -> None:
    assert iwomp("secret", "set", "own", "--yes", given=f"{CANARY}-never-asked\n").status == 0
    try:
        asked = iwomp("secret", "check", "own", "--in-build", "--json")
    finally:
        ssm = pipeline.stack.emulator.client("ssm")
        ssm.delete_parameter(Name=f"/{pipeline.config_path}-credentials/own")
    assert asked.status == 0, asked
    assert "the Git host asks for no credentials, so that the project's were not tried" in asked.out
    assert CANARY not in asked.out + asked.err


def asked(iwomp: Iwomp, *arguments: str) -> list[dict[str, Any]]:
    """What came of what was tried, beside all that was looked at."""
    said = iwomp("doctor", *arguments, "--json")
    assert said.out, said.err
    return [found for found in said.json["findings"] if found["check"] == "trigger" or is_of_a_build(found)]


def is_of_a_build(found: dict[str, Any]) -> bool:
    check: str = found["check"]
    return check == "build" or check.startswith("in-build ")


def test_a_trigger_of_no_branch_gets_as_far_as_the_register_and_starts_nothing(
    pipeline: PipelineUnderTest, iwomp: Iwomp
) -> None:
    builds = pipeline.stack.pipeline.builds(PROJECT)
    assert iwomp("pause", PROJECT, "--yes", "--reason", "we repair").status == 0
    try:
        (trigger,) = asked(iwomp, PROJECT, "--publish")
    finally:
        assert iwomp("resume", PROJECT, "--yes").status == 0
    assert (trigger["grade"], trigger["project"], trigger["to_do"]) == ("good", PROJECT, None)
    assert "which goes by the register" in trigger["saw"]
    refused = iwomp("status", PROJECT, "--json").json["projects"][0]["refused"]
    assert refused[-1]["branch"] == "iwomp-doctor-only-asks", refused
    assert pipeline.stack.pipeline.builds(PROJECT) == builds


def test_without_a_project_a_trigger_is_published_for_one_and_one_of_each_image_is_asked(
    pipeline: PipelineUnderTest, iwomp: Iwomp
) -> None:
    projects = pipeline.stack.pipeline.outputs["projects"]
    codebuild = pipeline.stack.emulator.client("codebuild")
    names = {project["build_project"]: name for name, project in projects.items()}
    described = codebuild.batch_get_projects(names=list(names))["projects"]
    images = {names[project["name"]]: project["environment"]["image"] for project in described}
    found = asked(iwomp, "--publish", "--in-build")
    (trigger,) = [each for each in found if each["check"] == "trigger"]
    assert trigger["grade"] == "good", trigger
    of = {each["project"] for each in found if is_of_a_build(each)}
    assert len(of) == len(set(images.values())) > 1
    assert {images[name] for name in of} == set(images.values())
    for name in of:
        assert {each["check"] for each in found if each["project"] == name} >= {"in-build git", "in-build register"}
