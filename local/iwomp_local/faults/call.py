"""Reads from a request which call of AWS it is, and writes the answers that AWS gives when it does not serve one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import parse_qs

SCOPE = re.compile(r"Credential=[^/,]+/\d{8}/[^/,]+/(?P<service>[^/,]+)/aws4_request")
UNKNOWN = "?"
Headers = Mapping[str, str] | Message


@dataclass(frozen=True)
class Call:
    """A call of an AWS API."""

    service: str
    operation: str
    is_json: bool = True


@dataclass(frozen=True)
class Answer:
    """What is sent instead of AWS's answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def read(method: str, path: str, headers: Headers, body: bytes) -> Call:
    """The service stands in the signature's scope; the operation in a header, in the form, or in the path."""
    scope = SCOPE.search(headers.get("Authorization") or "")
    service = scope["service"] if scope else UNKNOWN
    if target := headers.get("X-Amz-Target"):
        return Call(service, target.rpartition(".")[2])
    if action := parse_qs(body.decode(errors="replace")).get("Action"):
        return Call(service, action[0], is_json=False)
    return Call(service, f"{method} {path.partition('?')[0]}")


def error(call: Call, status: int, code: str, message: str) -> Answer:
    if call.is_json:
        text = json.dumps({"__type": code, "message": message})
        return Answer(status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}, text.encode())
    text = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    )
    return Answer(status, {"Content-Type": "text/xml"}, text.encode())


def broken(call: Call) -> Answer:
    return error(call, 500, "InternalServerError" if call.service != "sns" else "InternalError", "injected")


def throttled(call: Call) -> Answer:
    return error(call, 400, "ThrottlingException" if call.is_json else "Throttling", "Rate exceeded")


def limit() -> Answer:
    call = Call("codebuild", "StartBuild")
    return error(call, 400, "AccountLimitExceededException", "Cannot have more than 60 builds in queue for the account")
