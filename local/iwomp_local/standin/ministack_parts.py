"""The only place that touches ministack: every name that is borrowed or replaced, and the replacing.

These names are private to ministack, so its version is pinned and each is looked up at the start: a missing one ends
the emulator with its name, instead of a surprise in the middle of a deployment.
"""

from __future__ import annotations

import contextvars
import importlib
import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from iwomp_local.standin import alarms, authorisation, container, delegation, log_pages, notifications, wire
from iwomp_local.standin.build_run import BuildFailed, BuildRun, Record
from iwomp_local.standin.codebuild import INVALID, ApiError, CodeBuild
from iwomp_local.standin.metrics_in_logs import ACCOUNT_POLICY, MetricsInLogs
from iwomp_local.standin.repeats import Repeats

# Everything private that is used below, so that a missing one is known before the first request.
USED = (
    ("app", "app"),
    ("app", "main"),
    ("core.iam_actions", "_lambda_action"),
    ("core.iam_actions", "extract_resource_arn"),
    ("core.iam_evaluator", "EvalContext"),
    ("core.iam_evaluator", "_conditions_met"),
    ("core.iam_evaluator", "_resolve_condition_key"),
    ("core.iam_evaluator", "_service_principal_matches"),
    ("core.iam_evaluator", "caller_arn"),
    ("core.iam_evaluator", "enforce"),
    ("core.responses", "error_response_json"),
    ("core.responses", "get_account_id"),
    ("core.responses", "get_region"),
    ("core.responses", "json_response"),
    ("services.cloudwatch", "_describe_alarms"),
    ("services.cloudformation.provisioners", "_RESOURCE_HANDLERS"),
    ("services.cloudwatch", "_xml"),
    ("services.cloudwatch", "record_metric"),
    ("services.cloudwatch_logs", "_filter_log_events"),
    ("services.cloudwatch_logs", "_put_log_events"),
    ("services.cloudwatch_logs", "_subscription_pattern_matches"),
    ("services.codebuild", "_builds"),
    ("services.codebuild", "_handle_request_sync"),
    ("services.codebuild", "_projects"),
    ("services.codebuild", "reset"),
    ("services.eventbridge", "_put_events"),
    ("services.iam", "_instance_profiles"),
    ("services.iam", "_policies"),
    ("services.iam", "_roles"),
    ("services.iam", "_users"),
    ("services.kms", "_resolve_key"),
    ("services.lambda_svc", "_esms"),
    ("services.scheduler", "_SCHEDULE_TICK_INTERVAL"),
    ("services.sns", "_build_envelope"),
    ("services.sns", "_deliver_to_sqs"),
    ("services.ssm", "_parameters"),
    ("services.sts", "register_session"),
)

SERVICE_PRINCIPAL = "codebuild.amazonaws.com"
SCHEDULE_SECONDS = 1  # how late a schedule may fire; ministack's own ten seconds are what tests would wait
SESSION_SPARE_SECONDS = 600  # a session outlives its build's time limit by this, for the log's last lines


def part(module: str, name: str) -> Any:
    """Something of ministack's. Ends the process if it is not there."""
    if (module, name) not in USED:
        raise LookupError(f"{module}.{name} is not among USED")
    try:
        return getattr(importlib.import_module(f"ministack.{module}"), name)
    except (ImportError, AttributeError):
        sys.exit(
            f"ministack.{module} has no {name}, which the CodeBuild stand-in needs: is the pinned version of "
            "local/requirements.txt installed unmodified?"
        )


def replace(module: str, name: str, wrap: Callable[[Any], Any]) -> None:
    """Puts `wrap(original)` in the place of something of ministack's."""
    setattr(importlib.import_module(f"ministack.{module}"), name, wrap(part(module, name)))


def install(build_path: str, build_directory: Path) -> None:
    """Puts the stand-in and the corrections in place. Call it once, before `serve`."""
    for module, name in USED:
        part(module, name)
    wire.install()
    replace("app", "app", Repeats)
    limit = os.environ.get("IWOMP_BUILDS_OF_ACCOUNT")
    host = MinistackHost(build_path, build_directory)
    codebuild = CodeBuild(host, account_limit=None if limit is None else int(limit))
    replace("services.codebuild", "_handle_request_sync", lambda _: dispatcher(codebuild))
    replace("services.codebuild", "reset", lambda reset: resetting(codebuild, reset))
    to_xml = part("services.cloudwatch", "_xml")
    replace("services.cloudwatch", "_describe_alarms", lambda describe: alarms.complete(describe, to_xml))
    replace("services.cloudwatch_logs", "_filter_log_events", log_pages.in_pages)
    replace("services.cloudwatch_logs", "_subscription_pattern_matches", log_pages.matching)
    in_logs = MetricsInLogs(part("services.cloudwatch", "record_metric"))
    replace("services.cloudwatch_logs", "_put_log_events", in_logs.counting)
    part("services.cloudformation.provisioners", "_RESOURCE_HANDLERS")[ACCOUNT_POLICY] = in_logs.provisioner()
    replace("services.scheduler", "_SCHEDULE_TICK_INTERVAL", lambda _: SCHEDULE_SECONDS)
    replace("services.sns", "_build_envelope", notifications.with_milliseconds)
    if faults := os.environ.get("IWOMP_DELIVERY_FAULTS"):
        replace("services.sns", "_deliver_to_sqs", notifications.disturbed(json.loads(faults)))
    replace(
        "core.iam_actions",
        "extract_resource_arn",
        lambda extract: authorisation.naming_resources(extract, key_of_parameter, parameters_below, thing),
    )
    replace("core.iam_actions", "_lambda_action", delegation.changing_mappings)
    replace("core.iam_evaluator", "enforce", authorisation.judging_each)
    replace("core.iam_evaluator", "_resolve_condition_key", authorisation.naming_roles)


def serve() -> None:
    """Runs ministack until it is told to end."""
    part("app", "main")()


def dispatcher(codebuild: CodeBuild) -> Callable[..., Any]:
    respond, respond_error = part("core.responses", "json_response"), part("core.responses", "error_response_json")

    def handle(_method: str, _path: str, headers: dict[str, str], body: bytes, _query: Any) -> Any:
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return respond_error("SerializationException", "Invalid JSON", 400)
        try:
            return respond(codebuild.call(headers.get("x-amz-target", "").rpartition(".")[2], request))
        except ApiError as error:
            return respond_error(error.code, str(error), 400)

    return handle


def resetting(codebuild: CodeBuild, reset: Callable[[], None]) -> Callable[[], None]:
    def stop_and_reset() -> None:
        codebuild.stop_all()
        reset()

    return stop_and_reset


def key_of_parameter(path: str) -> str | None:
    """The ARN of a SecureString's KMS key. None for other parameters, and for AWS's own key, which asks nobody."""
    parameters = part("services.ssm", "_parameters")
    entry = parameters.get(path) or parameters.get(path.lstrip("/"))
    if entry is None or entry.get("Type") != "SecureString":
        return None
    key_id = entry.get("KeyId") or "alias/aws/ssm"
    if key_id == "alias/aws/ssm":
        return None
    key = part("services.kms", "_resolve_key")(key_id)
    return None if key is None else str(key["Arn"])


def thing(kind: str, name: str) -> Record | None:
    """An IAM thing, or a mapping of Lambda's."""
    if kind == "mapping":
        found: Record | None = part("services.lambda_svc", "_esms").get(name)
        return found
    store = {"role": "_roles", "user": "_users", "policy": "_policies", "instance-profile": "_instance_profiles"}[kind]
    kept: Record | None = part("services.iam", store).get(name)
    return kept


def parameters_below(path: str) -> list[str]:
    """The names of all parameters in the tree `path`."""
    tree = path.rstrip("/") + "/"
    return [name for name in part("services.ssm", "_parameters") if name.startswith(tree)]


@dataclass
class MinistackHost:
    """The emulator as the CodeBuild API sees it."""

    build_path: str
    build_directory: Path
    projects: MutableMapping[str, Record] = field(default_factory=lambda: part("services.codebuild", "_projects"))
    builds: MutableMapping[str, Record] = field(default_factory=lambda: part("services.codebuild", "_builds"))
    _account: Callable[[], str] = field(default_factory=lambda: part("core.responses", "get_account_id"))
    _region: Callable[[], str] = field(default_factory=lambda: part("core.responses", "get_region"))
    _caller: Callable[[], str] = field(default_factory=lambda: part("core.iam_evaluator", "caller_arn"))
    _put_events: Callable[..., Any] = field(default_factory=lambda: part("services.eventbridge", "_put_events"))
    _register_session: Callable[..., None] = field(default_factory=lambda: part("services.sts", "register_session"))
    _roles: MutableMapping[str, Record] = field(default_factory=lambda: part("services.iam", "_roles"))
    _client_lock: threading.Lock = field(default_factory=threading.Lock)
    _sessions: boto3.session.Session = field(default_factory=boto3.session.Session)

    def arn(self, resource: str) -> str:
        return f"arn:aws:codebuild:{self._region()}:{self._account()}:{resource}"

    def caller(self) -> str:
        """Who called, in CodeBuild's short form: a user's name, or a role's and its session's."""
        return self._caller().rpartition(":")[2].removeprefix("assumed-role/").removeprefix("user/")

    def check_role(self, role_arn: str, project_arn: str) -> None:
        """Refuses a role that does not trust CodeBuild for this project."""
        role = self._roles.get(role_arn.rpartition("/")[2])
        if role is None or not self._trusts_codebuild(role, project_arn):
            raise ApiError(INVALID, f"CodeBuild is not authorized to perform: sts:AssumeRole on {role_arn}")

    def _trusts_codebuild(self, role: Record, project_arn: str) -> bool:
        document = role["AssumeRolePolicyDocument"]
        statements = (json.loads(document) if isinstance(document, str) else document)["Statement"]
        context = part("core.iam_evaluator", "EvalContext")(
            principal_arn=SERVICE_PRINCIPAL,
            principal_type="Service",
            principal_account=self._account(),
            action="sts:AssumeRole",
            resource_arn="*",
            region=self._region(),
            service_context={"aws:sourcearn": project_arn, "aws:sourceaccount": self._account()},
        )
        matches = part("core.iam_evaluator", "_service_principal_matches")
        met = part("core.iam_evaluator", "_conditions_met")
        effects = {
            statement["Effect"]
            for statement in statements
            if matches(statement.get("Principal"), SERVICE_PRINCIPAL)
            and "sts:AssumeRole" in statement.get("Action", [])
            and met(statement.get("Condition", {}), context)
        }
        return effects == {"Allow"}

    def publish(self, build: Record) -> None:
        self._put_events(
            {
                "Entries": [
                    {
                        "Source": "aws.codebuild",
                        "DetailType": "CodeBuild Build State Change",
                        "Resources": [build["arn"]],
                        "Detail": json.dumps(event_detail(build)),
                    }
                ]
            },
            allow_aws_source=True,
        )

    def prepare(self, build: Record, timeout_seconds: float, on_end: Callable[[Record], None]) -> BuildRun:
        uuid = build["id"].partition(":")[2]
        own = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"  # what CodeBuild itself does goes no way round
        region = self._region()
        directory = self.build_directory / uuid
        image = container.known_images(self.build_directory.parent).get(build["environment"].get("image", ""))
        return BuildRun(
            record=build,
            timeout_seconds=timeout_seconds,
            directory=directory,
            container=None if image is None else container.Container(image, directory),
            path=self.build_path,
            endpoint=os.environ["AWS_ENDPOINT_URL"],
            region=region,
            credentials=lambda: self._assume(build, timeout_seconds),
            client=lambda service, credentials: self._client(service, credentials, own, region),
            on_end=on_end,
        )

    def launch(self, run: BuildRun) -> None:
        # ministack's stores are those of the account and region that its context variables name.
        context = contextvars.copy_context()
        name = f"build {run.record['id']}"
        threading.Thread(target=context.run, args=(run.execute,), name=name, daemon=True).start()

    def _assume(self, build: Record, timeout_seconds: float) -> dict[str, str]:
        """A session of the project's role, made as STS makes one for a service."""
        role_arn = build["serviceRole"]
        try:
            self.check_role(role_arn, self.arn(f"project/{build['projectName']}"))
        except ApiError as error:
            raise BuildFailed("CLIENT_ERROR", str(error)) from error
        role_name = role_arn.rpartition("/")[2]
        session_name = f"AWSCodeBuild-{build['id'].partition(':')[2]}"
        key_id, secret, token = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20), secrets.token_hex(64)
        self._register_session(
            key_id,
            {
                "Arn": f"arn:aws:sts::{self._account()}:assumed-role/{role_name}/{session_name}",
                "UserId": f"{role_name}:{session_name}",
                "SecretAccessKey": secret,
                "SessionToken": token,
                "Expiration": time.time() + timeout_seconds + SESSION_SPARE_SECONDS,
            },
        )
        return {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}

    def _client(self, service: str, credentials: dict[str, str], endpoint: str, region: str) -> Any:
        with self._client_lock:  # a boto3 session may be shared between threads, but not its making of clients
            return self._sessions.client(
                service,
                endpoint_url=endpoint,
                region_name=region,
                aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=credentials["AWS_SESSION_TOKEN"],
                config=Config(proxies={}, retries={"total_max_attempts": 2}),
            )


def event_detail(build: Record) -> Record:
    """The detail of a 'CodeBuild Build State Change' event."""
    environment = build["environment"]
    return {
        "build-status": build["buildStatus"],
        "project-name": build["projectName"],
        "build-id": build["arn"],
        "current-phase": build["currentPhase"],
        "current-phase-context": "[]",
        "version": "1",
        "additional-information": {
            "artifact": {"location": ""},
            "build-complete": build["buildComplete"],
            "build-number": build["buildNumber"],
            "build-start-time": time.strftime("%b %d, %Y %I:%M:%S %p", time.gmtime(build["startTime"])),
            "environment": {
                "compute-type": environment.get("computeType"),
                "environment-variables": environment["environmentVariables"],
                "image": environment.get("image"),
                "privileged-mode": environment.get("privilegedMode", False),
                "type": environment.get("type"),
            },
            "initiator": build["initiator"],
            "logs": {
                "group-name": build["logs"].get("groupName"),
                "stream-name": build["logs"].get("streamName"),
            },
            "phases": [
                {"phase-type": phase["phaseType"], "phase-status": phase.get("phaseStatus")}
                for phase in build["phases"]
            ],
            "queued-timeout-in-minutes": build["queuedTimeoutInMinutes"],
            "source": {"type": build["source"]["type"]},
            "timeout-in-minutes": build["timeoutInMinutes"],
        },
    }
