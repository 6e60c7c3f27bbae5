"""Weakened policies: each makes one of the applied documents allow more than it should, and the proof must notice.

A function yields every way in which it can weaken a statement. What would not change what anybody can do is left out,
with the reason; so each variant that the proof lets pass is a hole in the proof.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from iwomp_local.boundary.policy import Document
from iwomp_local.boundary.proof import Focus
from iwomp_local.boundary.snapshot import Identity, Snapshot, default_topic_policy
from iwomp_local.boundary.subjects import FENCE, FOREIGN_ACCOUNT, is_deploy, listed

Entry = dict[str, Any]
PRINCIPAL_ARN = "aws:PrincipalArn"  # every signed request has it, so that to let it be absent is no weakening
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


@dataclass(frozen=True)
class Place:
    """A document of a snapshot: a policy of an identity, its trust policy, or the policy of a thing."""

    kind: str  # identity, trust, resource
    arn: str
    name: str = ""

    def __str__(self) -> str:
        owner = self.arn.split(":", 5)[5]
        return f"{owner} / {self.name or self.kind}"

    def of(self, snapshot: Snapshot) -> Document:
        if self.kind == "identity":
            return snapshot.identities[self.arn].policies[self.name]
        found = snapshot.identities[self.arn].trust if self.kind == "trust" else snapshot.resources[self.arn]
        return found or {}

    @property
    def focus(self) -> Focus:
        """What a change here can make a difference to: one identity, or the things of one service."""
        return Focus(identity=self.arn) if self.kind == "identity" else Focus(service=self.arn.split(":")[2])

    def put(self, snapshot: Snapshot, document: Document) -> Snapshot:
        """A copy of the snapshot with another document here."""
        if self.kind == "resource":
            return changed(snapshot, resources={**snapshot.resources, self.arn: document})
        old = snapshot.identities.get(self.arn) or Identity(self.arn)
        if self.kind == "trust":
            new = Identity(old.arn, old.policies, old.boundary, document)
        else:
            new = Identity(old.arn, {**old.policies, self.name: document}, old.boundary, old.trust)
        return changed(snapshot, identities={**snapshot.identities, self.arn: new})


@dataclass(frozen=True)
class Weakening:
    """A snapshot with one weakened document."""

    how: str
    where: str
    snapshot: Snapshot
    focus: Focus


def changed(snapshot: Snapshot, **fields: Any) -> Snapshot:
    made = copy.copy(snapshot)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def fewer(snapshot: Snapshot, count: int) -> Snapshot:
    """The same pipeline with its first projects only: one of each kind is weakened, and one is needed beside it."""
    with_more = sorted(snapshot.projects.values(), key=lambda project: (project.deploy_role is None, project.name))
    kept = {project.name: project for project in with_more[:count]}
    gone = {project.role for project in snapshot.projects.values()} - {project.role for project in kept.values()}
    identities = {arn: identity for arn, identity in snapshot.identities.items() if arn not in gone}
    return changed(snapshot, projects=kept, identities=identities)


def places(snapshot: Snapshot) -> Iterator[Place]:
    """Where to weaken: everything shared, the publishers, and one project."""
    skipped = {project.role for project in list(snapshot.projects.values())[1:]}
    for identity in snapshot.identities.values():
        if identity.arn not in skipped:
            yield from (Place("identity", identity.arn, name) for name in identity.policies if not is_deploy(name))
            if identity.trust is not None:
                yield Place("trust", identity.arn)
    yield from (Place("resource", arn) for arn in snapshot.resources)


def weakenings(snapshot: Snapshot) -> Iterator[Weakening]:
    """Every weakened variant of a pipeline's policies."""
    for place in places(snapshot):
        statements = listed(place.of(snapshot))
        for number, statement in enumerate(statements):
            where = f"{place} / {statement.get('Sid') or number}"
            for how, weaken in STATEMENTS.items():
                for made in weaken(place, copy.deepcopy(statement)):
                    rest = [*statements[:number], *made, *statements[number + 1 :]]
                    weakened = place.put(snapshot, {**place.of(snapshot), "Statement": rest})
                    yield Weakening(how, where, weakened, place.focus)
    for how, enlarge in PIPELINES.items():
        for what, place, document in enlarge(snapshot):
            yield Weakening(how, what, place.put(snapshot, document), place.focus)


# On one statement. Each yields what to put in its place.

Weaken = Callable[[Place, Entry], Iterator[list[Entry]]]
STATEMENTS: dict[str, Weaken] = {}


def of_allow(weaken: Weaken) -> Weaken:
    """Registers a weakening of statements that allow."""

    def guarded(place: Place, statement: Entry) -> Iterator[list[Entry]]:
        if statement["Effect"] == "Allow":
            yield from weaken(place, statement)

    STATEMENTS[weaken.__name__] = guarded
    return weaken


def of_deny(weaken: Weaken) -> Weaken:
    """Registers a weakening of statements that deny."""

    def guarded(place: Place, statement: Entry) -> Iterator[list[Entry]]:
        if statement["Effect"] == "Deny" and place.kind == "identity":
            yield from weaken(place, statement)

    STATEMENTS[weaken.__name__] = guarded
    return weaken


@of_allow
def any_action(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    yield [{**statement, "Action": "*"}]


@of_allow
def any_action_of_the_service(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    yield [{**statement, "Action": first(statement["Action"]).partition(":")[0] + ":*"}]


@of_allow
def not_action(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    yield [{**without(statement, "Action"), "NotAction": statement["Action"]}]


def narrowable(place: Place, statement: Entry) -> bool:
    """A thing's policy has one resource, its thing, whatever it says; and some actions know only `*`."""
    return place.kind == "identity" and statement["Resource"] != "*"


@of_allow
def any_resource(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if narrowable(place, statement):
        yield [{**statement, "Resource": "*"}]


@of_allow
def not_resource(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if narrowable(place, statement):
        yield [{**without(statement, "Resource"), "NotResource": statement["Resource"]}]


@of_allow
def wider_resource(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if narrowable(place, statement):
        for wildcard in ("*", "?*"):
            wider = [arn.rstrip("*")[:-1] + wildcard for arn in several(statement["Resource"])]
            yield [{**statement, "Resource": wider}]


@of_allow
def any_region_and_account(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if narrowable(place, statement):
        parts = [arn.split(":", 5) for arn in several(statement["Resource"])]
        yield [{**statement, "Resource": [":".join([*part[:3], "*", "*", part[5]]) for part in parts]}]


@of_allow
def resource_by_variable(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if narrowable(place, statement):
        arn = first(statement["Resource"]).split(":", 5)
        yield [{**statement, "Resource": ":".join([*arn[:5], "${aws:PrincipalTag/team}"])}]


@of_allow
def no_conditions(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if "Condition" in statement:
        yield [without(statement, "Condition")]


@of_allow
def one_condition_less(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, _values in conditions(statement):
        yield [with_condition(statement, operator, key, None)]


@of_allow
def if_exists(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if can_be_absent(place, operator, key):
            yield [with_condition(statement, operator, key, {f"{operator}IfExists": values})]


@of_allow
def for_all_values(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if can_be_absent(place, operator, key):
            yield [with_condition(statement, operator, key, {f"ForAllValues:{operator}": values})]


@of_allow
def for_any_value(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if operator.startswith("ForAllValues:"):
            yield [with_condition(statement, operator, key, {f"ForAnyValue:{operator.partition(':')[2]}": values})]


@of_allow
def condition_negated(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if operator != "Null":
            yield [with_condition(statement, operator, key, {negated(operator): values})]


@of_allow
def condition_on_anything(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, _values in conditions(statement):
        if operator != "Null":
            value = "arn:*:*:*:*:*" if operator.startswith("Arn") else "*"
            yield [with_condition(statement, operator, key, {loose(operator): value})]


@of_allow
def condition_by_prefix(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if operator != "Null":
            wider = [f"{value.rstrip('*')[:-1]}*" for value in several(values)]
            yield [with_condition(statement, operator, key, {loose(operator): wider})]


@of_allow
def override_demanded(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, _values in conditions(statement):
        if operator == "Null":
            yield [with_condition(statement, operator, key, {"Null": "false"})]


@of_allow
def one_more_variable(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if operator.startswith("ForAllValues:"):
            yield [with_condition(statement, operator, key, {operator: [*several(values), "CONFIGPATH"]})]


@of_allow
def any_principal(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    """Not where a condition names the same principals once more."""
    if place.kind != "identity" and PRINCIPAL_ARN not in statement.get("Condition", {}).get("ArnEquals", {}):
        yield [{**statement, "Principal": "*"}]
        yield [{**statement, "Principal": {"AWS": "*"}}]


@of_allow
def another_principal(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if place.kind != "identity":
        account = place.arn.split(":")[4]
        yield [{**statement, "Principal": {"AWS": f"arn:aws:iam::{FOREIGN_ACCOUNT}:root"}}]
        yield [{**statement, "Principal": {"AWS": f"arn:aws:iam::{account}:user/x-somebody"}}]
        yield [{**statement, "Principal": {"Service": "ec2.amazonaws.com"}}]
        yield [{**statement, "Principal": {"Federated": "cognito-identity.amazonaws.com"}}]


@of_allow
def the_account_too(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    """Of roles: for other things of the account its own policies decide anyway."""
    if place.kind == "trust":
        root = {"AWS": f"arn:aws:iam::{place.arn.split(':')[4]}:root"}
        yield [{**statement, "Principal": {**statement["Principal"], **root}, "Action": "sts:AssumeRole"}]


@of_allow
def not_principal(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if place.kind != "identity":
        yield [{**without(statement, "Principal"), "NotPrincipal": statement["Principal"]}]


@of_allow
def an_operator_that_nobody_knows(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if operator != "Null":
            yield [with_condition(statement, operator, key, {f"{operator}Roughly": values})]


@of_deny
def no_deny(_: Place, _statement: Entry) -> Iterator[list[Entry]]:
    yield []


@of_deny
def deny_as_allow(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    yield [{**statement, "Effect": "Allow"}]


@of_deny
def deny_of_one_action_less(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    actions = several(statement.get("Action", []))
    for action in actions if len(actions) > 1 else []:
        yield [{**statement, "Action": [other for other in actions if other != action]}]


@of_deny
def deny_of_all_but_one_more(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for action in ("kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "ecr:PutImage", "ecr:DeleteRepository"):
        if "NotAction" in statement and first(statement["NotAction"]).split(":")[0] == action.split(":")[0]:
            yield [{**statement, "NotAction": [*several(statement["NotAction"]), action]}]


@of_deny
def deny_on_less(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    resources = several(statement["Resource"])
    for resource in resources:
        yield [{**statement, "Resource": [*(other for other in resources if other != resource), f"{resource}-x"]}]


@of_deny
def deny_with_a_way_out(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    way_out = {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    yield [{**statement, "Condition": {**statement.get("Condition", {}), **way_out}}]


@of_deny
def deny_that_never_applies(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, _values in conditions(statement):
        yield [with_condition(statement, operator, key, {"StringNotLike": "*"})]


# On a whole pipeline. Each yields what to put where.

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


# Statements


def without(statement: Entry, element: str) -> Entry:
    return {key: value for key, value in statement.items() if key != element}


def several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def first(value: Any) -> str:
    return several(value)[0]


def conditions(statement: Entry) -> list[tuple[str, str, Any]]:
    block = statement.get("Condition", {})
    return [(operator, key, values) for operator, keys in block.items() for key, values in keys.items()]


def with_condition(statement: Entry, operator: str, key: str, put: dict[str, Any] | None) -> Entry:
    """The statement with another test of a key, or with none."""
    block = copy.deepcopy(statement["Condition"])
    del block[operator][key]
    for other, values in (put or {}).items():
        block.setdefault(other, {})[key] = values
    return {**statement, "Condition": {name: keys for name, keys in block.items() if keys}}


def can_be_absent(place: Place, operator: str, key: str) -> bool:
    """Not the encryption context in a role's policy: the key's own policy demands that there is one."""
    in_role = place.kind == "identity" and key.startswith("kms:EncryptionContext:")
    return operator != "Null" and ":" not in operator and key != PRINCIPAL_ARN and not in_role


def negated(operator: str) -> str:
    prefix, colon, test = operator.rpartition(":")
    for kind in ("String", "Arn"):
        test = test.replace(kind, f"{kind}Not") if test.startswith(kind) else test
    return f"{prefix}{colon}{test}"


def loose(operator: str) -> str:
    """The same test with wildcards."""
    return operator.replace("Equals", "Like")
