"""A policy document as statements, read strictly: what is not understood cannot be judged, and that fails the proof."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from iwomp_boundary.catalogue import catalogue
from iwomp_boundary.conditions import Condition, conditions_of
from iwomp_boundary.globs import VARIABLE, glob, has_wildcard
from iwomp_boundary.unjudged import Unjudged

Document = dict[str, Any]
ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"}
DOCUMENT_KEYS = {"Version", "Id", "Statement"}


@functools.cache
def actions_like(patterns: tuple[str, ...]) -> frozenset[str]:
    """The known actions that any pattern matches, in lower case; and what is no pattern, known or not."""
    lower = [pattern.lower() for pattern in patterns]
    found = {pattern for pattern in lower if not has_wildcard(pattern)}
    for pattern in lower:
        if pattern in found:
            continue
        matches = glob(pattern).fullmatch
        found.update(name for name in catalogue().actions if matches(name))
    return frozenset(found)


@functools.cache
def actions_unlike(patterns: tuple[str, ...]) -> frozenset[str]:
    return frozenset(catalogue().actions) - actions_like(patterns)


@dataclass(frozen=True)
class Statement:
    """One statement. `principals` is None where the document belongs to a principal, which then names none."""

    sid: str
    allows: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    principals: dict[str, tuple[str, ...]] | None
    conditions: tuple[Condition, ...]
    matched: frozenset[str] = field(compare=False, repr=False)

    def on(self, resource: str) -> bool:
        """Whether the statement speaks of this resource. In doubt, because of a variable, an Allow does."""
        return (self._named.fullmatch(resource) is not None) != self.not_resources

    @functools.cached_property
    def _named(self) -> re.Pattern[str]:
        """All resources at once: they are asked about more often than anything else."""
        if self.allows == self.not_resources:
            return glob(*(pattern for pattern in self.resources if "${" not in pattern))
        return glob(*(VARIABLE.sub("*", pattern) for pattern in self.resources))


def statements_of(document: Document, of_resource: bool) -> tuple[Statement, ...]:
    """The statements of a document; of one that hangs on a resource each has to name its principals."""
    if unknown := set(document) - DOCUMENT_KEYS:
        raise Unjudged(f"a policy document with {sorted(unknown)}")
    given = document.get("Statement", [])
    return tuple(statement_of(entry, of_resource) for entry in ([given] if isinstance(given, dict) else given))


def statement_of(entry: Document, of_resource: bool) -> Statement:
    sid = str(entry.get("Sid", ""))
    if unknown := set(entry) - ELEMENTS:
        raise Unjudged(f"statement {sid!r} with {sorted(unknown)}")
    if "NotPrincipal" in entry:
        raise Unjudged(f"statement {sid!r} with NotPrincipal, which nearly always means more than it says")
    if entry.get("Effect") not in ("Allow", "Deny"):
        raise Unjudged(f"statement {sid!r} with the effect {entry.get('Effect')!r}")
    if ("Principal" in entry) != of_resource or ("Action" in entry) == ("NotAction" in entry):
        raise Unjudged(f"statement {sid!r} with elements that do not go together")
    actions = texts(entry.get("Action", entry.get("NotAction")))
    # A trust policy names no resource: it hangs on its role.
    resources = texts(entry.get("Resource", entry.get("NotResource", "*")))
    return Statement(
        sid=sid,
        allows=entry["Effect"] == "Allow",
        actions=actions,
        not_actions="NotAction" in entry,
        resources=resources,
        not_resources="NotResource" in entry,
        principals=principals_of(entry["Principal"]) if of_resource else None,
        conditions=conditions_of(entry.get("Condition", {})),
        matched=actions_unlike(actions) if "NotAction" in entry else actions_like(actions),
    )


def principals_of(value: Any) -> dict[str, tuple[str, ...]]:
    if value == "*":
        return {"AWS": ("*",)}
    if not isinstance(value, dict) or not value or set(value) - {"AWS", "Service", "Federated"}:
        raise Unjudged(f"the principal {value!r}")
    return {kind: texts(names) for kind, names in value.items()}


def texts(value: Any) -> tuple[str, ...]:
    """What may be written as one text or as a list of texts."""
    found = (value,) if isinstance(value, str) else tuple(value if isinstance(value, Iterable) else ())
    if not found or not all(isinstance(text, str) for text in found):
        raise Unjudged(f"{value!r} where texts belong")
    return found
