"""An applied pipeline, local or in an account: Terraform's outputs, and clients to use it with.

Everything that people do with a pipeline goes through here, so that the same commands serve both.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from iwomp_local.branch import decoded, encoded
from iwomp_local.endings import Ending, Record, judge
from iwomp_local.waiting import NotInTime

OUTCOME_LINES = 20  # how many lines from a build log's end the outcome line is looked for in
BATCH = 10  # SQS's own
BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/#+@(),-]{0,199}")  # what can stand, encoded, in a record's name


class PipelineError(RuntimeError):
    """What was asked for cannot be done; the text says why and what to do."""


@dataclass(frozen=True)
class Live:
    """What is live of a branch."""

    branch: str
    commit: str
    time: str
    build: str | None


@dataclass(frozen=True)
class Pause:
    """Why and since when a project is paused."""

    reason: str
    since: datetime


@dataclass(frozen=True)
class Line:
    """A line of a build's log, written at `time` in seconds since 1970."""

    time: float
    text: str


@dataclass(frozen=True)
class Pipeline:
    """A pipeline in the region of its clients."""

    outputs: dict[str, Any]
    client: Callable[[str], Any]  # by service name
    look_seconds: float = 2.0  # between two looks at what changes; an account has limits on such calls

    @property
    def config_path(self) -> str:
        return str(self.outputs["config_path"])

    @property
    def projects(self) -> list[str]:
        return sorted(self.outputs["projects"])

    def project(self, name: str) -> dict[str, str]:
        """Terraform's names for one project."""
        if name not in self.outputs["projects"]:
            known = ", ".join(self.projects) or "none"
            raise PipelineError(f"{name!r} is not a registered project; registered: {known}")
        project: dict[str, str] = self.outputs["projects"][name]
        return project

    def publish(self, project: str, message: str) -> str:
        """Publishes a message as it is, on the project's topic; returns its id."""
        return str(self.client("sns").publish(TopicArn=self.topic(project), Message=message)["MessageId"])

    def topic(self, project: str) -> str:
        """The topic that triggers a project: its own if it has one, else the shared one."""
        topic = self.outputs["projects"].get(project, {}).get("topic_arn") or self.outputs.get("topic_arn")
        if topic is None:
            raise PipelineError(f"there is no topic for {project!r}: it is not registered, and no topic is shared")
        return str(topic)

    def launcher_outcomes(self, trigger: str | None = None, begin: float = 0) -> list[dict[str, Any]]:
        """The launcher's outcome lines since `begin`, oldest first; of one trigger if it is named."""
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=self.outputs["launcher_log_group"], startTime=int(begin * 1000))
        )
        lines = (outcome_of(event["message"]) for page in pages for event in page["events"])
        return [line for line in lines if line is not None and trigger in (None, line.get("trigger"))]

    def builds(self, project: str, limit: int = 10) -> list[dict[str, Any]]:
        """The newest builds of a project, newest first."""
        codebuild = self.client("codebuild")
        ids = codebuild.list_builds_for_project(projectName=self.project(project)["build_project"])["ids"][:limit]
        if not ids:
            return []
        found = {build["id"]: build for build in codebuild.batch_get_builds(ids=ids)["builds"]}
        return [found[build_id] for build_id in ids if build_id in found]

    def log(self, build: dict[str, Any], after: str | None = None) -> tuple[list[dict[str, Any]], str | None]:
        """The events of a build's log behind the position `after`, and the position behind them."""
        events: list[dict[str, Any]] = []
        place = build.get("logs") or {}
        if not place.get("groupName") or not place.get("streamName"):
            return events, after  # CodeBuild names them only once the build's container runs
        while True:
            where = {"nextToken": after} if after else {"startFromHead": True}
            try:
                page = self.client("logs").get_log_events(
                    logGroupName=place["groupName"], logStreamName=place["streamName"], **where
                )
            except self.client("logs").exceptions.ResourceNotFoundException:
                return events, after  # the build has said nothing yet
            events += page["events"]
            if page["nextForwardToken"] == after:  # the end, and its only sign: a page may be empty before it
                return events, after
            after = page["nextForwardToken"]

    def log_text(self, build: dict[str, Any]) -> str:
        return "".join(event["message"].rstrip("\n") + "\n" for event in self.log(build)[0])

    def build_outcome(self, build: dict[str, Any]) -> dict[str, Any] | None:
        """What the worker said of a build. A command can print such a line, too: it judges nothing, `ending` does."""
        lines = [outcome_of(event["message"]) for event in self.log(build)[0][-OUTCOME_LINES:]]
        return next((line for line in reversed(lines) if line is not None), None)

    def ending(self, build: dict[str, Any], project: str) -> Ending:
        """How a build ended, or that it runs."""
        branch = variable(build, "GITBRANCH") or ""
        deploys = build["buildStatus"] == "SUCCEEDED" and BRANCH.fullmatch(branch)
        return judge(build, variable(build, "GITCOMMIT"), self._history(project, branch) if deploys else ())

    def _history(self, project: str, branch: str) -> Iterator[Record]:
        """All that was recorded of a branch. What is no record was not written by a worker."""
        ssm = self.client("ssm")
        name = f"/{self.config_path}-deployed/{project}/{encoded(branch)}"
        try:
            for page in ssm.get_paginator("get_parameter_history").paginate(Name=name):
                yield from filter(None, (Record.parse(version["Value"]) for version in page["Parameters"]))
        except ssm.exceptions.ParameterNotFound:
            return

    def live(self, project: str) -> list[Live]:
        """What is live of a project's branches, as far as it can be read."""
        return [
            Live(branch, record.commit, record.time, record.build)
            for branch, record in self.records(project)
            if record is not None
        ]

    def records(self, project: str) -> list[tuple[str, Record | None]]:
        """Each branch with its record. A build may write what it likes there; None stands for what is no record."""
        pages = (
            self.client("ssm")
            .get_paginator("get_parameters_by_path")
            .paginate(Path=f"/{self.config_path}-deployed/{project}", Recursive=True)
        )
        prefix = f"/{self.config_path}-deployed/{project}/"
        return [
            (decoded(parameter["Name"].removeprefix(prefix)), Record.parse(parameter["Value"]))
            for page in pages
            for parameter in page["Parameters"]
        ]

    def waiting(self, queue_url: str) -> int:
        """How many messages a queue holds, the invisible ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def running(self, project: str) -> list[dict[str, Any]]:
        """The builds of a project that are not over."""
        return [build for build in self.builds(project) if not build["buildComplete"]]

    def stop_build(self, build: dict[str, Any]) -> None:
        """Asks CodeBuild to end a build: the command gets SIGTERM and some time."""
        self.client("codebuild").stop_build(id=build["id"])

    def pause(self, project: str, reason: str) -> str:
        """Makes the launcher leave a project's triggers in the queue; returns the parameter's name."""
        name = self._pause_parameter(project)
        self.client("ssm").put_parameter(Name=name, Value=reason, Type="String", Overwrite=True)
        return name

    def resume(self, project: str) -> bool:
        """Takes the pause away. False if there was none."""
        ssm = self.client("ssm")
        try:
            ssm.delete_parameter(Name=self._pause_parameter(project))
        except ssm.exceptions.ParameterNotFound:
            return False
        return True

    def paused(self) -> dict[str, Pause]:
        """The paused projects."""
        prefix = f"/{self.config_path}-paused"
        pages = self.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=prefix)
        return {
            parameter["Name"].removeprefix(f"{prefix}/"): Pause(parameter["Value"], parameter["LastModifiedDate"])
            for page in pages
            for parameter in page["Parameters"]
        }

    def _pause_parameter(self, project: str) -> str:
        self.project(project)
        return f"/{self.config_path}-paused/{project}"

    def git_url(self, project: str) -> str | None:
        """The URL in a project's register entry, as far as we may read it: an encrypted entry is the worker's."""
        try:
            name = f"/{self.config_path}/{project}"
            entry = json.loads(self.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
        except (ClientError, ValueError, RecursionError):
            return None
        url = entry.get("gitUrl") if isinstance(entry, dict) else None
        return url if isinstance(url, str) else None

    def store_secret(self, project: str, document: str) -> str:
        """Writes the credentials of a project, encrypted with the pipeline's key; returns the parameter's name."""
        name = self.project(project)["credentials_parameter"]
        self.client("ssm").put_parameter(
            Name=name,
            Value=document,
            Type="SecureString",
            KeyId=self.outputs["kms_key_arn"],
            Overwrite=True,
            Tier="Intelligent-Tiering",  # an SSH key with known hosts may exceed the 4 KB of the standard tier
        )
        return name

    def roll_back(self, project: str, branch: str, commit: str) -> dict[str, Any] | None:
        """Starts the build that goes back, by the caller's own right, past topic, queue and pause. None: one runs."""
        codebuild = self.client("codebuild")
        variables = {"PROJECTNAME": project, "GITBRANCH": branch, "ROLLBACKTO": commit}
        try:
            answer = codebuild.start_build(
                projectName=self.project(project)["build_project"],
                environmentVariablesOverride=[{"name": name, "value": value} for name, value in variables.items()],
            )
        except codebuild.exceptions.AccountLimitExceededException:
            return None
        build: dict[str, Any] = answer["build"]
        return build

    def release(self, project: str, branch: str) -> str | None:
        """Takes the hold off a branch, and keeps in the record who did so; returns what was held."""
        self.project(project)
        ssm, name = self.client("ssm"), f"/{self.config_path}-deployed/{project}/{encoded(branch)}"
        try:
            text = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:
            return None
        if (known := Record.parse(text)) is None or known.held is None:
            return None
        record = json.loads(text)
        held = str(record.pop("held"))
        who = self.client("sts").get_caller_identity()["Arn"]
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        record["release"] = {"held": held, "by": who, "time": time}
        ssm.put_parameter(Name=name, Value=json.dumps(record), Type="String", Overwrite=True)
        return held

    def redrive(self) -> int:
        """Sends every dead letter through the launcher's checks again; returns how many."""
        dead, alive = self.outputs["dead_letter_queue_url"], self.outputs["queue_url"]
        count = self.waiting(dead)
        if count == 0:
            return 0
        sqs = self.client("sqs")
        try:
            # The destination is named because what SNS itself gave up has no source queue that SQS would know.
            sqs.start_message_move_task(SourceArn=self._queue_arn(dead), DestinationArn=self._queue_arn(alive))
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("InvalidAction", "UnsupportedOperation", "UnknownOperation"):
                raise
            return self._move(dead, alive, count)  # the local SQS has no move tasks
        return count

    def _move(self, source: str, destination: str, count: int) -> int:
        """Moves at most `count` messages: those that die again meanwhile are not moved in a circle."""
        sqs, moved = self.client("sqs"), 0
        while moved < count:
            answer = sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=min(BATCH, count - moved))
            if not answer.get("Messages"):
                break
            for message in answer["Messages"]:
                sqs.send_message(QueueUrl=destination, MessageBody=message["Body"])
                sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
                moved += 1
        return moved

    def _queue_arn(self, url: str) -> str:
        answer = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def follow(self, build: dict[str, Any], timeout_seconds: float) -> Iterator[Line]:
        """The lines of a build's log as they come, until the build is over. Raises NotInTime."""
        deadline = time.monotonic() + timeout_seconds
        position: str | None = None
        while True:
            current = self.client("codebuild").batch_get_builds(ids=[build["id"]])["builds"][0]
            events, position = self.log(current, position)
            for event in events:
                yield Line(event["timestamp"] / 1000, event["message"].rstrip("\n"))
            if current["buildComplete"]:  # asked before the log was read, so its last lines were not missed
                return
            if time.monotonic() > deadline:
                raise NotInTime(f"build {build['id']} is not over after {timeout_seconds:g} s")
            time.sleep(self.look_seconds)


def outcome_of(line: str) -> dict[str, Any] | None:
    """The outcome line of launcher or worker, if this is one."""
    if '"outcome"' not in line:
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("outcome"), str) else None


def variable(build: dict[str, Any], name: str) -> str | None:
    """A variable of a build."""
    for item in build["environment"].get("environmentVariables", []):
        if item["name"] == name:
            return str(item["value"])
    return None


def since(then: datetime) -> str:
    """How long ago, for a person."""
    seconds = int((datetime.now(UTC) - then).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{max(seconds, 0)} s ago"
