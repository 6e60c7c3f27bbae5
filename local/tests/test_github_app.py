"""Tokens of a GitHub App in the place of stored credentials: each made for one repository, used, and revoked."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from github_host import FILES, GitHub
from pipeline_under_test import CANARY, OF_APP, PipelineUnderTest, Result
from sessions import Client, of_role

from iwomp_boundary.attempts import DENIED, safe, tried
from iwomp_boundary.snapshot import Snapshot
from iwomp_local.waiting import wait_for

TOLD_SECONDS = 60.0
STATUSES = {"deployments": "write", "metadata": "read", "statuses": "write"}


@pytest.fixture
def github(pipeline: PipelineUnderTest) -> Iterator[GitHub]:
    """The stand-in, as if it was asked nothing yet."""
    del pipeline.github.made[:], pipeline.github.asked[:]
    yield pipeline.github


def deploy(pipeline: PipelineUnderTest, project: str, script: str) -> tuple[Result, str]:
    commit = pipeline.repository(project).commit("next", {"deploy.sh": f"#!/bin/sh\n{script}\n"})
    return pipeline.deploy(project), commit


def broker_log(pipeline: PipelineUnderTest) -> str:
    group = f"/aws/lambda/{pipeline.config_path}--broker"
    pages = pipeline.stack.emulator.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return "\n".join(event["message"] for page in pages for event in page["events"])


def test_a_build_fetches_with_a_token_of_its_own_which_is_gone_before_the_command_runs(
    pipeline: PipelineUnderTest, github: GitHub
) -> None:
    result, _ = deploy(pipeline, "app", "echo 'command: runs'")
    assert result.status == "SUCCEEDED", result.log
    token, repository, rights = github.made[0]
    assert (repository, rights) == (OF_APP["app"], FILES)
    lines = result.log.splitlines()
    revoked = next(place for place, line in enumerate(lines) if "the token of the GitHub App is revoked" in line)
    assert revoked < lines.index("command: runs"), result.log
    fetched = [one for one in pipeline.git.requests if one.path.startswith(f"/{repository}.git/")]
    assert {one.status for one in fetched[-4:]} == {200}, fetched
    assert token not in github.tokens and token not in result.log
    # Nothing of it is stored, and nothing is logged.
    stored = pipeline.stack.emulator.client("ssm").get_parameters(Names=[f"/{pipeline.config_path}-credentials/app"])
    assert stored["Parameters"] == []
    said = broker_log(pipeline)
    assert '"event":"token"' in said and CANARY not in said and "eyJ" not in said, said


def test_the_courier_tells_of_it_with_a_token_that_may_do_that_alone(
    pipeline: PipelineUnderTest, github: GitHub
) -> None:
    _, commit = deploy(pipeline, "app", "true")
    (status,) = wait_for("the commit's status", lambda: github.statuses(commit) or None, TOLD_SECONDS)
    assert (status["state"], status["context"]) == ("success", "iwomp/app")
    wait_for("the end of all tokens", lambda: True if not github.tokens else None, TOLD_SECONDS)
    # The news of the build before may have been on their way.
    assert {repository for _, repository, _ in github.made} == {OF_APP["app"]}
    assert [rights for _, _, rights in github.made if rights != FILES][-1] == STATUSES
    (deployed,) = {(one.path, one.status) for one in github.asked if one.path.endswith("/deployments")}
    assert deployed == (f"/repos/{OF_APP['app']}/deployments", 201)


def test_a_command_that_is_lent_it_has_it_until_it_ends(pipeline: PipelineUnderTest, github: GitHub) -> None:
    url = pipeline.git_url("lent")
    result, commit = deploy(
        pipeline,
        "lent",
        f'echo "command: $(git ls-remote {url} refs/heads/main)"; git credential fill <<E\nurl={url}\nE',
    )
    assert result.status == "SUCCEEDED", result.log
    assert f"command: {commit}\trefs/heads/main" in result.log, "the token holds"
    assert "password=***" in result.log and CANARY not in result.log
    assert github.made[0][0] not in github.tokens, "and is revoked after it"


def test_a_build_has_the_tokens_of_its_own_repository_and_of_no_other(
    pipeline: PipelineUnderTest, github: GitHub, applied: Snapshot
) -> None:
    function = f"{pipeline.config_path}--broker"
    role = of_role(pipeline.stack.emulator, applied.projects["app"].role)

    def ask(qualifier: str, payload: bytes = b"{}", client: Client = role) -> str:
        more = {"Qualifier": qualifier} if qualifier else {}
        result = tried(safe("ask", "lambda", "invoke", FunctionName=function, Payload=payload, **more), client)
        return "denied" if result.said in DENIED else result.said

    for other in ("fetch-lent", "notify-app", "notify-lent", "$LATEST", ""):
        assert ask(other) == "denied", other
    answer = role("lambda").invoke(FunctionName=function, Qualifier="fetch-app", Payload=b"{}")
    token = json.loads(answer["Payload"].read())["token"]
    assert github.tokens[token] == (OF_APP["app"], FILES)
    # It can be given back, and nothing comes of that.
    revocation = json.dumps({"revoke": token}).encode()
    answer = role("lambda").invoke(FunctionName=function, Qualifier="fetch-app", Payload=revocation)
    assert (answer["Payload"].read(), token in github.tokens) == (b"null", False)
    # A project that does not use the App has no way in, the courier only its own, and nobody but the broker the key.
    assert ask("fetch-app", client=of_role(pipeline.stack.emulator, applied.projects["token"].role)) == "denied"
    courier = of_role(pipeline.stack.emulator, applied.courier)
    assert ask("fetch-app", client=courier) == "denied" and ask("notify-app", client=courier) != "denied"
    assert applied.broker is not None
    signed = {
        "KeyId": applied.broker.key,
        "Message": b"x",
        "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
        "MessageType": "RAW",
    }
    root = pipeline.stack.emulator.client("lambda")
    for client in (role, courier):
        assert tried(safe("sign", "kms", "sign", **signed), client).held
    # Whoever may call by no alias gets nothing by it, an administrator included.
    for qualifier in ({}, {"Qualifier": "$LATEST"}):
        answer = root.invoke(FunctionName=function, Payload=b"{}", **qualifier)
        assert answer["FunctionError"] and b"by the alias" in answer["Payload"].read()


def test_where_the_app_is_not_installed_the_build_says_what_to_do(pipeline: PipelineUnderTest, github: GitHub) -> None:
    github.repositories.discard(OF_APP["lent"])
    try:
        result, _ = deploy(pipeline, "lent", "echo 'command: runs'")
    finally:
        github.repositories.add(OF_APP["lent"])
    assert result.status == "FAILED" and "command: runs" not in result.log
    assert "the App is not installed there" in result.outcome["reason"], result.outcome
