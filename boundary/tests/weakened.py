"""Weakened policies: each makes one of the applied documents allow more than it should, and the proof must notice.

A function yields every way in which it can weaken a statement. What would not change what anybody can do is left out,
with the reason; so each variant that the proof lets pass is a hole in the proof.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from iwomp_boundary.policy import Document
from iwomp_boundary.proof import Focus
from iwomp_boundary.snapshot import Snapshot
from iwomp_boundary.subjects import is_deploy, listed
from place import Place, changed
from weakened_boundaries import BOUNDARIES
from weakened_pipelines import PIPELINES
from weakened_statements import STATEMENTS


@dataclass(frozen=True)
class Weakening:
    """A snapshot with one weakened document."""

    how: str
    where: str
    snapshot: Snapshot
    focus: Focus


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
    yield from (Place("boundary", project.role) for project in list(snapshot.projects.values())[:1])


def weakenings(snapshot: Snapshot) -> Iterator[Weakening]:
    """Every weakened variant of a pipeline's policies."""
    bare = with_a_bare_app_key(snapshot)

    def made(how: str, where: str, place: Place, document: Document) -> Weakening:
        return Weakening(how, where, place.put(snapshot if place.kind == "resource" else bare, document), place.focus)

    for place in places(snapshot):
        statements = listed(place.of(snapshot))
        for number, statement in enumerate(statements):
            where = f"{place} / {statement.get('Sid') or number}"
            ways = BOUNDARIES if place.kind == "boundary" else STATEMENTS
            for how, weaken in ways.items():
                for instead in weaken(place, copy.deepcopy(statement)):
                    rest = [*statements[:number], *instead, *statements[number + 1 :]]
                    yield made(how, where, place, {**place.of(snapshot), "Statement": rest})
    for how, enlarge in PIPELINES.items():
        for what, place, document in enlarge(snapshot):
            yield made(how, what, place, document)


def with_a_bare_app_key(snapshot: Snapshot) -> Snapshot:
    """The App's key keeps builds off by itself. What fence and boundary say of it has to hold without that, too."""
    resources = dict(snapshot.resources)
    for key in snapshot.app_key:
        kept = [statement for statement in listed(resources[key]) if statement["Effect"] == "Allow"]
        resources[key] = {**resources[key], "Statement": kept}
    return changed(snapshot, resources=resources)
