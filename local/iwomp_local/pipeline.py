"""What the tests and the demo read of an applied pipeline: its builds, their logs, the launcher's lines, what is live.

What people do with one is `iwomp` (cli/), which the stack runs as they would: `Stack.iwomp`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from iwomp_local.waiting import NotInTime

OUTCOME_LINES = 20  # how many lines from a build log's end the outcome line is looked for in


class PipelineError(RuntimeError):
    """What was asked for cannot be done; the text says why and what to do."""


@dataclass(frozen=True)
class Live:
    """What is live of a branch."""

    branch: str  # in the form that it has in names of AWS, which most branches have anyway
    commit: str
    time: str
    build: str | None


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

    def live(self, project: str) -> list[Live]:
        """What is live of a project's branches, as the worker wrote it."""
        prefix = f"/{self.config_path}-deployed/{project}"
        pages = self.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=prefix, Recursive=True)
        found = []
        for parameter in (parameter for page in pages for parameter in page["Parameters"]):
            record = json.loads(parameter["Value"])
            branch = parameter["Name"].removeprefix(f"{prefix}/")
            found.append(Live(branch, record["commit"], record["time"], record["build"]))
        return found

    def is_building(self, project: str) -> bool:
        return any(not build["buildComplete"] for build in self.builds(project))

    def waiting(self, queue_url: str) -> int:
        """How many messages a queue holds, the invisible ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

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
