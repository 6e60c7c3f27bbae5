"""An `aws` for tests of what a CI runs: the AWS CLI's own words for the answers of an account that is made up.

The account has a clock of its own, which only the shell under test moves on, by its `sleep`; builds come and go by it.
Its answers go through the AWS CLI's own `--query` and its own text output, in this process: to start Python for each
call would take minutes.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jmespath
from awscli.text import format_text

REGION, NUMBER = "eu-central-1", "123456789012"
TOPIC = f"arn:aws:sns:{REGION}:{NUMBER}:iwomp-in-aws--shop"
BUILD_PROJECT = "iwomp-in-aws--shop"
TRIGGER = "95df01b4-ee98-5cb9-9903-4c221d41eb5e"
COMMIT, OTHER_COMMIT = "a" * 40, "b" * 40
NEVER = 10**9
EVENTS_A_PAGE = 3

# The account's clock, as programs, and as functions for shells that do not ask programs of these names.
PROGRAMS = {
    "sleep": 'read -r clock <"$ACCOUNT/clock" && echo $((clock + $1)) >"$ACCOUNT/clock"',
    "date": 'exec cat "$ACCOUNT/clock"',
}
CLOCK = """
sleep() { read -r clock <"$ACCOUNT/clock" && echo $((clock + $1)) >"$ACCOUNT/clock"; }
date() { cat "$ACCOUNT/clock"; }
. "$0"
"""
PROGRAMS["aws"] = """
[ -z "${AWS_WEB_IDENTITY_TOKEN_FILE-}" ] || cp "$AWS_WEB_IDENTITY_TOKEN_FILE" "$ACCOUNT/token-seen"
printf '%s\\000' "$@" >"$ACCOUNT/asked"
{
    read -r status
    if [ "$status" = 0 ]; then exec cat; else cat >&2; fi
} <"$ACCOUNT/answer"
exit "$status"
"""


@dataclass
class Build:
    """A build of the project; times are seconds of the account's clock. The trigger is published at 0."""

    number: int
    begins: int
    ends: int = NEVER
    status: str = "SUCCEEDED"
    context: str = ""
    variables: dict[str, str] = field(default_factory=lambda: {"GITBRANCH": "main", "TRIGGERID": TRIGGER})
    log: dict[int, list[str]] = field(default_factory=dict)  # by the second in which it comes

    @property
    def id(self) -> str:
        return f"{BUILD_PROJECT}:00000000-0000-4000-8000-{self.number:012}"

    def at(self, second: int) -> dict[str, Any]:
        """As BatchGetBuilds tells it."""
        is_over = second >= self.ends
        context = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": self.context}] if self.context else []
        return {
            "id": self.id,
            "buildNumber": self.number,
            "buildStatus": self.status if is_over else "IN_PROGRESS",
            "currentPhase": "COMPLETED" if is_over else "BUILD",
            "environment": {
                "environmentVariables": [
                    {"name": name, "value": value, "type": "PLAINTEXT"} for name, value in self.variables.items()
                ]
            },
            "logs": {"groupName": f"/aws/codebuild/{BUILD_PROJECT}", "streamName": self.id.partition(":")[2]},
            "phases": [{"phaseType": "SUBMITTED"}, {"phaseType": "BUILD", "contexts": context if is_over else []}],
        }


@dataclass
class Fault:
    """What AWS says instead of an answer, to calls whose name has this in it."""

    of: str
    says: str
    begins: int = -NEVER
    ends: int = NEVER


@dataclass
class Account:
    """What there is, and every call that a script made."""

    folder: Path
    builds: list[Build] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)
    answers_in: int = 0  # seconds of its clock, each call

    def run(self, shell: list[str], script: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs a script of a CI with the account's `aws` and clock."""
        programs = self.folder / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        for name, text in PROGRAMS.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        (self.folder / "clock").write_text("0\n")
        self.calls = []
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "ACCOUNT": str(self.folder), **more}
        with self._answering():
            return subprocess.run(
                [*shell, "-c", CLOCK, str(script), *arguments],
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=120,
                encoding="utf-8",
            )

    @property
    def published(self) -> list[str]:
        return [call[call.index("--message") + 1] for call in self.calls if "publish" in call]

    @property
    def seconds(self) -> int:
        return int((self.folder / "clock").read_text())

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Answers calls by two pipes, which the program `aws` writes to and reads from."""
        asked, answer = self.folder / "asked", self.folder / "answer"
        for pipe in (asked, answer):
            os.mkfifo(pipe)

        def serve() -> None:
            while call := asked.read_bytes().decode().split("\0")[:-1]:
                self.calls.append(call)
                answer.write_text(self._answer(call))

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield
        finally:
            asked.write_bytes(b"")
            server.join()
            asked.unlink()
            answer.unlink()

    def _answer(self, call: list[str]) -> str:
        """The exit status in a line, and what the AWS CLI prints."""
        asked = arguments_of(call)
        found = self._found(asked)
        (self.folder / "clock").write_text(f"{self.seconds + self.answers_in}\n")
        if isinstance(found, str):
            return f"255\n\n{found}\n"
        format_text(jmespath.search(asked.query, found), printed := io.StringIO())
        return f"0\n{printed.getvalue()}"

    def _found(self, asked: argparse.Namespace) -> Any:
        second = self.seconds
        for fault in self.faults:
            if fault.of in asked.operation and fault.begins <= second < fault.ends:
                return fault.says
        begun = [build for build in self.builds if build.begins <= second]
        match asked.operation:
            case "publish":
                return {"MessageId": TRIGGER}
            case "list-builds-for-project":
                return {"ids": [build.id for build in sorted(begun, key=lambda build: -build.number)]}
            case "batch-get-builds":
                return {"builds": [build.at(second) for build in begun if build.id in asked.ids]}
            case "get-log-events":
                (build,) = (build for build in begun if build.id.endswith(asked.log_stream_name))
                lines = [line for at, lines in build.log.items() if at <= second for line in lines]
                start = int(asked.next_token or 0)
                page = lines[start : start + EVENTS_A_PAGE]
                return {"events": [{"message": line} for line in page], "nextForwardToken": str(start + len(page))}
        return f"the tests' aws does not know {asked.operation}"


def arguments_of(call: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="aws", exit_on_error=False)
    parser.add_argument("service", choices=["sns", "codebuild", "logs"])
    parser.add_argument("operation")
    for name in ("region", "output", "cli-connect-timeout", "cli-read-timeout", "query"):
        parser.add_argument(f"--{name}")
    for name in ("topic-arn", "message", "project-name", "log-group-name", "log-stream-name", "next-token"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--ids", nargs="+")
    for name in ("no-paginate", "start-from-head"):
        parser.add_argument(f"--{name}", action="store_true")
    asked = parser.parse_args(call)
    assert (asked.region, asked.output) == (REGION, "text")
    return asked
