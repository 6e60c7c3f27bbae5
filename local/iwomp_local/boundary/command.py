"""`make verify-boundary`: the proof, the weakened policies, and the attempts, of a local stack or of an account."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import boto3

from iwomp_local.boundary import messages
from iwomp_local.boundary.attempts import Attempt, Harm, Result, attempts, tried
from iwomp_local.boundary.proof import Finding, first_finding, prove
from iwomp_local.boundary.report import show_proof, show_results, show_weakened
from iwomp_local.boundary.snapshot import Snapshot, read
from iwomp_local.boundary.weakened import Weakening, fewer, weakenings
from iwomp_local.boundary.witness import hearings
from iwomp_local.boundary.world import things_of
from iwomp_local.pipeline import Pipeline, PipelineError
from iwomp_local.stack import Stack
from iwomp_local.story import Colour, Story

PROJECTS_WEAKENED = 2  # one to weaken, one that it must not reach
SESSION = re.compile(r"arn:(?P<partition>[a-z-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+")
Client = Callable[[str], Any]


def of_stack(stack: Stack, story: Story) -> bool:
    """Verifies a local stack; whether all of it holds."""
    pipeline = stack.pipeline
    topics = tuple(filter(None, [pipeline.outputs.get("topic_arn")]))
    snapshot = read(pipeline, {stack.ci.arn: topics})
    offline(snapshot, story)
    calls = show_results(story, "Tried with the CI's key", calls_of(attempts(snapshot, topics), client_of_ci(stack)))
    story.say(f"{calls} calls, all of which had to be denied.")
    published = itertools.chain(messages.messages(stack), messages.commits(stack, pipeline.projects))
    sent = show_results(
        story, "Published with the CI's key", (messages.published(stack, message) for message in published)
    )
    story.say(f"{sent} messages, none of which was to deploy anything.")
    return verdict(story)


def client_of_ci(stack: Stack) -> Client:
    ci = stack.ci
    return lambda service: stack.emulator.client(service, ci.access_key, ci.secret_key)


def of_account(pipeline: Pipeline, account: str | None, ci_profile: str | None, story: Story) -> bool:
    """Verifies an account: its policies, and with its number and a profile of the CI's also what the CI can do."""
    if account is None:
        snapshot = read(pipeline, {})
        offline(snapshot, story)
        second_witness(snapshot, pipeline.client, story)
        story.say("Nothing was tried with the CI's key: that takes --account NUMBER and --ci-profile NAME.")
        return verdict(story)
    if ci_profile is None:
        raise PipelineError("say which AWS profile holds the CI's key: --ci-profile NAME")
    region = pipeline.outputs["kms_key_arn"].split(":")[3]
    session = boto3.session.Session(profile_name=ci_profile, region_name=region)
    arn = caller(session.client, account)
    made = [entry["identity_arn"] for entry in pipeline.outputs.get("publishers", {}).values()]
    shared = pipeline.outputs.get("topic_arn")
    snapshot = read(pipeline, {} if arn in made or shared is None else {arn: (shared,)})
    if snapshot.account != account:
        raise PipelineError(f"the pipeline is in account {snapshot.account}, not in {account}: nothing was tried")
    offline(snapshot, story)
    second_witness(snapshot, pipeline.client, story)
    harmless = filter(is_harmless, attempts(snapshot, snapshot.publishers[arn]))
    calls = show_results(story, f"Tried as {arn}", calls_of(harmless, session.client))
    story.say(f"{calls} calls, all of which had to be denied, and none of which could have changed anything.")
    return verdict(story)


def caller(client: Client, account: str) -> str:
    """The ARN of the CI's identity, if it is one of this account."""
    identity = client("sts").get_caller_identity()
    if identity["Account"] != account:
        raise PipelineError(
            f"the CI's key is one of account {identity['Account']}, not of {account}: nothing was tried"
        )
    arn = str(identity["Arn"])
    if session := SESSION.fullmatch(arn):
        return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"
    return arn


def calls_of(planned: Iterable[Attempt], client: Client) -> Iterator[Result]:
    """Makes the calls, with one client a service."""
    once = functools.cache(client)
    return (tried(attempt, once) for attempt in planned)


def is_harmless(attempt: Attempt) -> bool:
    return attempt.harm is Harm.NONE


def offline(snapshot: Snapshot, story: Story) -> None:
    things = sum(map(len, things_of(snapshot).values()))
    show_proof(story, prove(snapshot), things)
    show_weakened(story, weakened(snapshot))


def second_witness(snapshot: Snapshot, client: Client, story: Story) -> None:
    """AWS's own judges on the same policies."""
    results = (Result(each.what, each.agrees, each.said) for each in hearings(snapshot, client))
    asked = show_results(story, "What IAM's simulator and Access Analyzer say of it", results)
    story.say(f"{asked} questions; where the two differ, one of the judges is wrong.")


def weakened(snapshot: Snapshot) -> Iterator[tuple[Weakening, Finding | None]]:
    """Each weakened policy with what the proof says to it."""
    for weakening in weakenings(fewer(snapshot, PROJECTS_WEAKENED)):
        yield weakening, first_finding(weakening.snapshot, weakening.focus)


def verdict(story: Story) -> bool:
    story.heading("Verdict")
    held = not story.broken
    text = (
        f"the boundary holds: {story.held} checks" if held else f"{len(story.broken)} of the checks above do not hold"
    )
    story.line("  " + story.paint(text, Colour.GOOD if held else Colour.BAD))
    return held
