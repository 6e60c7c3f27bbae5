"""What IAM has to know of a request, where ministack does not look: it would judge other calls than AWS's otherwise.

- CodeBuild: builds belong to a project, and it is the project that a policy names; what StartBuild overrides is in
  condition keys.
- Systems Manager: GetParameters is judged for each of its names, GetParametersByPath for its path, and reading a
  SecureString also needs kms:Decrypt on its key, with the parameter's ARN as the encryption context.
- SNS and SQS: a batch needs the right to its single call; there is no other. A subscription is what Unsubscribe names.
- CloudWatch Logs: what names a stream is judged on the stream.
- EventBridge: a rule of the default bus has no bus in its ARN, and targets are judged on their rule.
- Scheduler: a schedule is one of its group.
- IAM, Lambda's mappings, CloudWatch's metrics, and roles that are passed: delegation.py.
- aws:PrincipalArn of a role's session is the role's ARN.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from iwomp_local.standin import delegation
from iwomp_local.standin.delegation import Thing

# StartBuild's fields and the condition keys that AWS documents for them.
OVERRIDES = {
    "artifactsOverride": "codebuild:artifacts",
    "autoRetryLimitOverride": "codebuild:autoRetryLimit",
    "buildspecOverride": "codebuild:source.buildspec",
    "cacheOverride": "codebuild:cache",
    "computeTypeOverride": "codebuild:environment.computeType",
    "encryptionKeyOverride": "codebuild:encryptionKey",
    "environmentTypeOverride": "codebuild:environment.type",
    "imageOverride": "codebuild:environment.image",
    "logsConfigOverride": "codebuild:logsConfig",
    "privilegedModeOverride": "codebuild:environment.privilegedMode",
    "serviceRoleOverride": "codebuild:serviceRole",
    "sourceLocationOverride": "codebuild:source.location",
}
VARIABLE_NAMES = "codebuild:environment.environmentVariables.name"
SESSION = re.compile(r"arn:(?P<partition>[a-z-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+\Z")

OF_BATCHES = {
    "sns:PublishBatch": "sns:Publish",
    **{f"sqs:{single}Batch": f"sqs:{single}" for single in ("ChangeMessageVisibility", "DeleteMessage", "SendMessage")},
}
PARAMETER_READS = {"ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParameters", "ssm:GetParametersByPath"}
# What cannot be told apart is named like nothing that a policy could grant by less than "*".
UNKNOWN = "*"


@dataclass(frozen=True)
class Decryption:
    """A use of a KMS key on the caller's behalf."""

    key_arn: str
    parameter_arn: str


class Resources(str):
    """The first resource of a request, as ministack wants it, and with it all the others."""

    __slots__ = ("context", "decryptions", "every", "passed")
    every: tuple[str, ...]
    passed: tuple[str, ...]
    decryptions: tuple[Decryption, ...]
    context: dict[str, Any]

    def __new__(
        cls,
        every: tuple[str, ...],
        decryptions: tuple[Decryption, ...] = (),
        context: dict[str, Any] | None = None,
        passed: tuple[str, ...] = (),
    ) -> Resources:
        self = super().__new__(cls, every[0])
        self.passed = passed
        self.every = every
        self.decryptions = decryptions
        self.context = context or {}
        return self


def naming_resources(
    extract: Callable[..., str],
    key_of_parameter: Callable[[str], str | None],
    parameters_below: Callable[[str], list[str]],
    thing: Thing,
) -> Callable[..., str]:
    """Wraps ministack's reading of the resource from a request. `key_of_parameter` knows a SecureString's key ARN."""

    def extract_resource_arn(  # noqa: PLR0911, PLR0912, PLR0917 (one service a return; the signature is ministack's)
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
        if service == "iam" and (found := delegation.identity(query, account, thing)):
            return Resources((found[0],), context=found[1])
        if service == "monitoring" and (context := delegation.counted(body, query)):
            return Resources((named,), context=context)
        if service == "sns" and (subscription := delegation.text_of(query, "SubscriptionArn")).startswith("arn:"):
            return subscription
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return named
        if not isinstance(request, dict):
            return named
        handed = delegation.passed(service, request)
        if service == "lambda":
            function = delegation.mapping(path, request, f"arn:aws:lambda:{region}:{account}:function:", thing)
            # Who calls an alias is judged by the alias.
            qualifier = delegation.text_of(query, "Qualifier") if path.endswith("/invocations") else ""
            return Resources((f"{named}:{qualifier}" if qualifier else named,), context=function, passed=handed)
        if service == "kms":
            return Resources((named,), context=signing(request))
        if service == "codebuild":
            every = (named,) if named != UNKNOWN else projects(request, f"arn:aws:codebuild:{region}:{account}:")
            return Resources(every, context=overrides(request), passed=handed)
        if service == "ssm":
            prefix = parameter_prefix(region, account)
            if str(request.get("ResourceArn")).startswith("arn:"):
                return str(request["ResourceArn"])
            if not isinstance(request.get("Path"), str):
                return parameters(named, request, prefix, key_of_parameter)
            # Recursive or not: what was not asked for may be one denial too many, and none too few.
            below = parameters_below(request["Path"])
            path = arn_of(request["Path"], prefix)
            return Resources((path,), decryptions(below, request, prefix, key_of_parameter))
        if service == "events" and isinstance(request.get("Rule"), str):
            return f"arn:aws:events:{region}:{account}:rule/{request['Rule']}"
        if service == "events" and isinstance(entries := request.get("Entries"), list):
            # AWS judges each entry by itself; whoever mixes them is refused here.
            buses, sources = ({str(entry.get(key)) for entry in entries} for key in ("EventBusName", "Source"))
            source = sources.pop() if len(sources) == 1 else UNKNOWN
            return Resources(tuple(buses) or (UNKNOWN,), context={"events:source": source})
        if service == "events":
            return named.replace(":rule/default/", ":rule/")
        if service == "scheduler":
            grouped = named.replace(":schedule/default/", f":schedule/{group_of(request, query)}/")
            return Resources((grouped,), passed=handed)
        if service == "logs" and request.get("logStreamName") and named != UNKNOWN:
            return f"{named}:log-stream:{request['logStreamName']}"
        return named

    return extract_resource_arn


def signing(request: dict[str, Any]) -> dict[str, Any]:
    """The condition keys of a Sign request."""
    keys = {"kms:SigningAlgorithm": request.get("SigningAlgorithm"), "kms:MessageType": request.get("MessageType")}
    return {key: value for key, value in keys.items() if value is not None}


def group_of(request: dict[str, Any], query: Any) -> str:
    """The group of the schedule that a request is about."""
    asked = request.get("GroupName") or query.get("groupName") or "default"
    return str(asked[0] if isinstance(asked, list) else asked)


def projects(request: dict[str, Any], prefix: str) -> tuple[str, ...]:
    """The projects that the builds of a request belong to."""
    builds = request.get("ids") or ([request["id"]] if request.get("id") else [])
    names = [str(build).removeprefix(f"{prefix}build/").partition(":")[0] for build in builds]
    names += [str(name).removeprefix(f"{prefix}project/") for name in request.get("names") or []]
    return tuple(f"{prefix}project/{name}" for name in dict.fromkeys(names)) or (UNKNOWN,)


def overrides(request: dict[str, Any]) -> dict[str, Any]:
    """The condition keys of a StartBuild request."""
    context: dict[str, Any] = {key: json.dumps(request[name]) for name, key in OVERRIDES.items() if name in request}
    if variables := request.get("environmentVariablesOverride"):
        context[VARIABLE_NAMES] = [variable.get("name", "") for variable in variables]
    return context


def parameter_prefix(region: str, account: str) -> str:
    return f"arn:aws:ssm:{region}:{account}:parameter"


def parameters(named: str, request: dict[str, Any], prefix: str, key_of_parameter: Callable[[str], str | None]) -> str:
    names = request.get("Names") or ([request["Name"]] if request.get("Name") else [])
    if not names or not all(isinstance(name, str) for name in names):
        return named
    # A version or label selector is no part of the resource.
    paths = [name.removeprefix(prefix).split(":")[0] for name in names]
    arns = dict.fromkeys(arn_of(path, prefix) for path in paths)
    return Resources(tuple(arns), decryptions(paths, request, prefix, key_of_parameter))


def decryptions(
    paths: list[str], request: dict[str, Any], prefix: str, key_of_parameter: Callable[[str], str | None]
) -> tuple[Decryption, ...]:
    if not request.get("WithDecryption"):
        return ()
    keys = {path: key_of_parameter(path) for path in paths}
    return tuple(Decryption(key, arn_of(path, prefix)) for path, key in keys.items() if key is not None)


def arn_of(path: str, prefix: str) -> str:
    return prefix + (path if path.startswith("/") else f"/{path}")


def judging_each(enforce: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps ministack's decision: a request is allowed if it is allowed on everything that it names."""

    def enforce_all(  # noqa: PLR0917 (the signature is ministack's)
        access_key: str, action: str, service: str, region: str, resource_arn: str = "*", service_context: Any = None
    ) -> Any:
        action = OF_BATCHES.get(action, action)
        if not isinstance(resource_arn, Resources):
            return enforce(access_key, action, service, region, resource_arn, service_context)
        context = {**(service_context or {}), **resource_arn.context}
        for arn in resource_arn.every:
            if denied := enforce(access_key, action, service, region, arn, context):
                return denied
        for role in resource_arn.passed:
            if denied := enforce(access_key, "iam:PassRole", "iam", region, role, {}):
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


def naming_roles(resolve: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """Wraps ministack's reading of condition keys."""

    def resolve_condition_key(key: str, context: Any) -> Any:
        value = resolve(key, context)
        if key.lower() == "aws:principalarn" and (session := SESSION.match(str(value))):
            return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"
        return value

    return resolve_condition_key
