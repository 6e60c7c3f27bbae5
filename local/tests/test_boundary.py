"""The trust boundary of the shared stack: what its policies allow over all actions, and what the CI's key gets."""

from __future__ import annotations

import functools
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pipeline_under_test import PipelineUnderTest

from iwomp_local.boundary import command, messages
from iwomp_local.boundary.attempts import attempts, safe, tried
from iwomp_local.boundary.catalogue import catalogue
from iwomp_local.boundary.identities import Identity
from iwomp_local.boundary.place import changed
from iwomp_local.boundary.proof import Finding, Focus, Verdict, first_finding, prove
from iwomp_local.boundary.report import show_proof, show_weakened
from iwomp_local.boundary.snapshot import Snapshot, read
from iwomp_local.boundary.weakened import Weakening, fewer, weakenings
from iwomp_local.boundary.weakened_pipelines import PIPELINES
from iwomp_local.boundary.weakened_statements import STATEMENTS
from iwomp_local.emulator import ACCOUNT
from iwomp_local.pipeline import PipelineError
from iwomp_local.story import Story

Weakened = list[tuple[Weakening, Finding | None]]

ALL_ACTIONS = 15_000
LEAST_WEAKENED = 50


@pytest.fixture(scope="module")
def snapshot(pipeline: PipelineUnderTest) -> Snapshot:
    stack = pipeline.stack
    return read(stack.pipeline, {stack.ci.arn: (stack.pipeline.outputs["topic_arn"],)})


@pytest.fixture(scope="module")
def verdicts(snapshot: Snapshot) -> list[Verdict]:
    return prove(snapshot)


@pytest.fixture(scope="module")
def weakened(snapshot: Snapshot) -> Weakened:
    return list(command.weakened(snapshot))


def of_kind(verdicts: list[Verdict], kind: str) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.subject.endswith(f"({kind})")]


def test_nobody_may_do_more_or_less_than_is_stated_over_all_actions_of_aws(verdicts: list[Verdict]) -> None:
    assert len(catalogue().actions) > ALL_ACTIONS
    assert [str(finding) for verdict in verdicts for finding in verdict.findings] == []
    assert sum(verdict.requests for verdict in verdicts) > ALL_ACTIONS * 20


def test_the_ci_may_publish_and_nothing_else_of_all_actions(verdicts: list[Verdict], snapshot: Snapshot) -> None:
    publishers = of_kind(verdicts, "publisher")
    assert len(publishers) == len(snapshot.publishers) >= 1
    assert {verdict.granted for verdict in publishers} == {("sns:Publish",)}
    assert {verdict.rights for verdict in publishers} == {1}


def test_every_role_and_every_project_is_judged(verdicts: list[Verdict], snapshot: Snapshot) -> None:
    for kind in ("launcher", "notifier", "scheduler"):
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
    assert [f"{weakening.how}: {weakening.where}" for weakening, finding in weakened if finding is None] == []
    done = Counter(weakening.how for weakening, _ in weakened)
    assert done.total() >= LEAST_WEAKENED
    assert {*STATEMENTS, *PIPELINES} - set(done) == set(), "a way to weaken that finds nothing to weaken shows nothing"


def test_a_pipeline_of_one_project_is_weakened_as_well(snapshot: Snapshot) -> None:
    assert len(list(weakenings(fewer(snapshot, 1)))) > LEAST_WEAKENED


def test_what_the_cis_key_must_not_reach_is_denied(pipeline: PipelineUnderTest, snapshot: Snapshot) -> None:
    stack = pipeline.stack
    topics = (stack.pipeline.outputs["topic_arn"],)
    results = list(command.calls_of(attempts(snapshot, topics), command.client_of_ci(stack)))
    assert [result for result in results if not result.held] == []
    assert len(results) > 100


def test_a_call_that_is_not_denied_is_no_success_of_the_boundary(
    pipeline: PipelineUnderTest, snapshot: Snapshot
) -> None:
    """With the operator's rights they go through, or fail for another reason: so the attempts above can fail at all."""
    client = functools.cache(pipeline.stack.emulator.client)
    reads = [attempt for attempt in attempts(snapshot, ()) if attempt.operation in ("get_parameter", "get_role")]
    results = [tried(attempt, client) for attempt in reads]
    assert [result for result in results if result.held] == []
    assert {"went through", "ParameterNotFound"} <= {result.said for result in results}


def test_messages_that_ask_for_too_much_deploy_nothing(pipeline: PipelineUnderTest) -> None:
    results = [messages.published(pipeline.stack, message) for message in messages.messages(pipeline.stack)]
    assert [result for result in results if not result.held] == []


def test_an_old_commit_and_one_that_no_branch_has_deploy_nothing(pipeline: PipelineUnderTest) -> None:
    for text in ("one", "two"):
        pipeline.repository("monorepo").commit(f"boundary {text}", {"boundary": text})
        assert pipeline.deploy("monorepo").outcome["outcome"] == "deployed"
    results = [
        messages.published(pipeline.stack, message) for message in messages.commits(pipeline.stack, ["monorepo"])
    ]
    assert [(result.held, result.said.split()[0]) for result in results] == [(True, "refused"), (True, "superseded")]


def test_the_report_counts_and_ends_with_a_verdict(verdicts: list[Verdict], weakened: Weakened) -> None:
    out = io.StringIO()
    story = Story(out=out)
    show_proof(story, verdicts, 1)
    show_weakened(story, weakened)
    assert command.verdict(story)
    said = out.getvalue()
    assert f"{len(catalogue().actions):,} actions of AWS" in said
    assert "requests judged" in said
    assert f"{len(weakened)} of {len(weakened)} weakened policies noticed" in said
    assert "the boundary holds" in said
    show_weakened(story, [(weakening, None) for weakening, _ in weakened[:1]])
    assert not command.verdict(story)
    assert f"not noticed: {weakened[0][0].where}" in out.getvalue()


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


def test_in_an_account_nothing_is_tried_that_could_change_it(pipeline: PipelineUnderTest, profile: str) -> None:
    out = io.StringIO()
    assert command.of_account(pipeline.stack.pipeline, ACCOUNT, profile, Story(out=out))
    said = out.getvalue()
    assert "✓ take role" in said
    assert "none of which could have changed anything" in said
    for change in ("write /", "make a user", "send to", "invoke the ", "start ", "make a schedule", "disable rule"):
        assert f"✓ {change}" not in said


def test_another_account_than_the_one_that_was_named_is_left_alone(pipeline: PipelineUnderTest, profile: str) -> None:
    with pytest.raises(PipelineError, match=f"account {ACCOUNT}, not of 210987654321: nothing was tried"):
        command.of_account(pipeline.stack.pipeline, "210987654321", profile, Story(out=io.StringIO()))


def test_without_an_account_nothing_is_tried_and_that_is_said(pipeline: PipelineUnderTest, profile: str) -> None:
    out = io.StringIO()
    assert command.of_account(pipeline.stack.pipeline, None, None, Story(out=out))
    assert "Nothing was tried" in out.getvalue()
    with pytest.raises(PipelineError, match="--ci-profile"):
        command.of_account(pipeline.stack.pipeline, ACCOUNT, None, Story(out=io.StringIO()))
