"""Everybody whose rights are judged: the pipeline's own principals, and those whom its things could let in."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from iwomp_boundary.globs import filled, has_wildcard
from iwomp_boundary.identities import Identity
from iwomp_boundary.judge import Kind, Principal, Statements, account_of, is_root_of
from iwomp_boundary.policy import Document, Statement, statements_of
from iwomp_boundary.snapshot import Snapshot
from iwomp_boundary.stated import Entry, Names, entry_of, table

FOREIGN_ACCOUNT = "999999999999"
EVERYTHING: Document = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
FENCE = "fence"
VIRTUAL = ("administrator", "insider", "offspring", "offspring session", "nobody", "stranger", "anonymous")
# Services that act on behalf of whoever asks them: any of them could be the deputy of another account.
DEPUTIES = (
    *("apigateway", "codebuild", "codepipeline", "cloudformation", "cloudtrail", "cloudwatch", "config", "ec2"),
    *("ecs-tasks", "events", "glue", "iot", "lambda", "logs", "s3", "sagemaker", "scheduler", "ses", "sns", "sqs"),
    *("ssm", "states"),
)


@dataclass(frozen=True)
class Subject:
    """A principal and what is said of it. `policies` are those that it is judged by, beside the resources' own."""

    label: str
    entry: Entry
    principal: Principal
    names: Names = field(compare=False, repr=False)


def subjects(snapshot: Snapshot, only: str | None = None) -> Iterator[Callable[[], Subject]]:
    """Each subject as a call that makes it, since a policy that cannot be judged shows only then."""
    for identity in snapshot.identities.values():
        if only in (None, identity.arn):
            yield from identity_subjects(snapshot, identity)
    if only is not None:
        return
    yield from (functools.partial(virtual, snapshot, kind) for kind in VIRTUAL)
    yield from (functools.partial(keeper_subject, snapshot, arn) for arn in keepers(snapshot))
    yield from (functools.partial(lookalike_subject, snapshot, arn) for arn in lookalikes(snapshot))
    named = named_principals(snapshot)
    services = sorted({*(f"{name}.amazonaws.com" for name in DEPUTIES), *named["Service"]})
    yield from (functools.partial(service_subject, snapshot, service) for service in services)
    yield from (functools.partial(federated_subject, snapshot, provider) for provider in sorted(named["Federated"]))
    yield from (functools.partial(named_subject, snapshot, name) for name in sorted(named["AWS"]))


def names_of(snapshot: Snapshot, **more: tuple[str, ...]) -> Names:
    """What the names in braces of the stated set stand for."""
    arn = snapshot.arn
    return {
        "cp": (snapshot.config_path,),
        "account": (snapshot.account,),
        "region": (snapshot.region,),
        "parameters": (arn("ssm", "parameter"),),
        "builds": (arn("codebuild", "project"),),
        "logs": (arn("logs", "log-group"),),
        "roles": (snapshot.roles,),
        "users": (f"{snapshot.roles.removesuffix('role')}user",),
        "sns": (arn("sns", "").removesuffix(":"),),
        "sqs": (arn("sqs", "").removesuffix(":"),),
        "functions": (arn("lambda", "function"),),
        "groups": (arn("scheduler", "schedule-group"),),
        "schedules": (arn("scheduler", "schedule"),),
        "rules": (arn("events", "rule"),),
        "event_buses": snapshot.event_buses,
        "alarms": (arn("cloudwatch", "alarm"),),
        "dashboards": (snapshot.dashboard.partition("/")[0],),
        "pipeline_roles": tuple(role for role in snapshot.identities if role.startswith(f"{snapshot.roles}/")),
        "ssm": (f"ssm.{snapshot.region}.amazonaws.com{'.cn' if snapshot.partition == 'aws-cn' else ''}",),
        "topics": snapshot.topics,
        "queues": snapshot.queues,
        "triggers": snapshot.queues[:1],
        "dead_letters": snapshot.queues[1:],
        "deliveries": snapshot.deliveries[:1],
        "dead_deliveries": snapshot.deliveries[1:],
        "reports": (snapshot.reports,),
        "key": (snapshot.key,),
        "repository": (snapshot.repository,),
        "launcher": (snapshot.launcher,),
        "function": snapshot.functions,
        "app_key": snapshot.app_key,
        "broker": (snapshot.broker.role,) if snapshot.broker else (),
        "notifier": (snapshot.notifier,),
        "courier": (snapshot.courier,),
        "notifier_function": (snapshot.notifier_function,),
        "scheduler": (snapshot.scheduler,),
        "own_topics": (),
        "own_projects": (),
        "publishers": tuple(snapshot.publishers),
        **more,
    }


def project_names(snapshot: Snapshot, role: str) -> Names:
    project = next(project for project in snapshot.projects.values() if project.role == role)
    return names_of(
        snapshot,
        project=(project.name,),
        role=(project.role,),
        image=(project.image,) if project.image else (),
        deploy_role=(project.deploy_role,) if project.deploy_role else (),
    )


def identity_subjects(snapshot: Snapshot, identity: Identity) -> Iterator[Callable[[], Subject]]:
    if identity.arn == snapshot.launcher:
        yield lambda: identity_subject(identity, "launcher", names_of(snapshot), identity.policies)
    elif identity.arn == snapshot.notifier:
        yield lambda: identity_subject(identity, "notifier", names_of(snapshot), identity.policies)
    elif identity.arn == snapshot.courier:
        yield lambda: identity_subject(identity, "courier", names_of(snapshot), identity.policies)
    elif snapshot.broker and identity.arn == snapshot.broker.role:
        yield lambda: identity_subject(identity, "broker", names_of(snapshot), identity.policies)
    elif identity.arn == snapshot.scheduler:
        aimed_at = names_of(snapshot, own_topics=scheduled_topics(snapshot))
        yield lambda: identity_subject(identity, "scheduler", aimed_at, identity.policies)
    elif any(project.role == identity.arn for project in snapshot.projects.values()):
        names = project_names(snapshot, identity.arn)
        # By Terraform's names for what its entry brings; a policy under any other name is held to be the worker's.
        worker = {name: text for name, text in identity.policies.items() if not is_deploy(name) and name != FENCE}
        fenced = {"everything": EVERYTHING, **{FENCE: identity.policies.get(FENCE, {})}}
        # Without its boundary, which would hide what the worker's policy allows too much.
        yield lambda: identity_subject(Identity(identity.arn), "project", names, worker)
        yield lambda: identity_subject(identity, "project as applied", names, identity.policies)
        yield lambda: identity_subject(Identity(identity.arn), "fence", names, fenced)
    else:
        own = snapshot.own(identity.arn)
        names = names_of(snapshot, own_topics=own.topics, own_projects=own.projects)
        kind = f"publisher that reads {own.reads}" if own.reads else "publisher"
        yield lambda: identity_subject(identity, kind, names, identity.policies)


def scheduled_topics(snapshot: Snapshot) -> tuple[str, ...]:
    """The topics that there is a schedule for."""
    return tuple(sorted({target for target in snapshot.schedules.values() if target.split(":")[2] == "sns"}))


def is_deploy(policy: str) -> bool:
    return policy == "project" or policy.startswith("arn:")


def identity_subject(identity: Identity, kind: str, names: Names, policies: dict[str, Document]) -> Subject:
    boundary = None if identity.boundary is None else compiled(identity.boundary, False)
    statements = tuple(statement for text in policies.values() for statement in compiled(text, False))
    principal = Principal(identity.arn, Kind.IDENTITY, account_of(identity.arn), statements, boundary)
    return Subject(f"{identity.name} ({kind})", entry_of(kind, names), principal, names)


def virtual(snapshot: Snapshot, kind: str) -> Subject:
    """Somebody who need not exist."""
    everything = compiled(EVERYTHING, False)
    prefix = f"arn:{snapshot.partition}:iam::"
    principal = {
        "administrator": Principal(
            f"{prefix}{snapshot.account}:role/x-administrator", Kind.IDENTITY, snapshot.account, everything
        ),
        "insider": Principal(
            f"{prefix}{snapshot.account}:role/{snapshot.iam_prefix}x", Kind.IDENTITY, snapshot.account, everything
        ),
        "offspring": Principal(
            f"{snapshot.roles}/{snapshot.config_path}/{snapshot.region}/x/x",
            Kind.IDENTITY,
            snapshot.account,
            everything,
        ),
        "offspring session": Principal(
            f"arn:{snapshot.partition}:sts::{snapshot.account}:federated-user/x",
            Kind.IDENTITY,
            snapshot.account,
            everything,
        ),
        "nobody": Principal(f"{prefix}{snapshot.account}:user/x-nobody", Kind.IDENTITY, snapshot.account),
        "stranger": Principal(
            f"{prefix}{FOREIGN_ACCOUNT}:role/{snapshot.iam_prefix}x", Kind.IDENTITY, FOREIGN_ACCOUNT, everything
        ),
        "anonymous": Principal("*", Kind.ANONYMOUS),
    }[kind]
    names = names_of(snapshot)
    entry = entry_of(kind, names)
    return Subject(entry.who, entry, principal, names)


def named_in_conditions(snapshot: Snapshot) -> set[str]:
    """Whom the keys' policies name in conditions: they may read credentials back, or sign for the App."""
    keys = (snapshot.key, *snapshot.app_key)
    statements = [statement for key in keys for statement in compiled(snapshot.resources[key], True)]
    conditions = [each for statement in statements if statement.allows for each in statement.conditions]
    return {value for condition in conditions if condition.key == "aws:principalarn" for value in condition.values}


def keepers(snapshot: Snapshot) -> list[str]:
    # The broker is judged as what it is.
    named = named_in_conditions(snapshot) - set(snapshot.identities)
    return sorted(arn for arn in named if not has_wildcard(arn))


def lookalikes(snapshot: Snapshot) -> list[str]:
    """Principals that a wildcard there would let in."""
    found = {
        filled(pattern, text)
        for pattern in named_in_conditions(snapshot)
        if has_wildcard(pattern)
        for text in ("", "x")
    }
    return sorted(found)


def lookalike_subject(snapshot: Snapshot, arn: str) -> Subject:
    names = names_of(snapshot)
    principal = Principal(arn, Kind.IDENTITY, snapshot.account, compiled(EVERYTHING, False))
    is_insider = arn.startswith(f"{snapshot.roles}/{snapshot.iam_prefix}")
    return Subject(
        f"{arn} (lookalike)", entry_of("insider" if is_insider else "administrator", names), principal, names
    )


def keeper_subject(snapshot: Snapshot, arn: str) -> Subject:
    names = names_of(snapshot)
    principal = Principal(arn, Kind.IDENTITY, snapshot.account, compiled(EVERYTHING, False))
    return Subject(f"{arn.rpartition('/')[2]} (keeper)", entry_of("keeper", names), principal, names)


def service_subject(snapshot: Snapshot, service: str) -> Subject:
    kind = f"service {service}"
    if kind not in table():
        kind = "service"
    names = names_of(snapshot)
    if table()[kind].get("each") == "project":
        entries = [entry_of(kind, project_names(snapshot, project.role)) for project in snapshot.projects.values()]
        entry = Entry(str(table()[kind]["who"]), tuple(row for each in entries for row in each.may), None)
    else:
        entry = entry_of(kind, names)
    return Subject(service, entry, Principal(service, Kind.SERVICE), names)


def federated_subject(snapshot: Snapshot, provider: str) -> Subject:
    issuer = provider.partition(":oidc-provider/")[2] or "x-no-oidc-provider"
    names = names_of(snapshot, issuer=(issuer,))
    return Subject(provider, entry_of("federated", names), Principal(provider, Kind.FEDERATED), names)


def named_subject(snapshot: Snapshot, name: str) -> Subject:
    """Somebody whom a thing of the pipeline names, as only topics should. Of another account: with all rights there."""
    account = name if name.isdigit() else name.split(":")[4]
    identity = compiled(EVERYTHING, False) if account != snapshot.account else ()
    names = names_of(snapshot, own_topics=snapshot.topics)
    entry = entry_of("named", names)
    return Subject(name, entry, Principal(name, Kind.IDENTITY, account, identity), names)


def named_principals(snapshot: Snapshot) -> dict[str, set[str]]:
    """Whom the resources' policies name, beside the account, everybody, and the pipeline's own."""
    found: dict[str, set[str]] = {"AWS": set(), "Service": set(), "Federated": set()}
    for document in resource_documents(snapshot).values():
        for statement in listed(document):
            principal = statement.get("Principal")
            if not isinstance(principal, dict):
                continue
            for kind, names in principal.items():
                found.setdefault(kind, set()).update([names] if isinstance(names, str) else names)
    own = {"*", snapshot.account, *snapshot.identities}
    found["AWS"] = {name for name in found["AWS"] - own if not is_root_of(name, snapshot.account)}
    return found


def listed(document: Document) -> list[Document]:
    given = document.get("Statement", [])
    return [given] if isinstance(given, dict) else list(given)


def resource_documents(snapshot: Snapshot) -> dict[str, Document]:
    """Every document that hangs on a thing, the trust policies of roles among them."""
    trusts = {identity.arn: identity.trust for identity in snapshot.identities.values() if identity.trust is not None}
    return {**snapshot.resources, **trusts}


def compiled(document: Document | None, of_resource: bool) -> Statements:
    return compiled_text(json.dumps(document or {}), of_resource)


@functools.lru_cache(maxsize=4096)
def compiled_text(text: str, of_resource: bool) -> tuple[Statement, ...]:
    return statements_of(json.loads(text), of_resource)
