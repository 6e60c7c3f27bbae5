"""Ways to weaken what bounds a project and all that it makes. It allows, so that to weaken it is to allow more."""

from __future__ import annotations

from collections.abc import Iterator

from place import Place
from weakened_statements import Entry, Weaken, conditions, several, with_condition

BOUNDARIES: dict[str, Weaken] = {}


def of_boundary(weaken: Weaken) -> Weaken:
    BOUNDARIES[weaken.__name__] = weaken
    return weaken


@of_boundary
def boundary_denies_not(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if statement["Effect"] == "Deny":
        yield []


@of_boundary
def boundary_denies_one_action_less(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    actions = several(statement["Action"])
    if statement["Effect"] == "Deny" and len(actions) > 1:
        for action in actions:
            yield [{**statement, "Action": [other for other in actions if other != action]}]


@of_boundary
def boundary_denies_something_else(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if statement["Effect"] == "Deny":
        for operator, key, values in conditions(statement):
            yield [with_condition(statement, operator, key, {operator: [f"{value}-x" for value in several(values)]})]
            yield [with_condition(statement, operator, key, {"StringNotLike": "*"})]


@of_boundary
def boundary_lends_more(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if statement["Effect"] == "Deny" and "NotResource" in statement:
        for wildcard in ("arn:aws:iam::*:role/*", "*"):
            yield [{**statement, "NotResource": [*several(statement["NotResource"]), wildcard]}]


@of_boundary
def boundary_forgets_a_thing(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if statement["Effect"] == "Allow" and "NotResource" in statement:
        things = several(statement["NotResource"])
        for thing in things:
            yield [{**statement, "NotResource": [other for other in things if other != thing]}]


@of_boundary
def boundary_allows_on_everything(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if statement["Effect"] == "Allow":
        rest = {key: value for key, value in statement.items() if key not in ("Resource", "NotResource")}
        if not several(statement["Action"])[0].startswith("ecr:"):  # images of others are not the pipeline's
            yield [{**rest, "Resource": "*"}]


@of_boundary
def boundary_allows_any_action(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if statement["Effect"] == "Allow" and statement["Action"] != "*":
        yield [{**statement, "Action": "*"}]


@of_boundary
def boundary_of_two_projects(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if statement["Effect"] == "Allow" and "Resource" in statement:
        wider = [
            f"{arn.removesuffix('/*').rpartition('/')[0]}/*"
            for arn in several(statement["Resource"])
            if ":parameter/" in arn
        ]
        if wider:
            yield [{**statement, "Resource": wider}]


@of_boundary
def boundary_decrypts_for_others(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if statement["Effect"] == "Allow":
        for operator, key, _values in conditions(statement):
            yield [with_condition(statement, operator, key, None)]
            yield [with_condition(statement, operator, key, {operator: "*"})]
