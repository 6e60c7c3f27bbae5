"""What must be impossible, whatever a project's policies say: it changes, reads or starts nothing of the pipeline's.

And nothing of another project. Judged are the two selves that a project can have: its role with all of AWS inside its
fence, and what it makes with all of AWS inside its boundary.

- named: an action that can name a thing of ours, on each of these things;
- nameless: an action of a service in which we have things that names nothing at all. It has to be denied, or to stand
  in `stated.toml` with the reason why it cannot reach us; one that AWS adds stands nowhere, and is found;
- identities: what could make, change, pass or take somebody who is not bounded;
- all other actions: what they do they do with the caller's rights, with a role that was passed, or as a service; these
  are judged here, above, and as subjects of their own. They are counted.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from iwomp_boundary.catalogue import catalogue, concrete
from iwomp_boundary.conditions import Context
from iwomp_boundary.judge import Kind, Memory, Principal, Request, allowed_by_itself
from iwomp_boundary.pipeline import EVERYBODYS
from iwomp_boundary.policy import actions_like
from iwomp_boundary.snapshot import Project, Snapshot
from iwomp_boundary.stated import row_of, table
from iwomp_boundary.subjects import EVERYTHING, FENCE, FOREIGN_ACCOUNT, compiled, project_names
from iwomp_boundary.unjudged import Unjudged
from iwomp_boundary.world import FOREIGN, STREAMS, World, by_service, service_of

BOUNDARY = "iam:permissionsboundary"
NAMESPACE = "iwomp"
# What takes an identity's place, or lends it to a service.
BECOMING = frozenset({"sts:assumerole", "sts:assumeroot"})


@dataclass(frozen=True)
class Self:
    """Somebody that a project can be, and which part of the promise its policies have to keep by themselves."""

    label: str
    project: Project
    principal: Principal
    named: bool


def selves(snapshot: Snapshot) -> Iterator[Self]:
    everything = compiled(EVERYTHING, False)
    for project in snapshot.projects.values():
        made = f"{snapshot.roles}{project.path}x-made"
        bounds = compiled(project.boundary, False) if project.boundary else everything
        principal = Principal(made, Kind.IDENTITY, snapshot.account, everything, bounds)
        yield Self(f"{project.name} (whatever it makes)", project, principal, True)
        fence = compiled(snapshot.identities[project.role].policies.get(FENCE), False)
        fenced = Principal(project.role, Kind.IDENTITY, snapshot.account, (*everything, *fence))
        yield Self(f"{project.name} (fence, nameless)", project, fenced, False)


def breaches(self: Self, world: World, counts: Counter[str]) -> Iterator[str]:
    """What such a self may do and must not."""
    parts = [nameless(self, world), identities(self, world)]
    if self.named:
        parts.insert(0, named(self, world, counts))
    memory = Memory(self.principal, world.policies)
    for action, requests in itertools.groupby(itertools.chain.from_iterable(parts), lambda request: request.action):
        asked = memory.about(action)
        for request in requests:
            counts["requests"] += 1
            if asked.allowed_by_itself(request):
                how = ", ".join(f"{key} = {value or 'nothing'}" for key, value in request.context.items())
                yield f"may {catalogue().display(action)} on {request.resource}{f' with {how}' if how else ''}"


# An action on a thing


def named(self: Self, world: World, counts: Counter[str]) -> Iterator[Request]:
    """Every action on every thing that it can name, but for what the worker is there for."""
    snapshot, project = world.snapshot, self.project
    own = [row_of(row, project_names(snapshot, project.role)) for row in table()["project"]["may"]]
    own += [row_of(row, project_names(snapshot, project.role)) for row in table()["promise"]["may"]]
    things = by_service(things_of(snapshot, project))
    for action, named_in in services_of_actions():
        services = named_in & things.keys()
        if not services:
            counts["of other services"] += 1
            continue
        rights = [row for row in own if action in row.actions]
        for thing in itertools.chain.from_iterable(things[service] for service in sorted(services)):
            request = Request(action, thing, {})
            if any(row.covers(request, world.literals) for row in rights):
                counts["its own"] += 1
                continue
            yield request
    foreign = next((other.name for other in snapshot.projects.values() if other.name != project.name), FOREIGN)
    decrypted = snapshot.arn("ssm", f"parameter/{snapshot.config_path}-credentials/{foreign}")
    yield Request("kms:decrypt", snapshot.key, {"kms:encryptioncontext:parameter_arn": decrypted})


@functools.cache
def services_of_actions() -> tuple[tuple[str, frozenset[str]], ...]:
    """The actions in order, each with the services in whose things' names its own may stand."""
    return tuple(
        (action, frozenset({service_of(action), *(template.split(":")[2] for template in known.templates)}))
        for action, known in sorted(catalogue().actions.items())
    )


def things_of(snapshot: Snapshot, project: Project) -> Iterator[str]:
    """The pipeline's things, the project's own, and another's; one of each kind."""
    cp, arn, iam = snapshot.config_path, snapshot.arn, snapshot.roles.removesuffix("role")
    other = next((name for name in snapshot.projects if name != project.name), FOREIGN)
    yield from (*snapshot.topics[:2], snapshot.reports, *snapshot.queues, snapshot.key, arn("kms", f"alias/{cp}"))
    yield from (arn("sns", f"{cp}:x"), arn("sns", f"{cp}--x:x"), arn("sns", cp), snapshot.repository)
    yield from (*snapshot.deliveries, *snapshot.functions, f"{snapshot.function}:x", *snapshot.app_key)
    if snapshot.broker:  # aliases that are still to be made, too
        qualifiers = ("$LATEST", *(f"{use}-{name}" for use in ("fetch", "notify") for name in (project.name, other)))
        yield from (f"{snapshot.broker.function}:{qualifier}" for qualifier in qualifiers)
    yield from (arn("scheduler", f"schedule-group/{cp}"), arn("scheduler", f"schedule/{cp}/sweep"))
    yield from (arn("events", f"rule/{cp}--build-changed"), arn("cloudwatch", f"alarm:{cp}--dead-letters"))
    yield snapshot.dashboard
    yield arn("cloudformation", f"stack/{cp}--x/x")
    yield from (arn("ssm", f"parameter/{rest}") for rest in ("", cp, *(f"{cp}/{name}" for name in ("", *EVERYBODYS))))
    yield from (
        f"{iam}role/{snapshot.iam_prefix}launcher",
        f"{iam}role/{snapshot.iam_prefix}{other}",
        f"{iam}user/{snapshot.iam_prefix}x",
        f"{iam}policy/{snapshot.iam_prefix}x",
    )
    yield from (f"{iam}role/{cp}/{snapshot.region}/{other}/x", f"{iam}policy/{cp}/{snapshot.region}/{other}/x")
    yield from (arn("logs", f"log-group:/aws/lambda/{cp}--launcher{stream}") for stream in STREAMS)
    for name in dict.fromkeys((project.name, other)):
        yield from (arn("codebuild", f"{kind}/{cp}--{name}") for kind in ("project", "build", "report-group"))
        yield from (arn("logs", f"log-group:/aws/codebuild/{cp}--{name}{stream}") for stream in STREAMS)
        yield from (arn("ssm", f"parameter{path}") for path in snapshot.parameters_of(name, "main"))


# An action that names nothing of ours


def nameless(self: Self, world: World) -> Iterator[Request]:
    """What names nothing at all, in services in which we have things; and what is known to reach us all the same."""
    snapshot = world.snapshot
    services = {thing.split(":")[2] for thing in things_of(snapshot, self.project)} - {"iam", "cloudformation"}
    yield from (Request(action, "*", {}) for action in nameless_actions() if action.partition(":")[0] in services)
    for action in sorted(actions_like(tuple(table()["promise"]["never"]))):
        place = (snapshot.partition, snapshot.region, snapshot.account, FOREIGN)
        if action not in catalogue().actions:
            raise Unjudged(f"the action {action}, which stands in stated.toml and not in the catalogue")
        targets = (concrete(template, *place) for template in catalogue().actions[action].templates)
        yield from (Request(action, target, {}) for target in (*targets, "*"))
    for function in (snapshot.function, f"{snapshot.notifier_function}:x"):
        mapping = snapshot.arn("lambda", "event-source-mapping:x")
        for action, target in itertools.product(("create", "update", "delete"), (mapping, "*")):
            yield Request(f"lambda:{action}eventsourcemapping", target, {"lambda:functionarn": function})
    yield Request("cloudwatch:putmetricdata", "*", {"cloudwatch:namespace": NAMESPACE})


@functools.cache
def nameless_actions() -> tuple[str, ...]:
    """What names nothing and does something, but for what cannot reach us, each with a reason in `stated.toml`."""
    harmless = frozenset().union(*(actions_like(tuple(row["action"])) for row in table()["promise"]["harmless"]))
    found = (name for name, known in catalogue().actions.items() if not known.templates and known.level not in READS)
    return tuple(name for name in found if name not in harmless)


# Somebody who is not bounded


def identities(self: Self, world: World) -> Iterator[Request]:
    """To make, change, pass or take an identity: anybody else's, and an own one without the boundary."""
    snapshot, project = world.snapshot, self.project
    here: Context = {"aws:resourceaccount": snapshot.account}
    iam = snapshot.roles.removesuffix("role")
    own_role, own_user = f"{iam}role{project.path}x", f"{iam}user{project.path}x"
    boundary = {BOUNDARY: project.boundary_arn}
    for action in changes_of_identities():
        templates = catalogue().actions[action].templates
        for template in templates or ("*",):
            target = concrete(template, snapshot.partition, "", snapshot.account, FOREIGN) if templates else "*"
            for known in ({}, boundary) if action in bounded() else ({},):
                yield Request(action, target, {**here, **known})
    for arn in snapshot.identities:
        if ":role/" in arn:
            yield from (Request(action, arn, here) for action in ("iam:passrole", "sts:assumerole"))
    other = next((each.boundary_arn for each in snapshot.projects.values() if each is not project), "x")
    for action, target in itertools.product(bounded(), (own_role, own_user)):
        for wrong in (None, "arn:aws:iam::aws:policy/AdministratorAccess", f"{project.boundary_arn}-x", other):
            yield Request(action, target, {**here, BOUNDARY: wrong})
    for kind, target in (("role", own_role), ("user", own_user)):
        yield Request(f"iam:delete{kind}permissionsboundary", target, {**here, **boundary})


@functools.cache
def changes_of_identities() -> tuple[str, ...]:
    """All of IAM but reads, and what takes a role. Service-linked roles are AWS's own, and nobody's to take."""
    linked = {"iam:createservicelinkedrole", "iam:deleteservicelinkedrole"}
    iam = (name for name, known in catalogue().actions.items() if name.startswith("iam:") and known.level not in READS)
    return tuple(sorted({*iam, *BECOMING} - linked))


READS = frozenset({"List", "Read"})


@functools.cache
def bounded() -> tuple[str, ...]:
    """What gives an identity rights, or makes one."""
    kinds = ("AttachRolePolicy", "AttachUserPolicy", "CreateRole", "CreateUser", "PutRolePolicy", "PutUserPolicy")
    more = ("PutRolePermissionsBoundary", "PutUserPermissionsBoundary", "UpdateAssumeRolePolicy")
    return tuple(f"iam:{name}".lower() for name in (*kinds, *more))


def may_still(self: Self, world: World) -> Iterator[str]:
    """What a bounded self has to be able to do, or the promise is kept by forbidding everything."""
    snapshot, project = world.snapshot, self.project
    own = f"{snapshot.roles}{project.path}x"
    here: Context = {"aws:resourceaccount": snapshot.account, BOUNDARY: project.boundary_arn}
    abroad = f"arn:{snapshot.partition}:iam::{FOREIGN_ACCOUNT}:role/deploy"
    for request in (
        Request("iam:createrole", own, here),
        Request("iam:passrole", own, here),
        Request("sts:assumerole", own, here),
        Request("s3:putobject", "arn:aws:s3:::x/y", {}),
        Request("lambda:createfunction", snapshot.arn("lambda", "function:x"), {}),
        Request("cloudwatch:putmetricdata", "*", {"cloudwatch:namespace": "x"}),
        Request("sts:assumerole", abroad, {"aws:resourceaccount": FOREIGN_ACCOUNT}),
    ):
        if not allowed_by_itself(self.principal, request):
            name = catalogue().display(request.action)
            yield f"may not {name} on {request.resource}, which a deployment may need"
