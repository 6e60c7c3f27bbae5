"""Weakened policies: each makes one of the applied documents allow more than it should, and the proof must notice.

A function yields every way in which it can weaken a statement. What would not change what anybody can do is left out,
with the reason; so each variant that the proof lets pass is a hole in the proof.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

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
    for place in places(snapshot):
        statements = listed(place.of(snapshot))
        for number, statement in enumerate(statements):
            where = f"{place} / {statement.get('Sid') or number}"
            ways = BOUNDARIES if place.kind == "boundary" else STATEMENTS
            for how, weaken in ways.items():
                for made in weaken(place, copy.deepcopy(statement)):
                    rest = [*statements[:number], *made, *statements[number + 1 :]]
                    weakened = place.put(snapshot, {**place.of(snapshot), "Statement": rest})
                    yield Weakening(how, where, weakened, place.focus)
    for how, enlarge in PIPELINES.items():
        for what, place, document in enlarge(snapshot):
            yield Weakening(how, what, place.put(snapshot, document), place.focus)
