"""The trust boundary of the shared stack: what its policies allow over all actions, and what the CI's key gets."""

from __future__ import annotations

import functools
import io
import json
import multiprocessing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pipeline_under_test import PipelineUnderTest
from place import changed
from weakened import fewer, weakenings
from weakened_pipelines import PIPELINES
from weakened_statements import STATEMENTS

from iwomp_boundary import command
from iwomp_boundary.attempts import Result, attempts, safe, tried
from iwomp_boundary.catalogue import catalogue
from iwomp_boundary.identities import Identity
from iwomp_boundary.pipeline import NotVerified, Pipeline
from iwomp_boundary.proof import Finding, Focus, Verdict, first_finding, prove
from iwomp_boundary.report import Report, show_proof, show_results
from iwomp_boundary.snapshot import Snapshot
from iwomp_local import standing
from iwomp_local.emulator import ACCOUNT
from iwomp_local.places import REPOSITORY

# How and where a policy was weakened, and what the proof says to it.
Weakened = list[tuple[str, str, Finding | None]]

ALL_ACTIONS = 15_000
LEAST_WEAKENED = 50
PROJECTS_WEAKENED = 2  # one to weaken, one that it must not reach


@pytest.fixture(scope="module")
def found(pipeline: PipelineUnderTest) -> Pipeline:
    return Pipeline.find(pipeline.stack.emulator.client, pipeline.config_path)


@pytest.fixture(scope="module")
def snapshot(applied: Snapshot) -> Snapshot:
    return applied


@pytest.fixture(scope="module")
def under_way(snapshot: Snapshot) -> Iterator[tuple[Future[list[Verdict]], Future[Weakened]]]:
    """What wants nothing but a processor, in processes of its own, while tests here wait for AWS."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        yield processes.submit(prove, snapshot), processes.submit(weaken, snapshot)


@pytest.fixture(scope="module")
def verdicts(under_way: tuple[Future[list[Verdict]], Future[Weakened]]) -> list[Verdict]:
    return under_way[0].result()


@pytest.fixture(scope="module")
def weakened(under_way: tuple[Future[list[Verdict]], Future[Weakened]]) -> Weakened:
    return under_way[1].result()


def weaken(snapshot: Snapshot) -> Weakened:
    few = fewer(snapshot, PROJECTS_WEAKENED)
    every = ((each, first_finding(each.snapshot, each.focus)) for each in weakenings(few))
    return [(weakening.how, weakening.where, finding) for weakening, finding in every]


def of_kind(verdicts: list[Verdict], kind: str) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.subject.endswith(f"({kind})")]


@pytest.mark.usefixtures("under_way")
def test_the_command_proves_tries_and_ends_with_a_verdict(
    pipeline: PipelineUnderTest, snapshot: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = pipeline.stack
    standing.tell_where(stack, tmp_path)
    (tmp_path / "ci.json").write_text(json.dumps(vars(stack.ci)))
    builds = {name: stack.pipeline.builds(name) for name in ("public", "monorepo")}
    assert command.main(["--local", str(tmp_path), "--config-path", pipeline.config_path]) == 0
    said = capsys.readouterr().out
    assert f"{len(catalogue().actions):,} actions of AWS" in said
    assert "requests judged" in said
    assert "✓ make a user" in said
    assert "the boundary holds" in said
    assert {name: stack.pipeline.builds(name) for name in builds} == builds, "it deploys nothing"


def test_nobody_may_do_more_or_less_than_is_stated_over_all_actions_of_aws(verdicts: list[Verdict]) -> None:
    assert len(catalogue().actions) > ALL_ACTIONS
    assert [str(finding) for verdict in verdicts for finding in verdict.findings] == []
    assert sum(verdict.requests for verdict in verdicts) > ALL_ACTIONS * 20


def test_the_ci_may_publish_and_see_its_own_builds_if_asked_and_nothing_else_of_all_actions(
    verdicts: list[Verdict], snapshot: Snapshot
) -> None:
    publishers = of_kind(verdicts, "publisher")
    assert {verdict.granted for verdict in publishers} == {("sns:Publish",)}
    assert {verdict.rights for verdict in publishers} == {1}
    (status,) = of_kind(verdicts, "publisher that reads status")
    assert status.granted == ("codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject", "sns:Publish")
    (log,) = of_kind(verdicts, "publisher that reads log")
    assert log.granted == (*status.granted[:2], "logs:GetLogEvents", "sns:Publish")
    assert len(publishers) + 2 == len(snapshot.publishers) >= 3


def test_every_role_and_every_project_is_judged(verdicts: list[Verdict], snapshot: Snapshot) -> None:
    for kind in ("launcher", "notifier", "courier", "broker", "scheduler"):
        assert len(of_kind(verdicts, kind)) == 1
    for kind in ("project", "project as applied", "fence"):
        assert len(of_kind(verdicts, kind)) == len(snapshot.projects) > 10
    assert not any(verdict.rights for verdict in verdicts if verdict.subject.startswith(("anybody", "a user of")))


def test_the_notifier_reads_no_secret_and_starts_nothing(verdicts: list[Verdict]) -> None:
    (notifier,) = of_kind(verdicts, "notifier")
    assert set(notifier.granted) == {
        "codebuild:BatchGetBuilds",
        "codebuild:ListBuildsForProject",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sns:Publish",
        "sqs:GetQueueAttributes",
        "sqs:SendMessage",
        "ssm:DeleteParameter",
        "ssm:GetParameter",
        "ssm:GetParameterHistory",
        "ssm:GetParametersByPath",
        "ssm:PutParameter",
    }


def test_nobody_but_the_notifier_can_make_a_report(pipeline: PipelineUnderTest, snapshot: Snapshot) -> None:
    stack = pipeline.stack
    operator = stack.emulator.client("sns", stack.operator.access_key, stack.operator.secret_key)
    result = tried(safe("report", "sns", "publish", TopicArn=snapshot.reports, Message="{}"), lambda _: operator)
    assert result.held, "an administrator made one"
    operator.subscribe(TopicArn=snapshot.reports, Protocol="email", Endpoint="team@example.org")  # and may listen


def test_every_weakened_policy_is_noticed(weakened: Weakened) -> None:
    assert [f"{how}: {where}" for how, where, finding in weakened if finding is None] == []
    done = Counter(how for how, _, _ in weakened)
    assert done.total() >= LEAST_WEAKENED
    assert {*STATEMENTS, *PIPELINES} - set(done) == set(), "a way to weaken that finds nothing to weaken shows nothing"


def test_a_pipeline_of_one_project_is_weakened_as_well(snapshot: Snapshot) -> None:
    assert len(list(weakenings(fewer(snapshot, 1)))) > LEAST_WEAKENED


def test_what_the_cis_key_must_not_reach_is_denied(pipeline: PipelineUnderTest, snapshot: Snapshot) -> None:
    stack = pipeline.stack
    secrets = f"decrypt /{snapshot.config_path}-credentials/"
    for ci in (stack.ci, pipeline.ci_of("own"), pipeline.ci_of("seen")):
        client = functools.partial(stack.emulator.client, access_key=ci.access_key, secret_key=ci.secret_key)
        # Of those that may read something, what is near to that; the proof above is of everything.
        tries = (
            attempt
            for attempt in attempts(snapshot, snapshot.own(ci.arn))
            if ci == stack.ci or attempt.service in ("codebuild", "logs") or attempt.what.startswith(secrets)
        )
        results = list(command.calls_of(tries, client))
        assert [result for result in results if not result.held] == []
        assert len(results) > 100


def test_a_call_that_is_not_denied_is_no_success_of_the_boundary(
    pipeline: PipelineUnderTest, snapshot: Snapshot
) -> None:
    """With the operator's rights they go through, or fail for another reason: so the attempts above can fail at all."""
    client = functools.cache(pipeline.stack.emulator.client)
    reads = [attempt for attempt in attempts(snapshot) if attempt.operation in ("get_parameter", "get_role")]
    results = [tried(attempt, client) for attempt in reads]
    assert [result for result in results if result.held] == []
    assert {"went through", "ParameterNotFound"} <= {result.said for result in results}


def test_the_pipeline_is_found_as_terraform_made_it(pipeline: PipelineUnderTest, found: Pipeline) -> None:
    outputs = pipeline.stack.pipeline.outputs["projects"]
    builds = found.projects()
    names = {name: found.names(name, build) for name, build in builds.items()}
    assert {name: outputs[name]["role_arn"] for name in outputs} == {
        name: each.role_arn for name, each in names.items()
    }
    for key in ("build_project", "boundary_arn"):
        assert {name: outputs[name][key] for name in outputs} == {name: getattr(names[name], key) for name in names}
    assert {name: outputs[name]["identity_path"] for name in outputs} == {name: names[name].path for name in names}
    assert {name: outputs[name]["register_parameter"] for name in outputs} == {n: names[n].register for n in names}


def test_a_finding_is_shown_and_ends_in_no(verdicts: list[Verdict]) -> None:
    report = Report(out=(out := io.StringIO()))
    show_proof(report, [Verdict("somebody", "", findings=[Finding("somebody", "may do anything")])], 1)
    assert not report.verdict()
    assert "may do anything" in out.getvalue()


def test_programs_get_the_shape_that_is_documented() -> None:
    report = Report(out=io.StringIO())
    show_proof(report, [Verdict("somebody", "a role", 7, granted=("sns:Publish",), findings=[Finding("x", "y")])], 1)
    show_results(report, "Tried", [Result("write", held=True, said="AccessDenied")])
    schema = json.loads((REPOSITORY / "docs" / "schemas" / "verify-boundary.json").read_text())
    facts = report.facts()
    assert {*facts, "shape", "version"} == set(schema["required"])
    for key, entry in (("principals", "Principal"), ("tried", "Tried")):
        assert set(facts[key][0]) == set(schema["$defs"][entry]["required"])
    assert (facts["holds"], facts["principals"][0]["findings"]) == (False, ["y"])


# CI's identities

GITHUB = "token.actions.githubusercontent.com"
SUBJECT = "repo:example/shop:ref:refs/heads/main"
EXACT = {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": SUBJECT}


def with_oidc(snapshot: Snapshot, condition: dict[str, Any]) -> Snapshot:
    """The pipeline with one more publisher, a role for a CI's tokens."""
    arn = f"{snapshot.roles}/{snapshot.iam_prefix}shop.publisher"
    provider = f"arn:aws:iam::{snapshot.account}:oidc-provider/{GITHUB}"
    topic = snapshot.topics[0]
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    publish = {"Statement": {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}}
    identity = Identity(arn, {"publish": publish}, trust={"Statement": [trust]})
    return changed(
        snapshot,
        identities={**snapshot.identities, arn: identity},
        publishers={**snapshot.publishers, arn: (topic,)},
    )


def test_a_token_of_exactly_one_subject_and_audience_is_accepted(snapshot: Snapshot) -> None:
    assert first_finding(with_oidc(snapshot, {"StringEquals": EXACT}), Focus(service="iam")) is None


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}},
        {"StringEquals": {f"{GITHUB}:sub": SUBJECT}},
        {"StringEqualsIfExists": EXACT},
        {"ForAllValues:StringEquals": EXACT},
        {"ForAllValues:StringLike": EXACT},
        {"StringNotEquals": EXACT},
        *(
            {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}, "StringLike": {f"{GITHUB}:sub": subject}}
            for subject in (
                "*",
                "repo:*",
                "repo:example/*",
                "repo:example/shop:*",
                "repo:example/shop:ref:refs/heads/*",
            )
        ),
        {"StringEquals": {f"{GITHUB}:sub": SUBJECT}, "StringLike": {f"{GITHUB}:aud": "*"}},
        {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:repository_owner": "example"}},
    ],
)
def test_a_trust_that_lets_other_tokens_in_is_noticed(snapshot: Snapshot, condition: dict[str, Any]) -> None:
    finding = first_finding(with_oidc(snapshot, condition), Focus(service="iam"))
    assert finding is not None
    assert "AssumeRoleWithWebIdentity" in finding.what


# The command, in an account


@pytest.fixture
def profile(pipeline: PipelineUnderTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An AWS profile with the CI's key, as somebody has it who verifies an account; the account is the local one."""
    ci = pipeline.stack.ci
    file = tmp_path / "config"
    file.write_text(f"[profile ci]\naws_access_key_id = {ci.access_key}\naws_secret_access_key = {ci.secret_key}\n")
    for name, value in pipeline.stack.terraform.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(command, "offline", lambda *_: None)  # shown above, and slow
    monkeypatch.setattr(command, "second_witness", lambda *_: None)  # the local AWS has none: test_witness.py
    return "ci"


def test_in_an_account_nothing_is_tried_that_could_change_it(found: Pipeline, profile: str) -> None:
    out = io.StringIO()
    assert command.of_account(found, ACCOUNT, profile, Report(out=out))
    said = out.getvalue()
    assert "✓ take role" in said
    assert "none of which could have changed anything" in said
    for change in ("write /", "make a user", "send to", "invoke the ", "start ", "make a schedule", "disable rule"):
        assert f"✓ {change}" not in said


def test_another_account_than_the_one_that_was_named_is_left_alone(found: Pipeline, profile: str) -> None:
    with pytest.raises(NotVerified, match=f"account {ACCOUNT}, not of 210987654321: nothing was tried"):
        command.of_account(found, "210987654321", profile, Report(out=io.StringIO()))


def test_without_an_account_nothing_is_tried_and_that_is_said(found: Pipeline, profile: str) -> None:
    out = io.StringIO()
    assert command.of_account(found, None, None, Report(out=out))
    assert "Nothing was tried" in out.getvalue()
    with pytest.raises(NotVerified, match="--ci-profile"):
        command.of_account(found, ACCOUNT, None, Report(out=io.StringIO()))
