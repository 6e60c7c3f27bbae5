"""A pipeline on this machine: a local AWS with the real Terraform applied, Git hosts, and a CI that may only publish.

A stack lives in a directory of its own and ends with it; any number may run at once. It makes no claim on the machine
beyond that directory and loopback ports.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iwomp_local import places
from iwomp_local.emulator import ACCOUNT, NOTHING_MORE, Emulator, Lifetime
from iwomp_local.pipeline import Pipeline, variable
from iwomp_local.terraform import Terraform
from iwomp_local.waiting import NotInTime, T, wait_for
from iwomp_local.words import ENDS_OF_TRIGGERS

OPERATOR = "operator"  # who runs Terraform: an administrator, but not the account's root, so that IAM judges it
CI = "ci"
OPERATED_SECONDS = 600.0  # some commands of `iwomp` wait for a deployment
IMAGE_TAG = "local"  # builds run as processes of this machine, so no image is ever pulled
# Bounds of waits that end as soon as what they wait for is there: wide, so that a busy machine passes them, too.
CLI_SECONDS = 180.0
OUTCOME_SECONDS = 180.0
BUILD_SECONDS = 300.0
LAST_CHARS = 2000  # of a log, where something did not come
PUBLISHED = re.compile(r'\{"published": "(?P<trigger>[^"]+)", "at": (?P<at>[0-9.]+)\}')  # in the emulator's log
# What builds may run, beside what every machine has in the system's own directories.
BUILD_PROGRAMS = ("git", "terraform", "ssh")


@dataclass(frozen=True)
class Principal:
    """An IAM user with an access key."""

    arn: str
    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class CliResult:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        if not self.out:
            raise Refused(self.err)
        return json.loads(self.out)


class Refused(RuntimeError):
    """A command that was to succeed did not; the text is what it said."""


@dataclass
class Stack:
    """One local pipeline. `ci` and `pipeline` are there once it is applied."""

    directory: Path
    emulator: Emulator
    terraform: Terraform
    operator: Principal

    @classmethod
    def start(cls, directory: Path, lifetime: Lifetime, more: Mapping[str, str] = NOTHING_MORE) -> Stack:
        """Starts the local AWS and prepares Terraform; applies nothing yet. `more` is for the emulator."""
        # Looked for before anything runs that must be stopped.
        zips = {
            "launcher_zip": places.launcher_zip(),
            "notifier_zip": places.notifier_zip(),
            "broker_zip": places.broker_zip(),
        }
        worker = places.worker()
        if directory.exists():
            shutil.rmtree(directory)
        programs = directory / "bin"
        programs.mkdir(parents=True, mode=0o755)
        (programs / "iwomp-worker").symlink_to(worker)
        for name in BUILD_PROGRAMS:
            (programs / name).symlink_to(places.program(name))
        write_aws_command(programs / "aws")
        emulator = Emulator.start(directory / "aws", [programs], lifetime, more)
        try:
            operator = make_principal(emulator, OPERATOR, {"Action": "*", "Resource": "*"})
            stack = cls(directory, emulator, cls._terraform(directory, emulator, operator, places.TERRAFORM), operator)
            # Copies, so that a build that goes on meanwhile changes nothing of this stack.
            copies = {name: str(shutil.copy(zip_, directory / f"{name}.zip")) for name, zip_ in zips.items()}
            stack.configure(None, **copies)
        except BaseException:
            emulator.stop()
            raise
        return stack

    @classmethod
    def running(cls, directory: Path) -> Stack | None:
        """The stack that runs in `directory`, if there is one."""
        emulator = Emulator.running(directory / "aws")
        keys = directory / "operator.json"
        if emulator is None or not keys.exists():
            return None
        operator = Principal(**json.loads(keys.read_text()))
        return cls(directory, emulator, Terraform(directory / "terraform", variables(emulator, operator)), operator)

    @staticmethod
    def _terraform(directory: Path, emulator: Emulator, operator: Principal, source: Path) -> Terraform:
        keys = directory / "operator.json"
        keys.touch(mode=0o600)
        keys.write_text(json.dumps(vars(operator)))
        return Terraform.copy(source, directory / "terraform", variables(emulator, operator))

    def configure(self, credentials: Mapping[str, str] | None = None, **values: Any) -> None:
        """Adds to the module's variables. Credentials go through Terraform's environment, never into a file."""
        self._values.write_text(json.dumps({**self.configured(), **values}, indent=2))
        if credentials is not None:
            self.terraform.variables["TF_VAR_credentials"] = json.dumps(credentials)

    def configured(self) -> dict[str, Any]:
        """The module's variables, as they are set."""
        known: dict[str, Any] = json.loads(self._values.read_text()) if self._values.exists() else {}
        return known or {"image_tag": IMAGE_TAG}

    @property
    def _values(self) -> Path:
        return self.terraform.directory / "terraform.tfvars.json"

    def apply(self, on_progress: Callable[[int], None] = lambda _: None) -> None:
        """Applies the module, and makes the CI's user with exactly the policy that the module puts out for it."""
        self.terraform.init()
        self.terraform.apply(on_progress)
        outputs = self.terraform.outputs()
        (self.directory / "outputs.json").write_text(json.dumps(outputs, indent=2))
        self._save_ci(make_principal(self.emulator, CI, *rights_of_ci(outputs)))

    def _save_ci(self, principal: Principal) -> None:
        keys = self.directory / "ci.json"
        keys.touch(mode=0o600)
        keys.write_text(json.dumps(vars(principal)))

    @property
    def ci(self) -> Principal:
        return Principal(**json.loads((self.directory / "ci.json").read_text()))

    @property
    def pipeline(self) -> Pipeline:
        outputs = json.loads((self.directory / "outputs.json").read_text())
        return Pipeline(outputs, self.emulator.client, look_seconds=0.2)

    def stop(self) -> None:
        self.emulator.stop()

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # What a CI does

    def aws(self, *arguments: str) -> CliResult:
        """Runs the AWS CLI as the CI would: with its access key, and nothing else."""
        ci = self.ci
        done = subprocess.run(
            [str(self.directory / "bin" / "aws"), *arguments],
            env={
                "PATH": os.defpath,
                "HOME": str(self.directory),
                **self.emulator.variables(ci.access_key, ci.secret_key),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=CLI_SECONDS,
        )
        return CliResult(done.returncode, done.stdout.strip(), done.stderr.strip())

    def publish(self, message: str, project: str = "") -> str:
        """Publishes as the CI, with its key, on the project's topic, or on the shared one if no project is named."""
        ci = self.ci
        sns = self.emulator.client("sns", ci.access_key, ci.secret_key)
        return str(sns.publish(TopicArn=self.pipeline.topic(project), Message=message)["MessageId"])

    def trigger(self, project: str, branch: str = "main", commit: str | None = None) -> str:
        message = {"project": project, "branch": branch, **({"commit": commit} if commit else {})}
        return self.publish(json.dumps(message), project)

    # What an operator does

    def iwomp(self, *arguments: str, given: str = "", folder: Path | None = None, **over: str) -> CliResult:
        """Runs `iwomp` as an operator would, in any folder: with credentials and the pipeline's name alone.

        `over` is laid over its environment; an empty value leaves a variable out.
        """
        known = {
            "PATH": os.defpath,
            "HOME": str(self.directory),
            # There is none before the first apply, for which a key may be imported.
            **({} if "IWOMP_CONFIG_PATH" in over else {"IWOMP_CONFIG_PATH": self.pipeline.config_path}),
            **variables(self.emulator, self.operator),
            **over,
        }
        done = subprocess.run(
            [str(places.iwomp()), *arguments],
            env={name: value for name, value in known.items() if value},
            cwd=folder or self.directory,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=OPERATED_SECONDS,
        )
        return CliResult(done.returncode, done.stdout, done.stderr)

    def operate(self, *arguments: str, given: str = "") -> str:
        """The same for a command that changes something, and has to succeed; what it said."""
        done = self.iwomp(*arguments, "--yes", given=given)
        if done.status != 0:
            raise Refused(f"iwomp {' '.join(arguments)} ended with {done.status}: {done.out}{done.err}")
        return done.out

    def store_secret(self, project: str, **document: str) -> str:
        """Stores a project's Git credentials; what was said of it."""
        return self.operate("secret", "set", project, given=json.dumps(document)).strip()

    # What somebody sees who waits

    def launcher_verdict(self, trigger: str, timeout_seconds: float = OUTCOME_SECONDS) -> dict[str, Any]:
        """The line with which the launcher was done with a trigger: see `ENDS_OF_TRIGGERS`."""

        def look() -> dict[str, Any] | None:
            return next((line for line in self.launcher_words(trigger) if line["outcome"] in ENDS_OF_TRIGGERS), None)

        return wait_for(f"the launcher's verdict on trigger {trigger}", look, timeout_seconds)

    def launcher_words(self, trigger: str) -> list[dict[str, Any]]:
        """All lines of the launcher about a trigger. The log may be long; only what came after it is read."""
        return self.pipeline.launcher_outcomes(trigger, self.published_at(trigger) - 1)

    def build_of(self, project: str, trigger: str) -> dict[str, Any] | None:
        builds = self.pipeline.builds(project)
        return next((build for build in builds if variable(build, "TRIGGERID") == trigger), None)

    def finished_build(
        self, project: str, trigger: str, timeout_seconds: float = BUILD_SECONDS
    ) -> tuple[dict[str, Any], str]:
        """The build of a trigger once it is over, and its log."""

        def look() -> dict[str, Any] | None:
            build = self.build_of(project, trigger)
            return build if build is not None and build["buildComplete"] else None

        build = self.wait_for_trigger("the end of its build", project, trigger, look, timeout_seconds)
        return build, self.pipeline.log_text(build)

    def wait_for_trigger(
        self, what: str, project: str, trigger: str, look: Callable[[], T | None], timeout_seconds: float
    ) -> T:
        """Waits for something that a trigger causes. If it does not come, the error says how far the trigger got."""
        try:
            return wait_for(f"trigger {trigger} of {project}: {what}", look, timeout_seconds)
        except NotInTime as error:
            words = [f"{line['outcome']} {line.get('class', '')}" for line in self.launcher_words(trigger)]
            build = self.build_of(project, trigger)
            log = f"{build['currentPhase']}\n{self.pipeline.log_text(build)[-LAST_CHARS:]}" if build else "no build"
            aws = self.emulator.log.read_text(errors="replace")[-LAST_CHARS:]
            raise NotInTime(
                f"{error}; the launcher said {words}; the build and its log: {log}\nThe local AWS said last:\n{aws}"
            ) from None

    def published_at(self, trigger: str) -> float:
        """When SNS accepted a trigger, in seconds since 1970."""
        return wait_for(f"the publication of {trigger}", lambda: self.publications().get(trigger), OUTCOME_SECONDS)

    def publications(self) -> dict[str, float]:
        """When SNS accepted each trigger, in seconds since 1970."""
        said = PUBLISHED.finditer(self.emulator.log.read_text(errors="replace"))
        return {found["trigger"]: float(found["at"]) for found in said}


def rights_of_ci(outputs: dict[str, Any]) -> list[dict[str, Any]]:
    """What the module says that the CI may do; without a shared topic, to publish on each project's own."""
    if (shared := outputs.get("publisher_policy")) is not None:  # Terraform leaves out what is null
        statements: list[dict[str, Any]] = json.loads(shared)["Statement"]
        return statements
    topics = sorted(project["topic_arn"] for project in outputs["projects"].values())
    return [{"Action": "sns:Publish", "Resource": topics}]


def variables(emulator: Emulator, principal: Principal) -> dict[str, str]:
    return emulator.variables(principal.access_key, principal.secret_key)


def write_aws_command(path: Path) -> None:
    """The AWS CLI, kept on this machine: for SQS and a few others it ignores AWS_ENDPOINT_URL, but not the option."""
    path.write_text(f'#!/bin/sh\nexec {places.program("aws")} --endpoint-url "$AWS_ENDPOINT_URL" "$@"\n')
    path.chmod(0o755)


def make_principal(emulator: Emulator, name: str, *statements: dict[str, Any]) -> Principal:
    """Makes an IAM user with these rights and an access key, or gives an existing one new rights and a new key."""
    if not re.fullmatch(r"[a-z-]+", name):
        raise ValueError(f"not a user name: {name}")
    iam = emulator.client("iam")
    try:
        iam.create_user(UserName=name)
    except iam.exceptions.EntityAlreadyExistsException:
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement} for statement in statements]}
    iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Principal(f"arn:aws:iam::{ACCOUNT}:user/{name}", key["AccessKeyId"], key["SecretAccessKey"])
