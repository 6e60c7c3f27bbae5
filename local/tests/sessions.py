"""Clients with the rights of one role, as a build or a function has them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config

from iwomp_local.emulator import ACCOUNT, REGION, Emulator

Client = Callable[[str], Any]
# One for all: what it knows of AWS's services takes long to read.
SESSION = boto3.session.Session(region_name=REGION)


def of_role(emulator: Emulator, role_arn: str) -> Client:
    """A session of a role. For the moment of taking it the role trusts the account; what it may do, IAM judges."""
    iam, name = emulator.client("iam"), role_arn.rpartition("/")[2]
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    account = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    opened = {"Version": "2012-10-17", "Statement": [account]}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(opened))
    try:
        taken = emulator.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="tests")["Credentials"]
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    names = {
        "AWS_ACCESS_KEY_ID": "AccessKeyId",
        "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
        "AWS_SESSION_TOKEN": "SessionToken",
    }
    return with_variables(emulator, {name: taken[field] for name, field in names.items()})


def with_variables(emulator: Emulator, variables: Mapping[str, str]) -> Client:
    """With the credentials of an environment."""
    config = Config(proxies={}, connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 2})
    return functools.cache(
        lambda service: SESSION.client(
            service,
            endpoint_url=emulator.url,
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=variables["AWS_SESSION_TOKEN"],
            config=config,
        )
    )
