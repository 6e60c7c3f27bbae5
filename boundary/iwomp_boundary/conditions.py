"""Conditions of statements, judged on a request of which only some keys are known.

A key that the request leaves open may have any value, or none: whoever attacks chooses. So a condition on it is neither
met nor failed but open (None). An Allow counts if no condition fails; a Deny counts only if every condition is met.

After "IAM JSON policy elements: Condition operators" and "Single-valued vs. multivalued context keys" of the IAM user
guide. An operator that is not in there cannot be judged. Numbers, dates and addresses occur in no policy of the
pipeline, hence only open keys are judged with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from iwomp_boundary.globs import like
from iwomp_boundary.unjudged import Unjudged

# By key in lower case; None says that the request has no such key, a tuple that it has several values.
Value = str | tuple[str, ...] | None
Context = Mapping[str, Value]

ARN_PARTS = 6
SET_OPERATORS = ("forallvalues:", "foranyvalue:")
IF_EXISTS = "ifexists"
OPEN_ONLY = {
    *(f"{kind}{test}" for kind in ("numeric", "date") for test in ("equals", "notequals")),
    *(
        f"{kind}{test}{equals}"
        for kind in ("numeric", "date")
        for test in ("lessthan", "greaterthan")
        for equals in ("", "equals")
    ),
    "ipaddress",
    "notipaddress",
    "binaryequals",
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """One key of one operator of a statement."""

    set_operator: str
    test: str
    if_exists: bool
    key: str
    values: tuple[str, ...]

    def met(self, context: Context) -> bool | None:
        """Whether the request meets it; None if that depends on what the request leaves open."""
        if self.key not in context or any("${" in value for value in self.values):
            return None
        if self.test in OPEN_ONLY:
            raise Unjudged(f"a condition {self.test} on {self.key}, whose value matters here")
        value = context[self.key]
        if self.test == "null":
            return (value is None) == (self.values[0].lower() == "true")
        negated = "not" in self.test
        if value is None:
            return self.if_exists or self.set_operator == SET_OPERATORS[0] or (negated and not self.set_operator)
        given = (value,) if isinstance(value, str) else value
        compare = TESTS[self.test]
        hits = [any(compare(one, pattern) for pattern in self.values) != negated for one in given]
        if self.set_operator:
            return all(hits) if self.set_operator == SET_OPERATORS[0] else any(hits)
        # Several values for an operator that takes one: AWS does not say which counts.
        return hits[0] if len(set(hits)) == 1 else None


def conditions_of(block: Mapping[str, Mapping[str, Any]]) -> tuple[Condition, ...]:
    found = []
    for written, keys in block.items():
        rest = written.lower()
        set_operator = next((prefix for prefix in SET_OPERATORS if rest.startswith(prefix)), "")
        rest = rest.removeprefix(set_operator)
        if_exists = rest.endswith(IF_EXISTS)
        test = rest.removesuffix(IF_EXISTS)
        if test not in TESTS and test not in OPEN_ONLY and (test != "null" or set_operator or if_exists):
            raise Unjudged(f"the condition operator {written!r}")
        for key, given in keys.items():
            several = given if isinstance(given, list) else [given]
            if not several or not all(isinstance(value, str | bool | int) for value in several):
                raise Unjudged(f"the values {given!r} of a condition on {key}")
            values = tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in several)
            found.append(Condition(set_operator, test, if_exists, key.lower(), values))
    return tuple(found)


def arn_like(value: str, pattern: str) -> bool:
    """Part by part: a wildcard does not reach over a colon of the first five."""
    values, patterns = value.split(":", ARN_PARTS - 1), pattern.split(":", ARN_PARTS - 1)
    if len(values) != ARN_PARTS or len(patterns) != ARN_PARTS:
        return False
    return all(like(given, part) for given, part in zip(values, patterns, strict=True))


def same(value: str, pattern: str) -> bool:
    return value == pattern


def same_ignoring_case(value: str, pattern: str) -> bool:
    return value.lower() == pattern.lower()


TESTS: dict[str, Callable[[str, str], bool]] = {
    "stringequals": same,
    "stringnotequals": same,
    "stringequalsignorecase": same_ignoring_case,
    "stringnotequalsignorecase": same_ignoring_case,
    "stringlike": like,
    "stringnotlike": like,
    "arnequals": arn_like,
    "arnnotequals": arn_like,
    "arnlike": arn_like,
    "arnnotlike": arn_like,
    "bool": same_ignoring_case,
}
