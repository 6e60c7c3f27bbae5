"""Where a policy document hangs, and how to put another one there."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any

from iwomp_boundary.identities import Identity
from iwomp_boundary.policy import Document
from iwomp_boundary.proof import Focus
from iwomp_boundary.snapshot import Project, Snapshot


@dataclass(frozen=True)
class Place:
    """A document of a snapshot: a policy of an identity, its trust, a project's boundary, or the policy of a thing."""

    kind: str  # identity, trust, boundary (of the project with the role `arn`), resource
    arn: str
    name: str = ""

    def __str__(self) -> str:
        owner = self.arn.split(":", 5)[5]
        return f"{owner} / {self.name or self.kind}"

    def of(self, snapshot: Snapshot) -> Document:
        if self.kind == "identity":
            return snapshot.identities[self.arn].policies[self.name]
        if self.kind == "boundary":
            return project_of(snapshot, self.arn).boundary or {}
        found = snapshot.identities[self.arn].trust if self.kind == "trust" else snapshot.resources[self.arn]
        return found or {}

    @property
    def focus(self) -> Focus:
        """What a change here can make a difference to: one identity, or the things of one service."""
        if self.kind == "boundary":
            return Focus(boundary=self.arn)
        return Focus(identity=self.arn) if self.kind == "identity" else Focus(service=self.arn.split(":")[2])

    def put(self, snapshot: Snapshot, document: Document) -> Snapshot:
        """A copy of the snapshot with another document here."""
        if self.kind == "resource":
            return changed(snapshot, resources={**snapshot.resources, self.arn: document})
        if self.kind == "boundary":
            project = project_of(snapshot, self.arn)
            other = dataclasses.replace(project, boundary=document or None)
            return changed(snapshot, projects={**snapshot.projects, project.name: other})
        old = snapshot.identities.get(self.arn) or Identity(self.arn)
        if self.kind == "trust":
            new = Identity(old.arn, old.policies, old.boundary, document)
        else:
            new = Identity(old.arn, {**old.policies, self.name: document}, old.boundary, old.trust)
        return changed(snapshot, identities={**snapshot.identities, self.arn: new})


def project_of(snapshot: Snapshot, role: str) -> Project:
    return next(project for project in snapshot.projects.values() if project.role == role)


def changed(snapshot: Snapshot, **fields: Any) -> Snapshot:
    made = copy.copy(snapshot)
    for name, value in fields.items():
        setattr(made, name, value)
    return made
