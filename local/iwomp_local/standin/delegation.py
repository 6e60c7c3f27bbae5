"""What IAM has to know of requests that make, change or pass roles, map queues to functions, or count metrics.

ministack gives policies the name of a role without its path, and of these requests no condition key at all:

- IAM: the path is part of the ARN, and iam:PermissionsBoundary the boundary that is given, or is there.
- Lambda: to change or delete a mapping is an action, and lambda:FunctionArn is its function: the one that is given, or
  else the one that is there.
- CloudWatch: cloudwatch:namespace is where PutMetricData counts.
- Who gives a role to a service needs iam:PassRole on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

BOUNDARY = "iam:PermissionsBoundary"
FUNCTION = "lambda:FunctionArn"
NAMESPACE = "cloudwatch:namespace"
OF_LAMBDA, OF_CODEBUILD, OF_OTHERS = "Role", "serviceRole", ("RoleARN", "RoleArn", "roleArn")
KINDS = {"RoleName": "role", "UserName": "user", "PolicyName": "policy", "InstanceProfileName": "instance-profile"}
IN_JSON = re.compile(rb'"Namespace"\s*:\s*"(?P<namespace>[^"]*)"')
# An IAM thing of any kind, by kind and name, and a mapping of Lambda's by its id; None where there is none.
Thing = Callable[[str, str], dict[str, Any] | None]


def text_of(query: Any, name: str) -> str:
    """A parameter of the query protocol."""
    value = query.get(name) if hasattr(query, "get") else None
    found = value[0] if isinstance(value, list) and value else value
    return str(found or "")


def identity(query: Any, account: str, thing: Thing) -> tuple[str, dict[str, Any]] | None:
    """ARN and condition keys of a request to IAM that names a role, a user, a policy or an instance profile."""
    if text_of(query, "PolicyArn") and not any(text_of(query, name) for name in ("RoleName", "UserName", "GroupName")):
        return None  # of a policy that exists, whose whole ARN ministack has
    action = text_of(query, "Action")
    for parameter, kind in KINDS.items():
        name = text_of(query, parameter)
        if not name or (kind == "policy" and action != "CreatePolicy"):
            continue
        there = thing(kind, name)
        made = f"arn:aws:iam::{account}:{kind}{text_of(query, 'Path') or '/'}{name}"
        arn = str(there["Arn"]) if there and not action.startswith("Create") else made
        boundary = text_of(query, "PermissionsBoundary") or (there or {}).get("PermissionsBoundary")
        if isinstance(boundary, dict):
            boundary = boundary.get("PermissionsBoundaryArn")
        return arn, {BOUNDARY: str(boundary)} if boundary else {}
    return None


def mapping(path: str, request: dict[str, Any], prefix: str, thing: Thing) -> dict[str, Any]:
    """The condition keys of a request about a mapping of events to a function."""
    _, found, rest = path.partition("/event-source-mappings")
    if not found:
        return {}
    there = thing("mapping", rest.strip("/")) or {}
    name = request.get("FunctionName") or there.get("FunctionArn")
    if not name:
        return {}
    return {FUNCTION: name if str(name).startswith("arn:") else f"{prefix}{name}"}


def changing_mappings(action_of: Callable[[str, str], str | None]) -> Callable[[str, str], str | None]:
    """Wraps ministack's reading of Lambda's actions, which lets whoever has a key change a mapping."""

    def lambda_action(method: str, path: str) -> str | None:
        changed = {"PUT": "UpdateEventSourceMapping", "DELETE": "DeleteEventSourceMapping"}.get(method)
        return changed if changed and "/event-source-mappings/" in path else action_of(method, path)

    return lambda_action


def counted(body: bytes, query: Any) -> dict[str, Any]:
    """The condition keys of PutMetricData, as a form or in JSON, which Terraform and boto3 speak."""
    found = IN_JSON.search(body)
    namespace = text_of(query, "Namespace") or (found["namespace"].decode(errors="replace") if found else "")
    return {NAMESPACE: namespace} if namespace else {}


def passed(service: str, request: dict[str, Any]) -> tuple[str, ...]:
    """The roles that a request gives to a service."""
    keys = {"lambda": (OF_LAMBDA,), "codebuild": (OF_CODEBUILD,)}.get(service, OF_OTHERS)
    targets = [request.get("Target"), *(request.get("Targets") or [])]
    holders = [request, *(target for target in targets if isinstance(target, dict))]
    found = [holder.get(key) for holder in holders for key in keys]
    return tuple(role for role in found if isinstance(role, str) and ":role/" in role)
