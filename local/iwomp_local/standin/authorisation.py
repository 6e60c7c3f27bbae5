"""Which resources a request names, where ministack does not look: without this, IAM would judge other calls than AWS's.

- CodeBuild: builds belong to a project, and it is the project that a policy names.
- Systems Manager: GetParameters is judged for each of its names, and reading a SecureString also needs kms:Decrypt on
  its key, with the parameter's ARN as the encryption context.
- CloudWatch Logs: what names a stream is judged on the stream.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PARAMETER_READS = {"ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"}
# What cannot be told apart is named like nothing that a policy could grant by less than "*".
UNKNOWN = "*"


@dataclass(frozen=True)
class Decryption:
    """A use of a KMS key on the caller's behalf."""

    key_arn: str
    parameter_arn: str


class Resources(str):
    """The first resource of a request, as ministack wants it, and with it all the others."""

    __slots__ = ("decryptions", "every")
    every: tuple[str, ...]
    decryptions: tuple[Decryption, ...]

    def __new__(cls, every: tuple[str, ...], decryptions: tuple[Decryption, ...] = ()) -> Resources:
        self = super().__new__(cls, every[0])
        self.every = every
        self.decryptions = decryptions
        return self


def naming_resources(extract: Callable[..., str], key_of_parameter: Callable[[str], str | None]) -> Callable[..., str]:
    """Wraps ministack's reading of the resource from a request. `key_of_parameter` knows a SecureString's key ARN."""

    def extract_resource_arn(  # noqa: PLR0917 (the signature is ministack's)
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: Any,
        region: str,
        account: str,
    ) -> str:
        named = extract(service, method, path, headers, body, query, region, account)
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return named
        if not isinstance(request, dict):
            return named
        if service == "codebuild":
            return Resources(projects(request, f"arn:aws:codebuild:{region}:{account}:")) if named == "*" else named
        if service == "ssm":
            return parameters(named, request, f"arn:aws:ssm:{region}:{account}:parameter", key_of_parameter)
        if service == "logs" and request.get("logStreamName") and named != "*":
            return f"{named}:log-stream:{request['logStreamName']}"
        return named

    return extract_resource_arn


def projects(request: dict[str, Any], prefix: str) -> tuple[str, ...]:
    """The projects that the builds of a request belong to."""
    builds = request.get("ids") or ([request["id"]] if request.get("id") else [])
    names = [str(build).removeprefix(f"{prefix}build/").partition(":")[0] for build in builds]
    names += [str(name).removeprefix(f"{prefix}project/") for name in request.get("names") or []]
    return tuple(f"{prefix}project/{name}" for name in dict.fromkeys(names)) or (UNKNOWN,)


def parameters(named: str, request: dict[str, Any], prefix: str, key_of_parameter: Callable[[str], str | None]) -> str:
    names = request.get("Names") or ([request["Name"]] if request.get("Name") else [])
    if not names or not all(isinstance(name, str) for name in names):
        return named
    # A version or label selector is no part of the resource.
    paths = [name.removeprefix(prefix).split(":")[0] for name in names]
    arns = {path: prefix + (path if path.startswith("/") else f"/{path}") for path in paths}
    decryptions = [
        Decryption(key, arns[path])
        for path in paths
        if request.get("WithDecryption") and (key := key_of_parameter(path)) is not None
    ]
    return Resources(tuple(arns.values()), tuple(decryptions))


def judging_each(enforce: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps ministack's decision: a request is allowed if it is allowed on everything that it names."""

    def enforce_all(  # noqa: PLR0917 (the signature is ministack's)
        access_key: str, action: str, service: str, region: str, resource_arn: str = "*", service_context: Any = None
    ) -> Any:
        if not isinstance(resource_arn, Resources):
            return enforce(access_key, action, service, region, resource_arn, service_context)
        for arn in resource_arn.every:
            if denied := enforce(access_key, action, service, region, arn, service_context):
                return denied
        if action not in PARAMETER_READS:
            return None
        for use in resource_arn.decryptions:
            context = {
                "kms:EncryptionContext:PARAMETER_ARN": use.parameter_arn,
                "kms:ViaService": f"ssm.{region}.amazonaws.com",
            }
            if denied := enforce(access_key, "kms:Decrypt", "kms", region, use.key_arn, context):
                return denied
        return None

    return enforce_all
