"""Ways to weaken a pipeline by a whole document. Each yields what it did, where, and the document to put there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from iwomp_local.boundary.identities import Identity
from iwomp_local.boundary.place import Place
from iwomp_local.boundary.policy import Document
from iwomp_local.boundary.snapshot import Snapshot, default_topic_policy
from iwomp_local.boundary.subjects import FENCE, FOREIGN_ACCOUNT, is_deploy, listed

MANAGED = {
    "AdministratorAccess": {"Effect": "Allow", "Action": "*", "Resource": "*"},
    "PowerUserAccess": {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
    "AmazonSNSFullAccess": {"Effect": "Allow", "Action": "sns:*", "Resource": "*"},
    "AmazonSQSFullAccess": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
    "AmazonSSMFullAccess": {"Effect": "Allow", "Action": "ssm:*", "Resource": "*"},
    "AWSCodeBuildDeveloperAccess": {"Effect": "Allow", "Action": ["codebuild:StartBuild", "ssm:Put*"], "Resource": "*"},
    "AWSLambda_FullAccess": {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"},
}
# These change nothing for a project's role: its fence is there for them.
HELD_OFF = ("AmazonSNSFullAccess", "AmazonSQSFullAccess", "AWSCodeBuildDeveloperAccess", "AWSLambda_FullAccess")
GRANTS = {
    "PassRole": ("iam:PassRole", "*"),
    "AssumeRole": ("sts:AssumeRole", "*"),
    "StartBuild": ("codebuild:StartBuild", "*"),
    "Decrypt": ("kms:Decrypt", "*"),
    "Invoke": ("lambda:InvokeFunction", "*"),
    "PutParameter": ("ssm:PutParameter", "*"),
    "ReadSecrets": ("secretsmanager:GetSecretValue", "*"),
}


Enlarge = Callable[[Snapshot], Iterator[tuple[str, Place, Document]]]
PIPELINES: dict[str, Enlarge] = {}


def of_pipeline(enlarge: Enlarge) -> Enlarge:
    PIPELINES[enlarge.__name__] = enlarge
    return enlarge


def one_of_each(snapshot: Snapshot) -> Iterator[Identity]:
    project = next(iter(snapshot.projects.values()), None)
    for arn in (snapshot.launcher, *snapshot.publishers, *([project.role] if project else [])):
        yield snapshot.identities[arn]


@of_pipeline
def managed_policy_attached(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    for identity in one_of_each(snapshot):
        for name, statement in MANAGED.items():
            place = Place("identity", identity.arn, f"arn:aws:iam::aws:policy/{name}")
            if FENCE not in identity.policies or name not in HELD_OFF:
                yield f"{identity.name} / {name}", place, {"Statement": statement}


@of_pipeline
def right_added(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    for identity in one_of_each(snapshot):
        for name, (action, resource) in GRANTS.items():
            place = Place("identity", identity.arn, "added")
            statement = {"Effect": "Allow", "Action": action, "Resource": resource}
            yield f"{identity.name} / {name}", place, {"Statement": statement}


@of_pipeline
def another_projects_things(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """Every document of one project that names it, with the other's name in place of its own."""
    if len(snapshot.projects) == 1:
        return  # there is nobody else whose things it could be
    one, other = list(snapshot.projects)[:2]
    cp, role = snapshot.config_path, snapshot.projects[one].role
    identity = snapshot.identities[role]
    for place in (
        *(Place("identity", role, name) for name in identity.policies if name != FENCE),
        Place("trust", role),
    ):
        text = json.dumps(place.of(snapshot))
        for own in (f"{cp}/{one}", f"{cp}-{one}", f"{cp}-credentials/{one}", f"{cp}-deployed/{one}"):
            if own in text and not is_deploy(place.name):
                theirs = text.replace(own, own.removesuffix(one) + other)
                yield f"{place} / {own}", place, json.loads(theirs)


@of_pipeline
def no_explicit_topic_policy(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    for topic in snapshot.topics:
        yield topic, Place("resource", topic), default_topic_policy(topic)


@of_pipeline
def topic_for_everybody(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    for topic in snapshot.topics:
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": topic}
        yield topic, Place("resource", topic), {"Statement": statement}


@of_pipeline
def topic_denies_nobody_from_outside(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """With the Deny turned round: to drop it alone opens nothing, since nothing is allowed there."""
    for topic in snapshot.topics:
        text = json.dumps(snapshot.resources[topic]).replace('"Deny"', '"Allow"')
        yield topic, Place("resource", topic), json.loads(text)


@of_pipeline
def publisher_of_another_topic(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    for arn in snapshot.publishers:
        place = Place("identity", arn, "added")
        topic = snapshot.arn("sns", f"{snapshot.config_path}-another")
        statement = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}
        yield arn, place, {"Statement": statement}


@of_pipeline
def usual_key_policy(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    root = f"arn:{snapshot.partition}:iam::{snapshot.account}:root"
    for actions in ("kms:*", ["kms:Decrypt"], ["kms:CreateGrant"], ["kms:ReEncryptFrom"]):
        statement = {"Effect": "Allow", "Principal": {"AWS": root}, "Action": actions, "Resource": "*"}
        document = snapshot.resources[snapshot.key]
        made = {**document, "Statement": [*listed(document), statement]}
        yield f"{actions}", Place("resource", snapshot.key), made


@of_pipeline
def thing_opened(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """A policy on what has none, or beside the one that it has."""
    for arn, action in (
        (snapshot.function, "lambda:InvokeFunction"),
        (snapshot.function, "lambda:UpdateFunctionCode"),
        (snapshot.repository, "ecr:PutImage"),
        *((queue, action) for queue in snapshot.queues for action in ("sqs:SendMessage", "sqs:ReceiveMessage")),
    ):
        document = snapshot.resources[arn]
        for principal in ("*", {"AWS": FOREIGN_ACCOUNT}, {"Service": "s3.amazonaws.com"}):
            statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": arn}
            made = {**document, "Statement": [*listed(document), statement]}
            yield f"{arn.rpartition(':')[2]} / {action} / {principal}", Place("resource", arn), made


@of_pipeline
def unknown_role_of_the_pipeline(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """A role with the pipeline's prefix that nothing is stated of may do nothing."""
    arn = f"{snapshot.roles}/{snapshot.config_path}-x"
    grant: Document = {"Statement": {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}}
    yield arn, Place("identity", arn, "x"), grant
