"""The stated set: reads `stated.toml`, puts a pipeline's names in, and says whether a request is in it."""

from __future__ import annotations

import functools
import itertools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iwomp_boundary.catalogue import catalogue
from iwomp_boundary.conditions import Value
from iwomp_boundary.globs import glob, has_wildcard, like
from iwomp_boundary.judge import Request
from iwomp_boundary.policy import actions_like

FILE = Path(__file__).with_name("stated.toml")
NAME = re.compile(r"\{(\w+)\}")
Names = Mapping[str, tuple[str, ...]]
START_BUILD = "codebuild:startbuild"
# Keys of StartBuild that may be there: those of the variables, which have a row of their own; the parents `environment`
# and `source`, which say no more than their parts; and a part that never comes without its `type`.
NO_OVERRIDE = re.compile(r"codebuild:(environment(\.environmentVariables.*)?|source(\.auth\.resource)?)")
# Buildkite and Bitbucket add something new to the subject of each job, behind a colon that no part before it can have.
JOB_TAIL = re.compile(
    r"organization:[^:*?]+:pipeline:[^:*?]+:ref:refs/heads/[^:*?]+:commit:\*|\{[0-9a-f-]+\}:\{[0-9a-f-]+\}:\*"
)


@dataclass(frozen=True)
class Rule:
    """What a condition key has to look like."""

    form: str  # one_of, only, absent, exact
    values: tuple[str, ...] = ()

    def keeps(self, value: Value, literals: frozenset[str]) -> bool:
        if self.form == "absent":
            return value is None
        if self.form == "only":
            given = () if value is None else (value,) if isinstance(value, str) else value
            return all(one in self.values for one in given)
        if not isinstance(value, str):
            return False
        if self.form == "exact":
            named = (literal for literal in literals if not has_wildcard(literal) or JOB_TAIL.fullmatch(literal))
            return any(like(value, literal) for literal in named)
        return any(like(value, pattern) for pattern in self.values)


@dataclass(frozen=True)
class Row:
    """A right: actions on things, under conditions."""

    actions: frozenset[str]
    shown: str
    on: tuple[str, ...]
    when: tuple[tuple[str, Rule], ...]  # by key in lower case
    must: bool

    def covers(self, request: Request, literals: Mapping[str, frozenset[str]]) -> bool:
        """Whether the request is within this right, as far as it says anything about itself."""
        if request.action not in self.actions or not self._things.fullmatch(request.resource):
            return False
        return all(
            rule.keeps(request.context[key], literals.get(key, frozenset()))
            for key, rule in self.when
            if key in request.context
        )

    @functools.cached_property
    def _things(self) -> re.Pattern[str]:
        return glob(*self.on)


@dataclass(frozen=True)
class Entry:
    """All that is said of a kind of principal. Without `judged` it is judged on everything."""

    who: str
    may: tuple[Row, ...]
    judged: tuple[Row, ...] | None


@functools.cache
def table() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text())


def entry_of(kind: str, names: Names) -> Entry:
    """A kind's entry with the names of one principal put in."""
    entry = table()[kind]
    judged = entry.get("judged")
    return Entry(
        str(entry["who"]),
        tuple(row_of(row, names) for row in rows_of(entry)),
        None if judged is None else tuple(row_of(row, names) for row in judged),
    )


def rows_of(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an entry, and those of the entries that it refers to."""
    may = entry["may"]
    rows = [may] if isinstance(may, str) else may
    return [row for each in rows for row in (rows_of(table()[each]) if isinstance(each, str) else [each])]


def row_of(row: dict[str, Any], names: Names) -> Row:
    on = tuple(text for pattern in row["on"] for text in put_in(pattern, names))
    when: list[tuple[str, Rule]] = []
    for key, rule in row.get("when", {}).items():
        for put in put_in(key, names):
            when += rules_of(put, rule, names)
    return Row(actions_like(tuple(row["action"])), ", ".join(row["action"]), on, tuple(when), row.get("must", True))


def rules_of(key: str, rule: Any, names: Names) -> list[tuple[str, Rule]]:
    if key == "every_override":
        keys = catalogue().actions[START_BUILD].condition_keys
        own = [name for name in keys if name.startswith("codebuild:") and not NO_OVERRIDE.fullmatch(name)]
        return [(re.sub(r"\$\{\w+\}", "x", name).lower(), Rule("absent")) for name in own]
    ((form, values),) = rule.items() if isinstance(rule, dict) else ((rule, True),)
    if form not in ("one_of", "only", "absent", "exact"):
        raise ValueError(f"{FILE.name}: {form!r} is no form of a condition")
    texts = values if isinstance(values, list) else []
    return [(key.lower(), Rule(form, tuple(text for value in texts for text in put_in(value, names))))]


def put_in(pattern: str, names: Names) -> list[str]:
    """The texts of a pattern: one for every value that each of its names has."""
    wanted = list(dict.fromkeys(NAME.findall(pattern)))
    choices = itertools.product(*(names[name] for name in wanted))
    return [NAME.sub(lambda found: dict(zip(wanted, choice, strict=True))[found[1]], pattern) for choice in choices]  # noqa: B023
