"""AWS's own judges as a second witness, in an account: do they say of these policies what the proof says?

IAM's policy simulator is asked about each project's role as it is applied; Access Analyzer about each project's
boundary, whether it grants anything on the pipeline's things. Where they differ from our judge, one of them is wrong,
and somebody has to look. Neither changes anything, and the local AWS has neither.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from iwomp_boundary.catalogue import catalogue
from iwomp_boundary.judge import Kind, Principal, Request, allowed_by_itself
from iwomp_boundary.policy import statements_of
from iwomp_boundary.promise import things_of
from iwomp_boundary.snapshot import Project, Snapshot

Client = Callable[[str], Any]
ACTIONS_A_CALL = 50
# By the service of a thing: what somebody would try on it. A question takes a moment.
TRIED = {
    "codebuild": ("StartBuild", "UpdateProject", "StopBuild"),
    "iam": ("PassRole", "AttachRolePolicy", "CreatePolicyVersion", "UpdateAssumeRolePolicy"),
    "kms": ("Decrypt", "ScheduleKeyDeletion", "CreateGrant"),
    "lambda": ("InvokeFunction", "UpdateFunctionCode", "AddPermission"),
    "logs": ("PutLogEvents", "DeleteLogGroup", "FilterLogEvents"),
    "sns": ("Publish", "Subscribe", "SetTopicAttributes"),
    "sqs": ("SendMessage", "ReceiveMessage", "SetQueueAttributes"),
    "ssm": ("PutParameter", "GetParameter", "LabelParameterVersion", "AddTagsToResource"),
    "ecr": ("PutImage", "DeleteRepository"),
}


@dataclass(frozen=True)
class Hearing:
    """What came of one question: `said` tells both answers, or why there is none."""

    what: str
    agrees: bool
    said: str


def hearings(snapshot: Snapshot, client: Client) -> Iterator[Hearing]:
    """All questions, a project after another. A judge that cannot be asked is no witness, and that is said."""
    for project in snapshot.projects.values():
        for ask in (simulated, analysed):
            try:
                yield from ask(snapshot, project, client)
            except (ClientError, BotoCoreError) as error:
                yield Hearing(f"{project.name}: {ask.__name__}", False, f"could not be asked: {error}")


def simulated(snapshot: Snapshot, project: Project, client: Client) -> Iterator[Hearing]:
    """IAM's simulator on the role as it is, against our judge, thing by thing."""
    role = principal_of(snapshot, project)
    for thing in things_of(snapshot, project):
        names = [f"{thing.split(':')[2]}:{name}" for name in TRIED.get(thing.split(":")[2], ())]
        for some in batched(names, ACTIONS_A_CALL):
            pages = (
                client("iam")
                .get_paginator("simulate_principal_policy")
                .paginate(PolicySourceArn=project.role, ActionNames=some, ResourceArns=[thing])
            )
            for result in itertools.chain.from_iterable(page["EvaluationResults"] for page in pages):
                action = result["EvalActionName"]
                ours = allowed_by_itself(role, Request(action.lower(), thing, {}))
                theirs = result["EvalDecision"] == "allowed"
                # We leave open what a request does not say, and so may allow more; never less.
                agrees = ours == theirs or (ours and bool(result.get("MissingContextValues")))
                said = f"simulator {result['EvalDecision']}, proof {'allowed' if ours else 'denied'}"
                yield Hearing(f"{project.name}: {action} on {thing}", agrees, said)


def analysed(snapshot: Snapshot, project: Project, client: Client) -> Iterator[Hearing]:
    """Access Analyzer on the boundary: that it grants nothing which writes to another's things."""
    if project.boundary is None:
        yield Hearing(f"{project.name}: boundary", False, f"{project.boundary_arn} is not there")
        return
    bounds = Principal(project.role, Kind.IDENTITY, snapshot.account, statements_of(project.boundary, False))
    for thing in things_of(snapshot, project):
        names = [f"{thing.split(':')[2]}:{name}" for name in TRIED.get(thing.split(":")[2], ())]
        denied = [name for name in names if not allowed_by_itself(bounds, Request(name.lower(), thing, {}))]
        if not denied:
            continue
        answer = client("accessanalyzer").check_access_not_granted(
            policyDocument=json.dumps(project.boundary),
            access=[{"actions": denied, "resources": [thing]}],
            policyType="IDENTITY_POLICY",
        )
        what = f"{project.name}: boundary on {thing}"
        yield Hearing(what, answer["result"] == "PASS", f"analyzer {answer['result']}: {answer.get('message', '')}")


def principal_of(snapshot: Snapshot, project: Project) -> Principal:
    identity = snapshot.identities[project.role]
    own = tuple(itertools.chain.from_iterable(statements_of(text, False) for text in identity.policies.values()))
    bounds = None if identity.boundary is None else statements_of(identity.boundary, False)
    return Principal(project.role, Kind.IDENTITY, snapshot.account, own, bounds)


def batched(names: Iterable[str], size: int) -> Iterator[list[str]]:
    found = [name for name in names if name.lower() in catalogue().actions]
    for start in range(0, len(found), size):
        yield found[start : start + size]
