"""Ways to weaken one statement of a policy. Each yields what to put in the statement's place."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from iwomp_boundary.subjects import FOREIGN_ACCOUNT
from place import Place

Entry = dict[str, Any]
PRINCIPAL_ARN = "aws:PrincipalArn"  # every signed request has it, so that to let it be absent is no weakening
Weaken = Callable[[Place, Entry], Iterator[list[Entry]]]
MORE = ("ssm:LabelParameterVersion", "ssm:PutResourcePolicy", "logs:DeleteLogGroup", "logs:GetLogEvents")
STATEMENTS: dict[str, Weaken] = {}


def of_allow(weaken: Weaken) -> Weaken:
    """Registers a weakening of statements that allow."""

    def guarded(place: Place, statement: Entry) -> Iterator[list[Entry]]:
        if statement["Effect"] == "Allow":
            yield from weaken(place, statement)

    STATEMENTS[weaken.__name__] = guarded
    return weaken


def of_deny(weaken: Weaken) -> Weaken:
    """Registers a weakening of statements that deny."""

    def guarded(place: Place, statement: Entry) -> Iterator[list[Entry]]:
        if statement["Effect"] == "Deny" and place.kind == "identity":
            yield from weaken(place, statement)

    STATEMENTS[weaken.__name__] = guarded
    return weaken


def is_of_signing(statement: Entry) -> bool:
    """Its condition has a key that a request to sign has alone (and one to verify, which tells nothing)."""
    return "kms:SigningAlgorithm" in str(statement.get("Condition"))


@of_allow
def any_action(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if not is_of_signing(statement):
        yield [{**statement, "Action": "*"}]


@of_allow
def any_action_of_the_service(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if is_of_signing(statement):
        return
    yield [{**statement, "Action": first(statement["Action"]).partition(":")[0] + ":*"}]


@of_allow
def not_action(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    yield [{**without(statement, "Action"), "NotAction": statement["Action"]}]


def narrowable(place: Place, statement: Entry) -> bool:
    """A thing's policy has one resource, its thing, whatever it says; and some actions know only `*`."""
    return place.kind == "identity" and statement["Resource"] != "*"


def held_off(place: Place, statement: Entry) -> bool:
    """The launcher denies itself every other queue, so that a wider right to its own is none."""
    return place.arn.endswith("launcher") and first(statement["Action"]).startswith("sqs:")


@of_allow
def any_resource(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if narrowable(place, statement):
        yield [{**statement, "Resource": "*"}]


@of_allow
def not_resource(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if narrowable(place, statement):
        yield [{**without(statement, "Resource"), "NotResource": statement["Resource"]}]


@of_allow
def wider_resource(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if narrowable(place, statement) and not held_off(place, statement):
        for wildcard in ("*", "?*"):
            wider = [arn.rstrip("*")[:-1] + wildcard for arn in several(statement["Resource"])]
            yield [{**statement, "Resource": wider}]


@of_allow
def any_region_and_account(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if narrowable(place, statement) and not held_off(place, statement):
        parts = [arn.split(":", 5) for arn in several(statement["Resource"])]
        yield [{**statement, "Resource": [":".join([*part[:3], "*", "*", part[5]]) for part in parts]}]


@of_allow
def resource_by_variable(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if narrowable(place, statement):
        arn = first(statement["Resource"]).split(":", 5)
        yield [{**statement, "Resource": ":".join([*arn[:5], "${aws:PrincipalTag/team}"])}]


@of_allow
def no_conditions(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if "Condition" in statement:
        yield [without(statement, "Condition")]


@of_allow
def one_condition_less(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, _values in conditions(statement):
        yield [with_condition(statement, operator, key, None)]


@of_allow
def if_exists(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if can_be_absent(place, operator, key):
            yield [with_condition(statement, operator, key, {f"{operator}IfExists": values})]


@of_allow
def for_all_values(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if can_be_absent(place, operator, key):
            yield [with_condition(statement, operator, key, {f"ForAllValues:{operator}": values})]


@of_allow
def for_any_value(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if operator.startswith("ForAllValues:"):
            yield [with_condition(statement, operator, key, {f"ForAnyValue:{operator.partition(':')[2]}": values})]


@of_allow
def condition_negated(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if operator != "Null":
            yield [with_condition(statement, operator, key, {negated(operator): values})]


@of_allow
def condition_on_anything(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, _values in conditions(statement):
        if operator != "Null":
            value = "arn:*:*:*:*:*" if operator.startswith("Arn") else "*"
            yield [with_condition(statement, operator, key, {loose(operator): value})]


@of_allow
def condition_by_prefix(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if operator != "Null":
            wider = [f"{value.rstrip('*')[:-1]}*" for value in several(values)]
            yield [with_condition(statement, operator, key, {loose(operator): wider})]


@of_allow
def override_demanded(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, _values in conditions(statement):
        if operator == "Null":
            yield [with_condition(statement, operator, key, {"Null": "false"})]


@of_allow
def one_more_variable(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if operator.startswith("ForAllValues:"):
            yield [with_condition(statement, operator, key, {operator: [*several(values), "CONFIGPATH"]})]


@of_allow
def any_principal(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    """Not where a condition names the same principals once more."""
    if place.kind != "identity" and PRINCIPAL_ARN not in statement.get("Condition", {}).get("ArnEquals", {}):
        yield [{**statement, "Principal": "*"}]
        yield [{**statement, "Principal": {"AWS": "*"}}]


@of_allow
def another_principal(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if place.kind != "identity":
        account = place.arn.split(":")[4]
        yield [{**statement, "Principal": {"AWS": f"arn:aws:iam::{FOREIGN_ACCOUNT}:root"}}]
        yield [{**statement, "Principal": {"AWS": f"arn:aws:iam::{account}:user/x-somebody"}}]
        yield [{**statement, "Principal": {"Service": "ec2.amazonaws.com"}}]
        yield [{**statement, "Principal": {"Federated": "cognito-identity.amazonaws.com"}}]


@of_allow
def the_account_too(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    """Of roles: for other things of the account its own policies decide anyway."""
    if place.kind == "trust":
        root = {"AWS": f"arn:aws:iam::{place.arn.split(':')[4]}:root"}
        yield [{**statement, "Principal": {**statement["Principal"], **root}, "Action": "sts:AssumeRole"}]


@of_allow
def not_principal(place: Place, statement: Entry) -> Iterator[list[Entry]]:
    if place.kind != "identity":
        yield [{**without(statement, "Principal"), "NotPrincipal": statement["Principal"]}]


@of_allow
def an_operator_that_nobody_knows(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, values in conditions(statement):
        if operator != "Null":
            yield [with_condition(statement, operator, key, {f"{operator}Roughly": values})]


@of_deny
def no_deny(_: Place, _statement: Entry) -> Iterator[list[Entry]]:
    yield []


@of_deny
def deny_as_allow(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    yield [{**statement, "Effect": "Allow"}]


@of_deny
def deny_of_one_action_less(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    actions = several(statement.get("Action", []))
    for action in actions if len(actions) > 1 else []:
        yield [{**statement, "Action": [other for other in actions if other != action]}]


@of_deny
def deny_of_all_but_one_more(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for action in ("kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "ecr:PutImage", "ecr:DeleteRepository", *MORE):
        if "NotAction" in statement and first(statement["NotAction"]).split(":")[0] == action.split(":")[0]:
            yield [{**statement, "NotAction": [*several(statement["NotAction"]), action]}]


@of_deny
def deny_on_less(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    resources = several(statement.get("Resource", []))
    for resource in resources:
        yield [{**statement, "Resource": [*(other for other in resources if other != resource), f"{resource}-x"]}]


@of_deny
def deny_of_all_but_more(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    if "NotResource" in statement:
        kept = several(statement["NotResource"])
        anything = ":".join([*kept[0].split(":")[:3], "*", "*", "*"])
        yield [{**statement, "NotResource": [*kept, anything]}]
        yield [{**statement, "NotResource": "*"}]


@of_deny
def deny_with_a_way_out(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    way_out = {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    yield [{**statement, "Condition": {**statement.get("Condition", {}), **way_out}}]


@of_deny
def deny_that_never_applies(_: Place, statement: Entry) -> Iterator[list[Entry]]:
    for operator, key, _values in conditions(statement):
        yield [with_condition(statement, operator, key, {"StringNotLike": "*"})]


# Parts of statements


def without(statement: Entry, element: str) -> Entry:
    return {key: value for key, value in statement.items() if key != element}


def several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def first(value: Any) -> str:
    return several(value)[0]


def conditions(statement: Entry) -> list[tuple[str, str, Any]]:
    block = statement.get("Condition", {})
    return [(operator, key, values) for operator, keys in block.items() for key, values in keys.items()]


def with_condition(statement: Entry, operator: str, key: str, put: dict[str, Any] | None) -> Entry:
    """The statement with another test of a key, or with none."""
    block = copy.deepcopy(statement["Condition"])
    del block[operator][key]
    for other, values in (put or {}).items():
        block.setdefault(other, {})[key] = values
    return {**statement, "Condition": {name: keys for name, keys in block.items() if keys}}


def can_be_absent(place: Place, operator: str, key: str) -> bool:
    """Not the encryption context in a role's policy: the key's own policy demands that there is one."""
    in_role = place.kind == "identity" and key.startswith("kms:EncryptionContext:")
    return operator != "Null" and ":" not in operator and key != PRINCIPAL_ARN and not in_role


def negated(operator: str) -> str:
    prefix, colon, test = operator.rpartition(":")
    for kind in ("String", "Arn"):
        test = test.replace(kind, f"{kind}Not") if test.startswith(kind) else test
    return f"{prefix}{colon}{test}"


def loose(operator: str) -> str:
    """The same test with wildcards."""
    return operator.replace("Equals", "Like")
