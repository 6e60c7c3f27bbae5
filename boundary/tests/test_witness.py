"""The second witness against stubbed answers: the local AWS has neither a policy simulator nor Access Analyzer.

What AWS itself says of these policies, no test here can show: `make verify-boundary` asks it in an account.
"""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from iwomp_boundary.identities import Identity
from iwomp_boundary.snapshot import Project, Snapshot
from iwomp_boundary.witness import TRIED, Hearing, analysed, hearings, simulated

ACCOUNT, REGION = "123456789012", "eu-central-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/p--{REGION}--shop"
NOTHING = {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
QUEUES = (f"arn:aws:sqs:{REGION}:{ACCOUNT}:p--triggers", f"arn:aws:sqs:{REGION}:{ACCOUNT}:p--triggers-dead")


def snapshot(policy: dict[str, Any]) -> Snapshot:
    project = Project("shop", ROLE, None, None, f"/p/{REGION}/shop/", f"arn:aws:iam::{ACCOUNT}:policy/x", NOTHING)
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:p--launcher"
    return Snapshot(
        account=ACCOUNT,
        region=REGION,
        partition="aws",
        config_path="p",
        projects={"shop": project},
        identities={ROLE: Identity(ROLE, {"own": policy})},
        publishers={},
        resources={},
        topics=(f"arn:aws:sns:{REGION}:{ACCOUNT}:p",),
        queues=QUEUES,
        key=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
        launcher=ROLE,
        function=function,
        notifier=ROLE,
        notifier_function=function,
        courier=ROLE,
        courier_function=function,
        event_buses=(),
        deliveries=QUEUES,
        reports=f"arn:aws:sns:{REGION}:{ACCOUNT}:p--reports",
        scheduler=ROLE,
        schedules={},
        repository=f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/p",
    )


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")


def simulator(decision: str, calls: int, missing: tuple[str, ...] = ()) -> Any:
    """IAM, whose simulator says the same of every action."""
    iam = client("iam")
    stubber = Stubber(iam)
    for _ in range(calls):
        results = [
            {"EvalActionName": "sqs:SendMessage", "EvalDecision": decision, "MissingContextValues": list(missing)}
        ]
        given = {"PolicySourceArn": ROLE, "ActionNames": ANY, "ResourceArns": ANY}
        stubber.add_response("simulate_principal_policy", {"EvaluationResults": results, "IsTruncated": False}, given)
    stubber.activate()
    return iam


@pytest.mark.parametrize(
    ("policy", "decision", "missing", "agrees"),
    [
        (NOTHING, "implicitDeny", (), True),
        (NOTHING, "allowed", (), False),
        ({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, "allowed", (), True),
        ({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, "explicitDeny", (), False),
        ({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, "implicitDeny", ("aws:a",), True),
    ],
)
def test_where_the_simulator_and_the_proof_differ_that_is_said(
    policy: dict[str, Any], decision: str, missing: tuple[str, ...], agrees: bool
) -> None:
    world = snapshot(policy)
    iam = simulator(decision, 200, missing)
    said = list(simulated(world, world.projects["shop"], lambda _: iam))
    assert said
    assert {testimony.agrees for testimony in said} == {agrees}
    assert all(decision in testimony.said for testimony in said)


@pytest.mark.parametrize(("result", "agrees"), [("PASS", True), ("FAIL", False)])
def test_the_analyzer_is_asked_whether_the_boundary_grants_what_the_proof_denies(result: str, agrees: bool) -> None:
    world = snapshot(NOTHING)
    analyzer = client("accessanalyzer")
    stubber = Stubber(analyzer)
    for _ in range(200):
        given = {"policyDocument": ANY, "access": ANY, "policyType": "IDENTITY_POLICY"}
        stubber.add_response("check_access_not_granted", {"result": result, "message": "why"}, given)
    stubber.activate()
    said = list(analysed(world, world.projects["shop"], lambda _: analyzer))
    assert len(said) > len(TRIED)
    assert {testimony.agrees for testimony in said} == {agrees}


def test_a_judge_that_cannot_be_asked_is_no_witness() -> None:
    world = snapshot(NOTHING)

    def refusing(service: str) -> Any:
        made = client(service)
        stubber = Stubber(made)
        operation = "simulate_principal_policy" if service == "iam" else "check_access_not_granted"
        stubber.add_client_error(operation, "AccessDenied", "no")
        stubber.activate()
        return made

    said: list[Hearing] = list(hearings(world, refusing))
    assert [testimony.agrees for testimony in said] == [False, False]
    assert all("could not be asked" in testimony.said for testimony in said)
