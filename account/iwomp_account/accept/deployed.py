"""The applied pipeline as the acceptance run uses it: publish as the CI, and look at what came of it in AWS."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from iwomp_account.accept.scripts import MARK
from iwomp_account.accept.waiting import NotInTime, Patience
from iwomp_account.place import Place, client_of
from iwomp_account.words import ENDS_OF_TRIGGERS

DONE = ENDS_OF_TRIGGERS | {"failed"}  # after which the launcher tries again, or not
LOG_SECONDS = 60.0
NO_MOVE_TASKS = {"InvalidAction", "UnsupportedOperation", "UnknownOperation"}  # the local SQS has none


@dataclass
class Deployed:
    """One applied pipeline; its one project is `project`."""

    place: Place
    patience: Patience
    outputs: dict[str, Any]
    project: str
    ci_session: Any  # of the CI's role: may publish on the project's topic
    letters: dict[str, dict[str, Any]] = field(default_factory=dict)  # what the listening queue has got so far

    @property
    def of_project(self) -> dict[str, str]:
        found: dict[str, str] = self.outputs["projects"][self.project]
        return found

    @property
    def config_path(self) -> str:
        return str(self.outputs["config_path"])

    def publish(self, message: dict[str, str]) -> str:
        """As the CI. A new role may be denied for some seconds: that is waited for."""

        def attempt() -> str | None:
            try:
                sns = client_of(self.ci_session, "sns")
                answer = sns.publish(TopicArn=self.of_project["topic_arn"], Message=json.dumps(message))
            except ClientError as error:
                if error.response["Error"]["Code"] not in (
                    "AuthorizationError",
                    "InvalidClientTokenId",
                    "AccessDenied",
                ):
                    raise
                return None
            return str(answer["MessageId"])

        return self.patience.wait_for("the CI's role may publish", attempt, 60.0)

    def words(self, trigger: str, begin: float) -> list[dict[str, Any]]:
        """The launcher's lines about a trigger since `begin`."""
        pages = (
            self.place.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=self.outputs["launcher_log_group"], startTime=int((begin - 60) * 1000))
        )
        lines = (outcome_of(event["message"]) for page in pages for event in page["events"])
        return [line for line in lines if line is not None and line.get("trigger") == trigger]

    def verdict(self, trigger: str, begin: float) -> dict[str, Any]:
        """The line with which the launcher was done with a trigger."""

        def look() -> dict[str, Any] | None:
            return next((line for line in self.words(trigger, begin) if line["outcome"] in DONE), None)

        return self.patience.wait_for(f"the launcher's word on trigger {trigger}", look)

    def build_of(self, trigger: str) -> dict[str, Any] | None:
        return next((build for build in self.builds() if variable(build, "TRIGGERID") == trigger), None)

    def builds(self) -> list[dict[str, Any]]:
        codebuild = self.place.client("codebuild")
        ids = codebuild.list_builds_for_project(projectName=self.of_project["build_project"])["ids"]
        found: list[dict[str, Any]] = codebuild.batch_get_builds(ids=ids[:50])["builds"] if ids else []
        return found

    def build(self, build_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.place.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]
        return found

    def finished(self, build_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            build = self.build(build_id)
            return build if build["buildComplete"] else None

        return self.patience.wait_for(f"the end of build {build_id}", look, self.patience.build_seconds)

    def deploy(self, branch: str, commit: str | None = None) -> tuple[dict[str, Any], list[str]]:
        """Triggers as the CI does and waits for the build's end; the build, and what its command said."""
        message = {"project": self.project, "branch": branch, **({"commit": commit} if commit else {})}
        trigger = self.publish(message)
        build = self.patience.wait_for(
            f"a build for trigger {trigger}", lambda: self.build_of(trigger), self.patience.short_seconds
        )
        build = self.finished(build["id"])
        return build, self.said(build)

    def log(self, build: dict[str, Any]) -> list[str]:
        """The whole log of a build so far."""
        place = self.build(build["id"]).get("logs") or {}
        if not place.get("groupName") or not place.get("streamName"):
            return []
        logs, lines, token = self.place.client("logs"), [], None
        while True:
            where = {"nextToken": token} if token else {"startFromHead": True}
            try:
                page = logs.get_log_events(logGroupName=place["groupName"], logStreamName=place["streamName"], **where)
            except logs.exceptions.ResourceNotFoundException:
                return []
            lines += [event["message"].rstrip("\n") for event in page["events"]]
            if page["nextForwardToken"] == token:
                return lines
            token = page["nextForwardToken"]

    def said(self, build: dict[str, Any]) -> list[str]:
        """What the command of a build said. The log comes some seconds late; of what was cut off it has no end."""

        def look() -> list[str] | None:
            lines = self.log(build)
            return lines if any("Phase complete: BUILD" in line or outcome_of(line) for line in lines) else None

        try:
            lines = self.patience.wait_for(f"the log of build {build['id']}", look, LOG_SECONDS)
        except NotInTime:
            lines = self.log(build)
        return [line.removeprefix(MARK).strip() for line in lines if line.startswith(MARK)]

    def live(self, branch: str) -> str | None:
        """The commit that is recorded as live. A build can write its own record, so its shape is looked at."""
        ssm = self.place.client("ssm")
        try:
            value = ssm.get_parameter(Name=f"/{self.config_path}-deployed/{self.project}/{branch}")["Parameter"][
                "Value"
            ]
            record = json.loads(value)
        except (ssm.exceptions.ParameterNotFound, ValueError):
            return None
        commit = record.get("commit") if isinstance(record, dict) else None
        return commit if isinstance(commit, str) else None

    def waiting(self, output: str) -> int:
        """How many messages a queue of the pipeline holds, the invisible ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.place.client("sqs").get_queue_attributes(QueueUrl=self.outputs[output], AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def redrive(self) -> None:
        """As `iwomp redrive`."""
        sqs, dead, alive = self.place.client("sqs"), self.outputs["dead_letter_queue_url"], self.outputs["queue_url"]

        def arn(url: str) -> str:
            answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
            return str(answer["Attributes"]["QueueArn"])

        try:
            sqs.start_message_move_task(SourceArn=arn(dead), DestinationArn=arn(alive))
        except ClientError as error:
            if error.response["Error"]["Code"] not in NO_MOVE_TASKS:
                raise
            for message in sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10).get("Messages", []):
                sqs.send_message(QueueUrl=alive, MessageBody=message["Body"])
                sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])

    def letter(self, queue_url: str, *parts: str) -> str | None:
        """A notification that holds all of `parts` and that the listening queue has got by now."""
        sqs = self.place.client("sqs")
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            self.letters[message["MessageId"]] = {"body": message["Body"]}
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        bodies = (str(letter["body"]) for letter in self.letters.values())
        return next((body for body in bodies if all(part in body for part in parts)), None)

    def metric_exists(self, namespace: str, name: str, seconds: float) -> bool:
        """Whether such a metric turns up within so long."""
        cloudwatch = self.place.client("cloudwatch")

        def look() -> bool | None:
            found = cloudwatch.list_metrics(Namespace=namespace, MetricName=name)["Metrics"]
            return True if found else None

        try:
            return self.patience.wait_for(f"metric {name}", look, seconds)
        except NotInTime:
            return False


def outcome_of(line: str) -> dict[str, Any] | None:
    """The outcome line of launcher or worker, if this is one."""
    if '"outcome"' not in line:
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("outcome"), str) else None


def variable(build: dict[str, Any], name: str) -> str | None:
    """A variable of a build."""
    for item in build["environment"].get("environmentVariables", []):
        if item["name"] == name:
            return str(item["value"])
    return None


def now() -> float:
    return time.time()
