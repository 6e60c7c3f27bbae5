"""Roles and users with all policies that speak for them, as IAM hands them out."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from iwomp_boundary.policy import Document


@dataclass
class Identity:
    """A role or a user: its policies by name, its boundary, and for a role who may take it."""

    arn: str
    policies: dict[str, Document] = field(default_factory=dict)
    boundary: Document | None = None
    trust: Document | None = None

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]


def roles_of(iam: Any, prefix: str, named: list[str]) -> Iterator[Identity]:
    """The roles that are named, and every other one with the pipeline's prefix."""
    for page in pages(iam, "list_roles"):
        for role in page["Roles"]:
            if role["Arn"] in named or role["RoleName"].startswith(prefix):
                yield role_of(iam, role["RoleName"])


def role_of(iam: Any, name: str) -> Identity:
    role = iam.get_role(RoleName=name)["Role"]
    inline = {
        policy: document(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])
        for page in pages(iam, "list_role_policies", RoleName=name)
        for policy in page["PolicyNames"]
    }
    managed = [
        policy["PolicyArn"]
        for page in pages(iam, "list_attached_role_policies", RoleName=name)
        for policy in page["AttachedPolicies"]
    ]
    return Identity(
        role["Arn"],
        {**inline, **{arn: managed_policy(iam, arn) for arn in managed}},
        boundary_of(iam, role),
        document(role["AssumeRolePolicyDocument"]),
    )


def users_of(iam: Any, prefix: str, named: list[str]) -> Iterator[Identity]:
    for page in pages(iam, "list_users"):
        for user in page["Users"]:
            if user["Arn"] in named or user["UserName"].startswith(prefix):
                yield user_of(iam, user)


def user_of(iam: Any, user: dict[str, Any]) -> Identity:
    name = user["UserName"]
    full = iam.get_user(UserName=name)["User"]
    policies = {
        policy: document(iam.get_user_policy(UserName=name, PolicyName=policy)["PolicyDocument"])
        for page in pages(iam, "list_user_policies", UserName=name)
        for policy in page["PolicyNames"]
    }
    managed = [
        policy["PolicyArn"]
        for page in pages(iam, "list_attached_user_policies", UserName=name)
        for policy in page["AttachedPolicies"]
    ]
    for group in iam.list_groups_for_user(UserName=name)["Groups"]:
        group_name = group["GroupName"]
        for policy in iam.list_group_policies(GroupName=group_name)["PolicyNames"]:
            got = iam.get_group_policy(GroupName=group_name, PolicyName=policy)
            policies[f"{group_name}/{policy}"] = document(got["PolicyDocument"])
        attached = iam.list_attached_group_policies(GroupName=group_name)["AttachedPolicies"]
        managed += [policy["PolicyArn"] for policy in attached]
    policies.update({arn: managed_policy(iam, arn) for arn in managed})
    return Identity(full["Arn"], policies, boundary_of(iam, full))


def managed_policy(iam: Any, arn: str) -> Document:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return document(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])


def boundary_of(iam: Any, entry: dict[str, Any]) -> Document | None:
    boundary = entry.get("PermissionsBoundary")
    return managed_policy(iam, boundary["PermissionsBoundaryArn"]) if boundary else None


def document(value: Any) -> Document:
    """A policy document, which IAM hands out as a URL-encoded text, others as a text."""
    if isinstance(value, dict):
        return value
    text = str(value)
    loaded: Document = json.loads(urllib.parse.unquote(text) if text.startswith("%") else text)
    return loaded


def pages(client: Any, operation: str, **arguments: Any) -> Iterator[Any]:
    yield from client.get_paginator(operation).paginate(**arguments)
