"""CodeBuild's API as the pipeline uses it: projects that keep every field, builds that run, CodeBuild's own rules.

The rules that matter to the pipeline are the concurrent limit (an error, not a queue), the idempotency token (honoured
for five minutes) and overrides (kept). A request that needs what is not here is refused, never half done. Running a
build is `build_run`'s job; where records live and events go is ministack's, reached through `Host`.
"""

from __future__ import annotations

import copy
import re
import threading
import time
import uuid
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from iwomp_local.standin.build_run import BuildRun, now

Record = dict[str, Any]
TOKEN_SECONDS = 5 * 60  # how long AWS documents an idempotency token to live
PAGE = 100  # ids in one answer, as at AWS
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,149}\Z")

NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidInputException"
LIMIT = "AccountLimitExceededException"  # the project's limit is answered with it, too
KNOWN_START_FIELDS = {
    "projectName", "idempotencyToken", "environmentVariablesOverride", "sourceVersion", "buildspecOverride",
    "timeoutInMinutesOverride",
}  # fmt: skip


class ApiError(Exception):
    """An error that CodeBuild's API answers with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Host(Protocol):
    """What the API needs from the emulator around it. Everything is of the calling account and region."""

    projects: MutableMapping[str, Record]
    builds: MutableMapping[str, Record]

    def arn(self, resource: str) -> str: ...
    def caller(self) -> str: ...
    def check_role(self, role_arn: str, project_arn: str) -> None: ...
    def publish(self, build: Record) -> None: ...
    def prepare(self, build: Record, timeout_seconds: float, on_end: Callable[[Record], None]) -> BuildRun: ...
    def launch(self, run: BuildRun) -> None: ...


@dataclass
class Token:
    """A StartBuild request that was answered, kept so that its repetition gets the same answer."""

    request: Record
    build_id: str
    expires: float


@dataclass
class CodeBuild:
    """The API. `call` is thread-safe."""

    host: Host
    clock: Callable[[], float] = time.monotonic
    account_limit: int | None = None  # most builds at once of all projects together; AWS has one a kind of machine
    _tokens: dict[tuple[str, str], Token] = field(default_factory=dict)
    _runs: dict[str, BuildRun] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, action: str, request: Record) -> Record:
        """Answers one request. Raises ApiError."""
        operations: dict[str, Callable[[Record], Record]] = {
            "CreateProject": self.create_project,
            "UpdateProject": self.update_project,
            "DeleteProject": self.delete_project,
            "BatchGetProjects": self.batch_get_projects,
            "ListProjects": self.list_projects,
            "StartBuild": self.start_build,
            "StopBuild": self.stop_build,
            "BatchGetBuilds": self.batch_get_builds,
            "ListBuilds": self.list_builds,
            "ListBuildsForProject": self.list_builds_for_project,
        }
        if action not in operations:
            raise ApiError("InvalidAction", f"the local CodeBuild does not know {action}")
        return operations[action](request)

    # Projects

    def create_project(self, request: Record) -> Record:
        name = request.get("name", "")
        if not NAME.match(name):
            raise ApiError(INVALID, f"Invalid project name: {name}")
        if name in self.host.projects:
            raise ApiError("ResourceAlreadyExistsException", f"Project already exists: {self._project_arn(name)}")
        project = {
            "description": "",
            "timeoutInMinutes": 60,
            "queuedTimeoutInMinutes": 480,
            "tags": [],
            "cache": {"type": "NO_CACHE"},
            "encryptionKey": self.host.arn("alias/aws/s3").replace(":codebuild:", ":kms:"),
            "badge": {"badgeEnabled": False},
            "projectVisibility": "PRIVATE",
            **copy.deepcopy(request),
            "arn": self._project_arn(name),
            "created": now(),
            "lastModified": now(),
        }
        self._check_project(project)
        self.host.projects[name] = project
        return {"project": copy.deepcopy(project)}

    def update_project(self, request: Record) -> Record:
        name = self._project_name(request.get("name", ""))
        project = {**self._project(name), **copy.deepcopy(request), "name": name, "lastModified": now()}
        if project.get("concurrentBuildLimit") == -1:  # AWS's way to take the limit away
            del project["concurrentBuildLimit"]
        self._check_project(project)
        self.host.projects[name] = project
        return {"project": copy.deepcopy(project)}

    def delete_project(self, request: Record) -> Record:
        """Deleting what is not there succeeds, as at AWS. Builds stay listed."""
        self.host.projects.pop(self._project_name(request.get("name", "")), None)
        return {}

    def batch_get_projects(self, request: Record) -> Record:
        names = request.get("names", [])
        found = {name: self.host.projects.get(self._project_name(name)) for name in names}
        return {
            "projects": [copy.deepcopy(project) for project in found.values() if project is not None],
            "projectsNotFound": [name for name, project in found.items() if project is None],
        }

    def list_projects(self, request: Record) -> Record:
        names = sorted(self.host.projects, reverse=request.get("sortOrder") == "DESCENDING")
        return page("projects", names, request)

    def _check_project(self, project: Record) -> None:
        source = project.get("source", {})
        if source.get("type") != "NO_SOURCE" or not source.get("buildspec"):
            raise ApiError(INVALID, "the local CodeBuild runs only projects of NO_SOURCE with an inline buildspec")
        for part in ("environment", "artifacts", "serviceRole"):
            if not project.get(part):
                raise ApiError(INVALID, f"Invalid input: {part} is required")
        limit = project.get("concurrentBuildLimit")
        if limit is not None and limit < 1:
            raise ApiError(INVALID, "Invalid concurrentBuildLimit: it must be at least 1")
        self.host.check_role(project["serviceRole"], project["arn"])

    # Builds

    def start_build(self, request: Record) -> Record:
        if unknown := set(request) - KNOWN_START_FIELDS:
            raise ApiError(INVALID, f"the local CodeBuild does not know {', '.join(sorted(unknown))} of StartBuild")
        name = self._project_name(request.get("projectName", ""))
        with self._lock:
            project = self._project(name)
            if (repeated := self._build_of_token(name, request)) is not None:
                return {"build": copy.deepcopy(repeated)}
            limit = project.get("concurrentBuildLimit")
            active = [key.partition(":")[0] for key, run in self._runs.items() if not run.ended.is_set()]
            if limit is not None and active.count(name) >= limit:
                raise ApiError(LIMIT, f"Cannot have more than {limit} builds in queue for the project: {name}")
            if self.account_limit is not None and len(active) >= self.account_limit:
                # AWS's own words. Which of the two limits it looks at first, it does not say.
                raise ApiError(LIMIT, f"Cannot have more than {self.account_limit} builds in queue for the account")
            build = self._new_build(project, request)
            self.host.builds[build["id"]] = build
            if token := request.get("idempotencyToken"):
                self._tokens[name, token] = Token(copy.deepcopy(request), build["id"], self.clock() + TOKEN_SECONDS)
            answer = copy.deepcopy(build)
            run = self.host.prepare(build, build["timeoutInMinutes"] * 60, self._ended)
            self._runs[build["id"]] = run
        # Outside the lock: who hears of the event may call us.
        self.host.publish(build)
        self.host.launch(run)
        return {"build": answer}

    def _ended(self, build: Record) -> None:
        self._runs.pop(build["id"], None)
        self.host.publish(build)

    def _build_of_token(self, project: str, request: Record) -> Record | None:
        self._tokens = {key: token for key, token in self._tokens.items() if token.expires > self.clock()}
        token = self._tokens.get((project, request.get("idempotencyToken", "")))
        if token is None:
            return None
        if token.request != request:
            raise ApiError(INVALID, "The idempotency token was used for a request with different parameters")
        return self.host.builds[token.build_id]

    def _new_build(self, project: Record, request: Record) -> Record:
        name = project["name"]
        build_id = f"{name}:{uuid.uuid4()}"
        environment = copy.deepcopy(project["environment"])
        variables = {item["name"]: item for item in environment.get("environmentVariables") or []}
        for item in request.get("environmentVariablesOverride") or []:
            variables[item["name"]] = {"type": "PLAINTEXT", **item}
        environment["environmentVariables"] = list(variables.values())
        source = copy.deepcopy(project["source"])
        source["buildspec"] = request.get("buildspecOverride", source["buildspec"])
        start = now()
        done = {"phaseStatus": "SUCCEEDED", "startTime": start, "endTime": start, "durationInSeconds": 0}
        return {
            "id": build_id,
            "arn": self.host.arn(f"build/{build_id}"),
            "buildNumber": 1 + sum(build["projectName"] == name for build in self.host.builds.values()),
            "startTime": start,
            "currentPhase": "QUEUED",
            "buildStatus": "IN_PROGRESS",
            "buildComplete": False,
            **({"sourceVersion": request["sourceVersion"]} if "sourceVersion" in request else {}),
            "projectName": name,
            "phases": [{"phaseType": "SUBMITTED", **done}, {"phaseType": "QUEUED", **done}],
            "source": source,
            "artifacts": {"location": ""},
            "cache": copy.deepcopy(project["cache"]),
            "environment": environment,
            "serviceRole": project["serviceRole"],
            "logs": self._logs(project, build_id),
            "timeoutInMinutes": request.get("timeoutInMinutesOverride", project["timeoutInMinutes"]),
            "queuedTimeoutInMinutes": project["queuedTimeoutInMinutes"],
            "initiator": self.host.caller(),
            "encryptionKey": project["encryptionKey"],
        }

    def _logs(self, project: Record, build_id: str) -> Record:
        wanted = (project.get("logsConfig") or {}).get("cloudWatchLogs") or {"status": "ENABLED"}
        if wanted.get("status", "ENABLED") != "ENABLED":
            return {"cloudWatchLogs": wanted}
        group = wanted.get("groupName", f"/aws/codebuild/{project['name']}")
        stream = "/".join(filter(None, (wanted.get("streamName"), build_id.partition(":")[2])))
        return {
            "groupName": group,
            "streamName": stream,
            "cloudWatchLogs": wanted,
            "cloudWatchLogsArn": self.host.arn(f"log-group:{group}:log-stream:{stream}").replace(
                ":codebuild:", ":logs:"
            ),
        }

    def stop_build(self, request: Record) -> Record:
        """Stopping a build that is over changes nothing. Answers when the build is over."""
        build = self._build(request.get("id", ""))
        if build is None:
            raise ApiError(NOT_FOUND, f"Build not found: {request.get('id')}")
        run = self._runs.get(build["id"])
        if run is not None:
            run.stop()
        return {"build": copy.deepcopy(build)}

    def stop_all(self) -> None:
        for run in list(self._runs.values()):
            run.stop()

    def batch_get_builds(self, request: Record) -> Record:
        found = {name: self._build(name) for name in request.get("ids", [])}
        return {
            "builds": [copy.deepcopy(build) for build in found.values() if build is not None],
            "buildsNotFound": [name for name, build in found.items() if build is None],
        }

    def list_builds(self, request: Record) -> Record:
        return self._page_of_builds(list(self.host.builds.values()), request)

    def list_builds_for_project(self, request: Record) -> Record:
        name = self._project_name(request.get("projectName", ""))
        self._project(name)
        builds = [build for build in self.host.builds.values() if build["projectName"] == name]
        if "sortOrder" in request and len(builds) > PAGE:  # as the API reference says
            raise ApiError(INVALID, f"the sort order cannot be set for a project with more than {PAGE} builds")
        return self._page_of_builds(builds, request)

    def _page_of_builds(self, builds: list[Record], request: Record) -> Record:
        ids = [build["id"] for build in builds]  # kept in the order of their start
        if request.get("sortOrder", "DESCENDING") == "DESCENDING":
            ids.reverse()
        return page("ids", ids, request)

    # Names

    def _build(self, identifier: str) -> Record | None:
        return self.host.builds.get(identifier.removeprefix(self.host.arn("build/")))

    def _project(self, name: str) -> Record:
        project = self.host.projects.get(name)
        if project is None:
            raise ApiError(NOT_FOUND, f"Project cannot be found: {self._project_arn(name)}")
        return project

    def _project_name(self, identifier: str) -> str:
        return identifier.removeprefix(self.host.arn("project/"))

    def _project_arn(self, name: str) -> str:
        return self.host.arn(f"project/{name}")


def page(key: str, items: list[str], request: Record) -> Record:
    """One page of a list, with a token for the next."""
    start = int(request.get("nextToken") or 0)
    answer: Record = {key: items[start : start + PAGE]}
    if start + PAGE < len(items):
        answer["nextToken"] = str(start + PAGE)
    return answer
