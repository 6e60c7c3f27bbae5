"""What exists: the pipeline's things with their policies, and foreign things to judge actions on."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from iwomp_boundary.catalogue import catalogue, concrete
from iwomp_boundary.globs import filled
from iwomp_boundary.judge import Statements
from iwomp_boundary.pipeline import EVERYBODYS, TREES
from iwomp_boundary.policy import Document
from iwomp_boundary.snapshot import Snapshot
from iwomp_boundary.subjects import FOREIGN_ACCOUNT, compiled, resource_documents

FOREIGN = "x-foreign"
FILLINGS = (FOREIGN, "", "x/y", "x:y", "_default")
STREAMS = ("", ":*", ":log-stream:x")


@dataclass(frozen=True)
class World:
    """The pipeline's things with their policies, and what keys are compared with anywhere."""

    snapshot: Snapshot
    policies: Mapping[str, Statements]
    things: Mapping[str, tuple[str, ...]]  # by service
    literals: Mapping[str, frozenset[str]]  # values of condition keys in all policies, by key

    @functools.cached_property
    def requests(self) -> int:
        """How many requests all actions on all things are."""
        return sum(len(everywhere(action, self)) for action in catalogue().actions)


def world_of(snapshot: Snapshot) -> World:
    policies = {arn: compiled(text, True) for arn, text in resource_documents(snapshot).items()}
    policies[trap(snapshot)] = compiled(trap_policy(snapshot), True)
    identities = [
        compiled(text, False) for identity in snapshot.identities.values() for text in identity.policies.values()
    ]
    literals: dict[str, set[str]] = {}
    for statement in itertools.chain(*policies.values(), *identities):
        for condition in statement.conditions:
            literals.setdefault(condition.key, set()).update(condition.values)
    return World(snapshot, policies, things_of(snapshot), {key: frozenset(found) for key, found in literals.items()})


def trap(snapshot: Snapshot) -> str:
    """A queue that somebody else of the account has made for the launcher to drink from."""
    return snapshot.arn("sqs", f"{FOREIGN}-trap")


def trap_policy(snapshot: Snapshot) -> Document:
    """In one account a queue's policy is enough: it needs no word of the role's own."""
    names = {"AWS": [snapshot.launcher]}
    return {"Statement": {"Effect": "Allow", "Principal": names, "Action": "sqs:*", "Resource": trap(snapshot)}}


def things_of(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """The pipeline's own things, by service."""
    cp, arn = snapshot.config_path, snapshot.arn
    found = [*resource_documents(snapshot), *snapshot.identities, trap(snapshot)]
    found += [arn("ssm", f"parameter/{cp}/{name}") for name in ("", *EVERYBODYS)]
    found += [arn("ssm", f"parameter/{cp}{suffix}") for suffix in ("", *(f"-{tree}" for tree in TREES))]
    found += [arn("kms", f"alias/{cp}")]
    found += [
        arn("logs", f"log-group:/aws/lambda/{cp}--{name}{stream}")
        for name in ("launcher", "notifier", "courier", *(["broker"] if snapshot.broker else []))
        for stream in STREAMS
    ]
    found += [arn("scheduler", f"schedule-group/{cp}"), *snapshot.schedules]
    found += [arn("cloudwatch", f"alarm:{cp}--dead-letters"), snapshot.dashboard]
    found += [arn("events", f"rule/{cp}--{name}") for name in ("build-changed", "register-changed")]
    for name in snapshot.projects:
        found += [arn("ssm", f"parameter{path}") for path in snapshot.parameters_of(name, "main", "release/1")]
        found += [arn("codebuild", f"project/{cp}--{name}"), arn("codebuild", f"build/{cp}--{name}:x")]
        found += [arn("logs", f"log-group:/aws/codebuild/{cp}--{name}{stream}") for stream in STREAMS]
    return by_service(found)


def by_service(things: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for thing in things:
        found.setdefault(thing.split(":")[2], {})[thing] = None
    return {service: tuple(kept) for service, kept in found.items()}


def everywhere(action: str, world: World) -> tuple[str, ...]:
    """The pipeline's things of the action's service, foreign things of its types, and no thing at all."""
    own = world.things.get(service_of(action), ())
    place = (world.snapshot.partition, world.snapshot.region, world.snapshot.account)
    return (*own, *foreign_things(action, *place), "*")


@functools.cache
def foreign_things(action: str, partition: str, region: str, account: str) -> tuple[str, ...]:
    known = catalogue().actions.get(action)
    accounts = (account, FOREIGN_ACCOUNT)
    templates = known.templates if known else ()
    return tuple(concrete(template, partition, region, each, FOREIGN) for template in templates for each in accounts)


@functools.cache
def actions_about(service: str) -> frozenset[str]:
    return frozenset(action for action in catalogue().actions if service_of(action) == service)


@functools.cache
def service_of(action: str) -> str:
    """The service in the ARNs of what an action is about."""
    service = action.partition(":")[0]
    return "iam" if service == "sts" else service


@functools.lru_cache(maxsize=4096)
def witnesses(pattern: str) -> tuple[str, ...]:
    found = dict.fromkeys(filled(pattern, text) for text in FILLINGS)
    return tuple(thing for thing in found if thing.startswith("arn:") and thing.count(":") >= 5)  # noqa: PLR2004 (an ARN)
