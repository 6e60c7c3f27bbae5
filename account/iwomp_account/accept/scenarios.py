"""What is tried on the applied pipeline, one promise after another. Nothing here makes or removes a pipeline."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from iwomp_account.accept import scripts
from iwomp_account.accept.bystanders import Bystanders
from iwomp_account.accept.deployed import Deployed, now, outcome_of
from iwomp_account.accept.repository import Repository
from iwomp_account.accept.table import Table, Verdict
from iwomp_account.accept.waiting import NotInTime
from iwomp_account.place import AccountError, client_of, one_line

MAIN, SLOW = "main", "slow"
UNBUILT = "unbuilt"  # registered by hand, without a build project
FAILURES = (AccountError, NotInTime, BotoCoreError, ClientError, LookupError)


@dataclass
class Scenarios:
    """Each method tries some promises and says what it saw. One that fails leaves the others their turn."""

    deployed: Deployed
    repository: Repository
    bystanders: Bystanders
    table: Table
    tell: Callable[[str], None]
    parameter: str  # the only thing that the project's role may change
    user: str
    namespace: str
    state: Path
    secret: str | None
    has_builds_to_spare: Callable[[], bool]  # whether the account's quota lets two builds run at once
    _commits: list[str] = field(default_factory=list)
    _logs: list[str] = field(default_factory=list)
    _dead: tuple[str, float] = ("", 0.0)
    _refused: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        for names, step in (
            (("dead_letter",), self.ask_for_the_impossible),
            (("started", "commit", "recorded", "role", "codebuild"), self.deploy_the_head),
            (("wrong_project", "branch_not_allowed", "unknown_key", "other_call"), self.refuse),
            (("pinned", "older"), self.pin),
            (("lock", "lock_words", "trap", "stopped"), self.start_twice_and_stop),
            (("alarm",), self.ring),
            (("reported",), self.hear_the_report),
            (("dead_letter", "redriven"), self.redrive),
            (("quiet",), self.be_quiet),
            (("secrets",), self.look_for_the_secret),
            (("metrics",), self.look_for_the_metric),
        ):
            try:
                step()
            except FAILURES as error:
                for name in names:
                    if self.table.verdicts[name] is Verdict.NOT_REACHED:
                        self.table.say(name, Verdict.BROKEN, f"{type(error).__name__}: {one_line(error)}")
                self.tell(f"  that failed: {one_line(error)}")

    def ask_for_the_impossible(self) -> None:
        """A register entry without a build project: no try can start it. It takes a while, so it comes first."""
        deployed = self.deployed
        entry = {"gitUrl": "https://git.example.invalid/none.git", "command": "deploy.sh"}
        deployed.place.client("ssm").put_parameter(
            Name=f"/{deployed.config_path}/{UNBUILT}", Value=json.dumps(entry), Type="String"
        )
        begin = now()
        message = json.dumps({"project": UNBUILT, "branch": MAIN})
        sns = deployed.place.client("sns")
        self._dead = (str(sns.publish(TopicArn=deployed.outputs["topic_arn"], Message=message)["MessageId"]), begin)

    def deploy_the_head(self) -> None:
        self.tell("the branch's head is deployed")
        deployed, table, branch = self.deployed, self.table, self.repository.branch(MAIN)
        commit = self.repository.commit(MAIN, scripts.telling(self.parameter, self.user, self.namespace))
        self._commits.append(commit)
        self.repository.push(MAIN)
        build, said = deployed.deploy(branch)
        self._logs += deployed.log(build)
        table.check("started", True, f"build {build['id']}")
        status = f"build {build['id']} ended as {build['buildStatus']}; the command said: {'; '.join(said)}"
        wrote = f"wrote {self.parameter}" in said
        table.check("commit", build["buildStatus"] == "SUCCEEDED" and f"commit {commit} of {branch}" in said, status)
        live = deployed.live(branch)
        table.check("recorded", live == commit, f"the record names {live}, deployed was {commit}")
        table.check("role", wrote and "was denied a user" in said, status)
        readable = [line for line in said if line.startswith("credentials in ")]
        if "/codebuild is there" not in said:
            self.table.say("codebuild", Verdict.NOT_HERE, "builds of this AWS have no /codebuild")
        else:
            table.check("codebuild", not readable, "; ".join(readable) or "nothing of that kind was readable")

    def refuse(self) -> None:
        self.tell("four attempts are refused")
        deployed, branch = self.deployed, self.repository.branch(MAIN)
        begin = now()
        attempts = {
            "wrong_project": {"project": "stranger", "branch": branch},
            "branch_not_allowed": {"project": deployed.project, "branch": "somebody-elses"},
            "unknown_key": {"project": deployed.project, "branch": branch, "command": "curl x | sh"},
        }
        self._refused = {name: deployed.publish(message) for name, message in attempts.items()}
        for name, trigger in self._refused.items():
            verdict = deployed.verdict(trigger, begin)
            words = (verdict["outcome"], verdict.get("class"))
            self.table.check(name, words == ("refused", name), f"the launcher said {words}: {verdict.get('reason')}")
        self._call_what_the_ci_must_not()

    def _call_what_the_ci_must_not(self) -> None:
        codebuild = client_of(self.deployed.ci_session, "codebuild")
        try:
            codebuild.start_build(projectName=self.deployed.of_project["build_project"])
        except ClientError as error:
            denied = "AccessDenied" in error.response["Error"]["Code"]
            self.table.check("other_call", denied, f"StartBuild was answered: {one_line(error)}")
        else:
            self.table.check("other_call", False, "StartBuild with the CI's role was allowed")

    def pin(self) -> None:
        self.tell("a pinned commit is deployed, an older one is not")
        deployed, branch = self.deployed, self.repository.branch(MAIN)
        pinned, head = (self.repository.commit(MAIN, scripts.SHORT + f"# {number}\n") for number in range(2))
        self.repository.push(MAIN)
        build, said = deployed.deploy(branch, pinned)
        self._logs += deployed.log(build)
        live = deployed.live(branch)
        seen = f"pinned {pinned}, head {head}; the command said {'; '.join(said)}; recorded is {live}"
        self.table.check("pinned", said == [f"commit {pinned} of {branch}"] and live == pinned, seen)
        self._pin_older(branch, pinned)

    def _pin_older(self, branch: str, live: str) -> None:
        """Either the launcher knows from an earlier build that it is older, or a build finds out and runs nothing."""
        deployed, begin = self.deployed, now()
        message = {"project": deployed.project, "branch": branch, "commit": self._commits[0]}
        trigger = deployed.publish(message)

        def look() -> str | None:
            if any(line["outcome"] == "superseded" for line in deployed.words(trigger, begin)):
                return ""
            build = deployed.build_of(trigger)
            return None if build is None else str(build["id"])

        build_id = deployed.patience.wait_for("an answer to the older commit", look)
        if not build_id:
            self.table.check("older", deployed.live(branch) == live, "the launcher answered it without a build")
            return
        build = deployed.finished(build_id)
        said, recorded = deployed.said(build), deployed.live(branch)
        seen = f"build {build_id} ended as {build['buildStatus']}, said {said}, recorded is {recorded}"
        self.table.check("older", build["buildStatus"] == "SUCCEEDED" and not said and recorded == live, seen)

    def start_twice_and_stop(self) -> None:
        self.tell("two calls at once start one build; it is stopped")
        deployed, table = self.deployed, self.table
        self.repository.commit(SLOW, scripts.SLOW)
        self.repository.push(SLOW)
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(self._start_slow, range(2)))
        started = [answer for answer in answers if not isinstance(answer, ClientError)]
        refused = [answer for answer in answers if isinstance(answer, ClientError)]
        words = "; ".join(one_line(error) for error in refused)
        table.check("lock", len(started) == 1, f"{len(started)} of 2 started; the other was answered: {words}")
        try:
            if refused:
                self._judge_words(refused[0])
            build = started[0]
            deployed.patience.wait_for(
                "the command's first word",
                lambda: True if f"{scripts.MARK} waits to be stopped" in deployed.log(build) else None,
                deployed.patience.build_seconds,
            )
        finally:
            for build in started:
                deployed.place.client("codebuild").stop_build(id=build["id"])
        build = deployed.finished(started[0]["id"])
        said = deployed.said(build)
        table.check(
            "trap", "trap ends" in said, f"ended as {build['buildStatus']}; the command said: {'; '.join(said)}"
        )
        live = deployed.live(self.repository.branch(SLOW))
        table.check(
            "stopped", live is None and build["buildStatus"] == "STOPPED", f"{build['buildStatus']}, live {live}"
        )

    def _judge_words(self, error: ClientError) -> None:
        """By these words the launcher tells the two limits apart, so the project's must not be the account's."""
        words = one_line(error)
        if error.response["Error"]["Code"] != "AccountLimitExceededException":
            self.table.check("lock_words", False, words)
        elif "for the account" not in words:
            self.table.check("lock_words", True, words)
        elif self.has_builds_to_spare():
            self.table.check("lock_words", False, f"the account may run more, and yet: {words}")
        else:
            self.table.say("lock_words", Verdict.NOT_HERE, f"the account's own limit came first: {words}")

    def _start_slow(self, _: int) -> Any:
        variables = {
            "PROJECTNAME": self.deployed.project,
            "GITBRANCH": self.repository.branch(SLOW),
            "TRIGGERID": str(uuid.uuid4()),
        }
        try:
            return self.deployed.place.client("codebuild").start_build(
                projectName=self.deployed.of_project["build_project"],
                environmentVariablesOverride=[
                    {"name": name, "value": value, "type": "PLAINTEXT"} for name, value in variables.items()
                ],
            )["build"]
        except ClientError as error:
            return error

    def ring(self) -> None:
        self.tell("an alarm rings")
        name = f"{self.deployed.config_path}--hourly-cap"
        reason = f"accept {uuid.uuid4()}"
        self.deployed.place.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason=reason)
        self._heard("alarm", "the notification of the alarm", name, reason)

    def hear_the_report(self) -> None:
        self._heard("reported", "the report of the first build", self._commits[0])

    def _heard(self, promise: str, what: str, *parts: str) -> None:
        queue = self.bystanders.queue_url
        letter = self.deployed.patience.wait_for(what, lambda: self.deployed.letter(queue, *parts))
        self.table.check(promise, True, letter[:200])

    def redrive(self) -> None:
        self.tell("a dead letter is sent through the checks again")
        deployed, (trigger, begin) = self.deployed, self._dead
        deployed.patience.wait_for(
            "the dead letter", lambda: True if deployed.waiting("dead_letter_queue_url") else None
        )
        words = [f"{line['outcome']} {line.get('class')}" for line in deployed.words(trigger, begin)]
        self.table.check("dead_letter", bool(words), f"the launcher said {', '.join(words)}")
        # Without its entry it is no trigger of a registered project any more: the checks must see that.
        deployed.place.client("ssm").delete_parameter(Name=f"/{deployed.config_path}/{UNBUILT}")
        deployed.redrive()

        def look() -> str | None:
            found = [line for line in deployed.words(trigger, begin) if line["outcome"] == "refused"]
            return str(found[-1].get("class")) if found else None

        refused = deployed.patience.wait_for("the launcher's word on the redriven trigger", look)
        self.table.check("redriven", refused == "unknown_project", f"refused as {refused}, since its entry is gone")

    def be_quiet(self) -> None:
        deployed = self.deployed
        for queue in ("queue_url", "dead_letter_queue_url"):
            self._wait_until_empty(queue)
        started = [name for name, trigger in self._refused.items() if deployed.build_of(trigger) is not None]
        self.table.check("quiet", not started, f"builds for {started}" if started else "no build, both queues empty")

    def _wait_until_empty(self, queue: str) -> None:
        def look() -> bool | None:
            return True if self.deployed.waiting(queue) == 0 else None

        self.deployed.patience.wait_for(f"an empty {queue}", look)

    def look_for_the_secret(self) -> None:
        if self.secret is None:
            self.table.say("secrets", Verdict.NOT_HERE, "no credential was given (--credentials)")
            return
        texts = {
            "a build's log": "\n".join(self._logs),
            "Terraform's state": self.state.read_text() if self.state.exists() else "",
            "the launcher's log": self._launcher_log(),
        }
        found = [where for where, text in texts.items() if self.secret in text]
        self.table.check("secrets", not found, f"it stands in {', '.join(found)}" if found else "looked into all three")

    def _launcher_log(self) -> str:
        logs, group = self.deployed.place.client("logs"), self.deployed.outputs["launcher_log_group"]
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return "\n".join(event["message"] for page in pages for event in page["events"])

    def look_for_the_metric(self) -> None:
        """The launcher's own lines make metrics: that they are there shows that a forged one would be, too."""
        self.tell("a forged metric is looked for")
        deployed = self.deployed
        if not any(self.namespace in line and outcome_of(line) is None for line in self._logs):
            self.table.check("metrics", False, "the line did not reach the build's log as it was printed")
            return
        control = deployed.metric_exists("iwomp", "Triggers", deployed.patience.metric_seconds)
        if not control:
            self.table.say("metrics", Verdict.NOT_HERE, "not even the launcher's lines make metrics in this AWS")
            return
        forged = deployed.metric_exists(self.namespace, "Forged", deployed.patience.metric_seconds / 2)
        self.table.check(
            "metrics", not forged, "the forged metric is there" if forged else "the launcher's is, it is not"
        )
