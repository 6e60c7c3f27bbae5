"""The judge of the trust boundary by itself: the operators of IAM, what is left open, and what cannot be judged."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import iwomp_boundary
from iwomp_boundary.conditions import Context, Value, conditions_of
from iwomp_boundary.judge import Kind, Memory, Principal, Request, allowed, allowed_by_itself
from iwomp_boundary.policy import Document, statements_of
from iwomp_boundary.subjects import EVERYTHING
from iwomp_boundary.unjudged import Unjudged

OWN, OTHER = "111111111111", "222222222222"
THING = f"arn:aws:sqs:eu-central-1:{OWN}:things"
KEY = f"arn:aws:kms:eu-central-1:{OWN}:key/1"
ROLE = f"arn:aws:iam::{OWN}:role/builder"
OPEN: Value = "(open)"


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "met"),
    [
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "a", None, False),
        ("StringEquals", "a", OPEN, None),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", "b", False),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "a", "c", True),
        ("StringNotEquals", "a", None, True),
        ("StringLike", "repo:org/*", "repo:org/app:x", True),
        ("StringLike", "repo:org/?", "repo:org/ab", False),
        ("StringNotLike", "repo:org/*", "repo:org/app", False),
        ("ArnEquals", "arn:aws:sns:*:1:t", "arn:aws:sns:eu:1:t", True),
        ("ArnLike", "arn:aws:sns:*:t", "arn:aws:sns:eu:1:t", False),  # no wildcard over a colon
        ("ArnLike", "arn:aws:iam::1:role/p-*", "arn:aws:iam::1:role/p-a/b", True),
        ("ArnNotLike", "arn:aws:sns:*:1:t", "arn:aws:sns:eu:1:t", False),
        ("ArnNotEquals", "arn:aws:sns:*:1:t", None, True),
        ("Bool", "true", "true", True),
        ("Bool", True, "false", False),
        ("Null", "true", None, True),
        ("Null", "false", None, False),
        ("Null", "true", "a", False),
        ("Null", "true", OPEN, None),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringEquals", ["a"], None, True),
        ("ForAnyValue:StringEquals", ["a"], ("a", "c"), True),
        ("ForAnyValue:StringEquals", ["a"], None, False),
        ("ForAnyValue:StringNotEquals", ["a"], None, False),
        ("StringEquals", "a", ("a", "b"), None),  # several values where one is taken: AWS does not say which
        ("StringEquals", "${aws:username}", "x", None),
        ("IpAddress", "10.0.0.0/8", OPEN, None),
        ("DateLessThan", "2030-01-01T00:00:00Z", OPEN, None),
    ],
)
def test_an_operator_as_iam_documents_it(operator: str, wanted: Any, given: Value, met: bool | None) -> None:
    (condition,) = conditions_of({operator: {"x:Key": wanted}})
    assert condition.met({} if given == OPEN else {"x:key": given}) is met


@pytest.mark.parametrize(
    "statement",
    [
        {"Condition": {"StringEqualsRoughly": {"a": "b"}}},
        {"Condition": {"NullIfExists": {"a": "true"}}},
        {"Condition": {"StringEquals": {"a": []}}},
        {"Condition": {"StringEquals": {"a": {"b": "c"}}}},
        {"Effect": "Perhaps"},
        {"NotAction": "sns:*"},
        {"Principal": "*"},
        {"Action": []},
        {"Resources": "*"},
    ],
)
def test_what_is_not_understood_is_not_judged(statement: Document) -> None:
    with pytest.raises(Unjudged):
        statements_of({"Statement": {"Effect": "Allow", "Action": "sns:*", "Resource": "*", **statement}}, False)


@pytest.mark.parametrize("principal", [{"CanonicalUser": "x"}, {}, 1, {"AWS": []}])
def test_a_principal_that_is_not_understood_is_not_judged(principal: Any) -> None:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sns:*", "Resource": "*"}
    with pytest.raises(Unjudged):
        statements_of({"Statement": statement}, True)


def test_a_condition_with_a_number_whose_value_matters_is_not_judged() -> None:
    (condition,) = conditions_of({"NumericLessThan": {"a": 1}})
    with pytest.raises(Unjudged):
        condition.met({"a": "0"})


@pytest.mark.parametrize(
    ("statement", "speaks"),
    [
        ({"Resource": ["*:other", "*:things"]}, True),
        ({"Resource": ["*:other", "things"]}, False),
        ({"NotResource": ["*:other", "*:things"]}, False),
        ({"NotResource": ["*:other", "things"]}, True),
        # What a variable stands for is open: in doubt an Allow speaks of the thing, and a Deny does not.
        ({"Resource": ["*:other", "*:${aws:username}"]}, True),
        ({"NotResource": "*:${aws:username}"}, True),
        ({"Effect": "Deny", "Resource": "*:${aws:username}"}, False),
        ({"Effect": "Deny", "NotResource": "*:${aws:username}"}, False),
    ],
)
def test_a_statement_speaks_of_a_thing_that_any_of_its_resources_is(statement: Document, speaks: bool) -> None:
    (made,) = statements_of({"Statement": {"Effect": "Allow", "Action": "*", **statement}}, False)
    assert made.on(THING) is speaks


def user(account: str = OWN, identity: Document | None = None, boundary: Document | None = None) -> Principal:
    return Principal(
        f"arn:aws:iam::{account}:user/somebody",
        Kind.IDENTITY,
        account,
        statements_of(identity or {}, False),
        None if boundary is None else statements_of(boundary, False),
    )


def grant(principal: Any, **more: Any) -> Document:
    return {"Statement": {"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*", **more}}


ROOT = {"AWS": f"arn:aws:iam::{OWN}:root"}
SOMEBODY = {"AWS": f"arn:aws:iam::{OWN}:user/somebody"}
DENY_ALL: Document = {"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
OF_ANOTHER_ACTION: Document = {"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
MAYBE = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}


@pytest.mark.parametrize(
    ("who", "policy", "thing", "may"),
    [
        # In one account, either policy is enough.
        (user(), {}, THING, False),
        (user(identity=EVERYTHING), {}, THING, True),
        (user(), grant(SOMEBODY), THING, True),
        (user(), grant("*"), THING, True),
        (user(), grant(ROOT), THING, False),
        # Keys and roles are opened by their own policies.
        (user(identity=EVERYTHING), {}, KEY, False),
        (user(identity=EVERYTHING), grant(ROOT), KEY, True),
        (user(identity=EVERYTHING), {}, ROLE, False),
        (user(), grant(ROOT), ROLE, False),
        (user(), grant(SOMEBODY), ROLE, True),
        # Between accounts, both have to agree.
        (user(OTHER, EVERYTHING), {}, THING, False),
        (user(OTHER, EVERYTHING), grant({"AWS": OTHER}), THING, True),
        (user(OTHER), grant({"AWS": OTHER}), THING, False),
        (user(OTHER, EVERYTHING), grant("*"), THING, True),
        # A Deny wins, a boundary bounds, and what is open is the attacker's to choose.
        (user(identity=DENY_ALL), grant("*"), THING, False),
        (user(identity=EVERYTHING, boundary={}), {}, THING, False),
        (user(identity=EVERYTHING, boundary=EVERYTHING), {}, THING, True),
        (user(identity=EVERYTHING, boundary=OF_ANOTHER_ACTION), {}, THING, False),
        (user(identity=OF_ANOTHER_ACTION), {}, THING, False),
        (user(), grant(SOMEBODY, **MAYBE), THING, True),
        (user(identity=EVERYTHING), {"Statement": {**grant("*", **MAYBE)["Statement"], "Effect": "Deny"}}, THING, True),
        (Principal("*", Kind.ANONYMOUS), grant("*"), THING, True),
        (Principal("*", Kind.ANONYMOUS), grant(ROOT), THING, False),
        (Principal("sns.amazonaws.com", Kind.SERVICE), grant({"Service": "sns.amazonaws.com"}), THING, True),
        (Principal("s3.amazonaws.com", Kind.SERVICE), grant({"Service": "sns.amazonaws.com"}), THING, False),
    ],
)
def test_policies_come_together_as_iam_documents_it(who: Principal, policy: Document, thing: str, may: bool) -> None:
    action = {THING: "sqs:sendmessage", KEY: "kms:decrypt", ROLE: "sts:assumerole"}[thing]
    policies = {thing: statements_of(policy, True)}
    assert allowed(who, Request(action, thing, who.known), policies) is may
    assert allowed(who.about(action), Request(action, thing, who.known), policies) is may


def test_what_is_remembered_of_one_action_is_said_of_no_other() -> None:
    """A memory that is asked about everything, in any order, says what the judge says."""
    who = user(
        identity={
            "Statement": [
                {"Effect": "Allow", "Action": ["sqs:SendMessage", "kms:Decrypt"], "Resource": "*"},
                {"Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sts:*"], "Resource": THING},
                {
                    "Effect": "Deny",
                    "Action": "sqs:SendMessage",
                    "Resource": "*",
                    "Condition": {"Bool": {"x:a": "true"}},
                },
            ]
        }
    )
    policies = {
        KEY: statements_of(grant(ROOT), True),
        THING: statements_of({"Statement": {**grant(SOMEBODY)["Statement"], "Action": "sqs:DeleteMessage"}}, True),
    }
    actions = ["sqs:sendmessage", "sqs:receivemessage", "sqs:deletemessage", "kms:decrypt", "sts:assumerole"]
    contexts: list[Context] = [{}, {"x:a": "true"}, {"x:a": None}]
    every = list(itertools.product(actions, (THING, KEY, ROLE), contexts))
    said: set[tuple[bool, bool]] = set()
    for order in (every, every[::-1]):
        memory = Memory(who, policies)
        for action, thing, context in order:
            request = Request(action, thing, context)
            expected = (allowed(who, request, policies), allowed_by_itself(who, request))
            asked = memory.about(action)
            through = bool(list(asked.allowed(thing, {tuple(context.items()): context})))
            assert (through, asked.allowed_by_itself(request)) == expected
            said.add(expected)
    assert len(said) == 4, "all that can be said was said"


def test_the_judge_allows_whatever_the_local_aws_allows() -> None:
    """On requests that leave nothing open, both say the same: two evaluators, written apart."""
    evaluator = pytest.importorskip("ministack.core.iam_evaluator")
    statements: list[Document] = [
        {"Effect": effect, "Action": action, "Resource": resource, "Condition": condition}
        for effect, action, resource, condition in itertools.product(
            ("Allow", "Deny"),
            ("sns:Publish", "sns:*", "*", "s?s:pub*"),
            ("*", "arn:aws:sns:*:*:t", "arn:aws:sns:eu:1:t?"),
            (
                {},
                {"StringEquals": {"x:a": ["1", "2"]}},
                {"StringNotEquals": {"x:a": "1"}},
                {"StringLikeIfExists": {"x:a": "1*"}},
                {"Null": {"x:a": "true"}},
                {"ForAllValues:StringEquals": {"x:a": ["1", "2"]}},
                {"ArnLike": {"x:arn": "arn:aws:sns:*:1:*"}},
                {"StringEquals": {"x:a": "1"}, "Null": {"x:arn": "false"}},
            ),
        )
    ]
    requests = [
        (action, resource, {"x:a": a, "x:arn": arn})
        for action, resource, a, arn in itertools.product(
            ("sns:Publish", "sqs:SendMessage"),
            ("arn:aws:sns:eu:1:t", "arn:aws:sns:eu:1:tt"),
            (None, "1", "12"),
            (None, "arn:aws:sns:eu:1:x", "arn:aws:sns:eu:2:x"),
        )
    ]
    compared = 0
    for first, second in itertools.product(statements[:96:5], statements[::7]):
        document = {"Version": "2012-10-17", "Statement": [first, second]}
        who = user(identity=document)
        parsed = evaluator.parse_policy_document(document)
        for action, resource, context in requests:
            theirs = evaluator.EvalContext(
                principal_arn=who.name,
                principal_type="User",
                principal_account=OWN,
                action=action,
                resource_arn=resource,
                region="eu",
                service_context={key: value for key, value in context.items() if value is not None},
            )
            ours = allowed(who, Request(action.lower(), resource, context), {})
            assert ours == (evaluator.evaluate(theirs, [parsed]).decision == "Allow"), (document, action, context)
            compared += 1
    assert compared > 10_000


def test_the_proof_imports_nothing_of_an_emulator() -> None:
    package = Path(iwomp_boundary.__file__).parents[1]
    asked = "import sys, iwomp_boundary.command; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", asked], env={"PYTHONPATH": str(package)}, capture_output=True, text=True, check=True
    )
    assert "iwomp_boundary" in done.stdout.split()
    assert not {"iwomp_local", "iwomp_account", "ministack"} & set(done.stdout.split())
