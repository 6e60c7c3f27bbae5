"""Runs one build: the commands of its buildspec, in a process that holds nothing but the project role's credentials.

Where the emulator was told of the build's image, the process is in a container of that image, and gets the address of
its credentials; else it is one of this machine, and gets the credentials themselves, which is all it has to do with.
A build sees a cleared environment, an empty directory and, as its end, the end of everything it started: the keeper
stands in for the container. It reports what happens to the build's record and to its log, and decides nothing else.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from iwomp_local import keeper
from iwomp_local.contained import KEEPER
from iwomp_local.standin import buildspec
from iwomp_local.standin.build_log import BuildLog
from iwomp_local.standin.container import SOURCE, Container
from iwomp_local.standin.credentials import CredentialsEndpoint

Record = dict[str, Any]
SYSTEM_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
# Output may still be in the pipe when the keeper is gone; nobody can write to it any more.
DRAIN_SECONDS = 5.0
ENDING_PHASES = ("UPLOAD_ARTIFACTS", "FINALIZING")
EXECUTION_ERROR = "COMMAND_EXECUTION_ERROR"


class BuildFailed(Exception):
    """A build cannot go on; `code` and the text are the phase context that CodeBuild would show."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class BuildRun:
    """One build under way. `execute` blocks until it is over; `stop` may be called from another thread."""

    record: Record
    timeout_seconds: float
    directory: Path
    path: str
    endpoint: str  # of the AWS that the build's own processes call
    region: str
    credentials: Callable[[], dict[str, str]]  # of the project's role; raises BuildFailed if it may not be assumed
    client: Callable[[str, dict[str, str]], Any]  # (service, credentials) -> AWS client
    on_end: Callable[[Record], None]
    container: Container | None = None
    _log: BuildLog | None = field(default=None, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _verdict: str | None = field(default=None, init=False)  # STOPPED or TIMED_OUT, once decided from outside
    _ending: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    ended: threading.Event = field(default_factory=threading.Event, init=False)

    def execute(self) -> None:
        timer = threading.Timer(self.timeout_seconds, self._end_early, args=("TIMED_OUT",))
        timer.daemon = True
        timer.start()
        succeeded = False
        try:
            succeeded = self._run()
        except BuildFailed as failure:
            self._fail_phase(failure)
        finally:
            timer.cancel()
            self._ending.close()
            shutil.rmtree(self.directory, ignore_errors=True)
            self._finish(succeeded)

    def stop(self) -> None:
        """Ends the build in order and returns when it is over."""
        self._end_early("STOPPED")
        self.ended.wait(keeper.GRACE_SECONDS * 2 + DRAIN_SECONDS)

    def _end_early(self, verdict: str) -> None:
        with self._lock:
            if self._verdict is None:
                self._verdict = verdict
            if self._process is not None:
                self._process.terminate()  # the keeper asks the command to end, waits, then kills

    def _run(self) -> bool:
        self._begin_phase("PROVISIONING")
        credentials = self.credentials()
        self._log = self._open_log(credentials)
        self._begin_phase("DOWNLOAD_SOURCE")
        commands = self._commands()
        return self._build(commands, self._environment(credentials))

    def _open_log(self, credentials: dict[str, str]) -> BuildLog | None:
        logs = self.record["logs"]
        if "groupName" not in logs:
            return None
        log = BuildLog(self.client("logs", credentials), logs["groupName"], logs["streamName"])
        try:
            log.open()
        except ClientError as error:
            raise BuildFailed(
                "ACCESS_DENIED",
                f"Service role {self.record['serviceRole']} does not allow AWS CodeBuild to create Amazon CloudWatch "
                f"Logs log streams for build {self.record['arn']}. Error message: {error.response['Error']['Message']}",
            ) from error
        return log

    def _commands(self) -> list[str]:
        try:
            return buildspec.parse(self.record["source"]["buildspec"])
        except buildspec.BuildspecError as error:
            code, _, message = str(error).partition(": ")
            raise BuildFailed(code, message) from error

    def _environment(self, credentials: dict[str, str]) -> dict[str, str]:
        """Everything that the build's processes find in their environment."""
        record = self.record
        ground = self._ground_of_the_machine(credentials) if self.container is None else self._ground_of(self.container)
        declared = {}
        for variable in record["environment"].get("environmentVariables", []):
            if (kind := variable.get("type", "PLAINTEXT")) != "PLAINTEXT":
                raise BuildFailed("CLIENT_ERROR", f"the local CodeBuild knows no variables of type {kind}")
            declared[variable["name"]] = variable["value"]
        if self.container is not None:
            declared |= self._credentials_address(credentials)
        return {
            **ground,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
            "AWS_ENDPOINT_URL": self.endpoint,
            "CODEBUILD_BUILD_ID": record["id"],
            "CODEBUILD_BUILD_ARN": record["arn"],
            "CODEBUILD_BUILD_NUMBER": str(record["buildNumber"]),
            "CODEBUILD_BUILD_IMAGE": record["environment"].get("image", ""),
            "CODEBUILD_BUILD_SUCCEEDING": "1",
            "CODEBUILD_CI": "true",
            "CODEBUILD_INITIATOR": record["initiator"],
            "CODEBUILD_KMS_KEY_ID": record["encryptionKey"],
            "CODEBUILD_LOG_PATH": record["logs"].get("streamName", ""),
            "CODEBUILD_SRC_DIR": ground["PWD"],
            "CODEBUILD_START_TIME": str(int(record["startTime"] * 1000)),
            **declared,
        }

    def _ground_of_the_machine(self, credentials: dict[str, str]) -> dict[str, str]:
        places = {name: self.directory / name for name in ("src", "home", "tmp")}
        for place in places.values():
            place.mkdir(parents=True)
        return {
            "PATH": os.pathsep.join((self.path, *SYSTEM_PATH)),
            "HOME": str(places["home"]),
            "TMPDIR": str(places["tmp"]),
            "PWD": str(places["src"]),
            "CI": "true",
            "LANG": "C.UTF-8",
            **credentials,
        }

    def _ground_of(self, container: Container) -> dict[str, str]:
        return {"CI": "true", **container.image.variables, "PWD": SOURCE}

    def _credentials_address(self, credentials: dict[str, str]) -> dict[str, str]:
        """At AWS the address is a relative one, of a host that this machine has not: here it is a whole URL."""
        document = {
            "RoleArn": self.record["serviceRole"],
            "AccessKeyId": credentials["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": credentials["AWS_SECRET_ACCESS_KEY"],
            "Token": credentials["AWS_SESSION_TOKEN"],
            "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.timeout_seconds + 3600)),
        }
        endpoint = CredentialsEndpoint(lambda: document)
        self._ending.callback(endpoint.close)
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint.url}

    def _build(self, commands: list[str], environment: dict[str, str]) -> bool:
        self._begin_phase("BUILD")
        script, folder = buildspec.script(commands), self.directory / "src"
        inside = ["/bin/sh", "-c", script]
        if self.container is not None:
            inside, folder = self.container.command(script, environment), self.directory
        with self._lock:
            if self._verdict is not None:
                return False
            self._process = subprocess.Popen(
                [*KEEPER, "--", *inside],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,  # held open: the keeper ends the build if we are gone
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        pump = threading.Thread(target=self._pump, args=(self._process,), daemon=True)
        pump.start()
        status = self._process.wait()
        pump.join(DRAIN_SECONDS)
        with self._lock:
            self._process = None
        succeeded = status == 0 and self._verdict is None
        if succeeded:
            self._end_phase("SUCCEEDED")
        else:
            reason = f"Error while executing command: {'; '.join(commands)}. Reason: exit status {status}"
            self._end_phase(self._verdict or "FAILED", EXECUTION_ERROR, reason)
        return succeeded

    def _pump(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 (it was asked for)
        with process.stdout as output:
            for line in output:
                self._say(line.decode(errors="replace").rstrip("\r\n"))

    def _say(self, line: str) -> None:
        if self._log is not None:
            self._log.line(line)

    def _begin_phase(self, name: str) -> None:
        self._end_phase("SUCCEEDED")
        self.record["phases"].append({"phaseType": name, "startTime": now()})
        self.record["currentPhase"] = name

    def _end_phase(self, status: str, code: str = "", message: str = "") -> None:
        phase = self.record["phases"][-1]
        if "phaseStatus" in phase:
            return
        phase["phaseStatus"] = status
        phase["endTime"] = now()
        phase["durationInSeconds"] = int(phase["endTime"] - phase["startTime"])
        phase["contexts"] = [{"statusCode": code, "message": message}]
        if self._log is not None:
            self._log.container(f"Phase complete: {phase['phaseType']} State: {status}")
            self._log.container(f"Phase context status code: {code} Message: {message}")

    def _fail_phase(self, failure: BuildFailed) -> None:
        self._end_phase("FAILED", failure.code, str(failure))

    def _finish(self, succeeded: bool) -> None:
        status = self._verdict or ("SUCCEEDED" if succeeded else "FAILED")
        if self.record["phases"][-1].get("phaseStatus") is None:
            self._end_phase(status)
        for name in ENDING_PHASES:
            self._begin_phase(name)
        self._end_phase("SUCCEEDED")
        if self._log is not None:
            self._log.close()
        self.record["phases"].append({"phaseType": "COMPLETED", "startTime": now()})
        self.record.update(currentPhase="COMPLETED", buildComplete=True, endTime=now(), buildStatus=status)
        self.ended.set()
        self.on_end(self.record)


def now() -> float:
    """Seconds since 1970, to the millisecond, as CodeBuild reports times."""
    return round(time.time(), 3)
