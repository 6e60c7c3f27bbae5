"""Where we are: the account and region that the environment's credentials lead to, and clients there."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# A wrong network shall be said within a minute, not after botocore's five.
CONFIG = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4})


class AccountError(RuntimeError):
    """What was asked for cannot be done in this account; the text says why and what to do."""


@dataclass(frozen=True)
class Place:
    """An account and a region. `endpoint` is what answers in AWS's place, if something does."""

    session: boto3.session.Session
    account: str
    region: str
    caller: str  # the ARN of whoever holds the credentials
    endpoint: str | None

    def client(self, service: str) -> Any:
        return client_of(self.session, service)

    @property
    def is_local(self) -> bool:
        return self.endpoint is not None

    def __str__(self) -> str:
        return f"account {self.account}, {self.region}" + (f" (at {self.endpoint}, not AWS)" if self.is_local else "")


@functools.cache
def client_of(session: boto3.session.Session, service: str) -> Any:
    return session.client(service, config=CONFIG)


def region_of(session: boto3.session.Session, variables: dict[str, str]) -> str:
    """The region that everything here uses. botocore knows AWS_DEFAULT_REGION only, Terraform prefers AWS_REGION."""
    named = {variables[name] for name in ("AWS_REGION", "AWS_DEFAULT_REGION") if variables.get(name)}
    if len(named) > 1:
        raise AccountError(
            "AWS_REGION and AWS_DEFAULT_REGION name two regions, and of the tools some obey the one, some the other: "
            "unset AWS_DEFAULT_REGION"
        )
    region = next(iter(named), session.region_name)
    if not region:
        raise AccountError("no region is named: export AWS_REGION, for example AWS_REGION=eu-central-1")
    return str(region)


def of_environment() -> Place:
    """Asks STS whose credentials these are. Raises AccountError if they are of no use."""
    variables = dict(os.environ)
    session = boto3.session.Session()
    session = boto3.session.Session(region_name=region_of(session, variables))
    try:
        identity = client_of(session, "sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise AccountError(
            f"AWS was asked whose credentials these are, and did not say ({one_line(error)}): sign in, for example "
            "with `aws sso login`, or export AWS_PROFILE"
        ) from error
    endpoint = variables.get("AWS_ENDPOINT_URL") or None
    return Place(session, str(identity["Account"]), str(session.region_name), str(identity["Arn"]), endpoint)


def one_line(error: BaseException) -> str:
    """An error's text as one line that a terminal can take."""
    text = " ".join(str(error).split())
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:300]
