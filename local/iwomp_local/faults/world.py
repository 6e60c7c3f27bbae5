"""Projects under watch, with all that happens noted; and a pipeline of such, behind the proxy, that is to be broken.

The deploy scripts keep a ledger of their own, so that there is a witness beside CodeBuild and the launcher.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iwomp_local.emulator import ACCOUNT, REGION, Lifetime
from iwomp_local.faults.accounting import Accepted, Build, Command, Evidence
from iwomp_local.faults.git_host import GitHost
from iwomp_local.faults.plan import NOTHING, Plan
from iwomp_local.faults.proxy import Proxy
from iwomp_local.pipeline import PipelineError, variable
from iwomp_local.repository import Repository
from iwomp_local.stack import Stack
from iwomp_local.waiting import NotInTime, wait_for
from iwomp_local.words import WORDS

BRANCH = "main"
RETRY_SECONDS = 20  # the least that the module allows
MAX_WAIT_SECONDS = 3600
BUILDS_PER_HOUR = 100  # the most
LOOK_SECONDS = 1.0
DELIVERED_SECONDS = 60.0  # a wide bound for what SNS delivers some seconds late
REPORTS = "reports-heard"
LEDGER_FIELDS = 5
PAGE = 100  # builds in one call
ENDED_WORDS = set(WORDS["worker"]["ends_with_0"]) - {"held"}  # after these the commit, or a newer one, is live
# $ARTICLE is set by the other design's builds, which run the same script without our worker.
DEPLOY = """#!/bin/sh
commit="${{IWOMP_COMMIT:-$(git rev-parse HEAD)}}"
ledger="{ledger}/${{ARTICLE:-}}{name}"
say() {{ echo "$1 $PPID.$$ ${{CODEBUILD_BUILD_ID:-?}} $commit $(date +%s.%N)" >>"$ledger"; }}
say begin
sleep {seconds}
say end
"""


@dataclass
class Watch:
    """Some projects of a stack, and what is known of them. Publishing and pushing are safe from several threads."""

    stack: Stack
    repositories: Path
    ledger: Path
    projects: tuple[str, ...]
    accepted: list[Accepted] = field(default_factory=list)
    _locks: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _sns: Any = None
    _reports: str = ""
    _reported: Counter[str] = field(default_factory=Counter)

    def repository(self, project: str) -> Repository:
        return Repository(self.repositories / f"{project}.git")

    def push(self, project: str) -> str:
        """A new commit, and nobody is told."""
        with self._locks[project]:
            return self.repository(project).commit("more", {"number": f"{time.time_ns()}\n"})

    def publish(self, project: str, commit: str | None = None) -> Accepted:
        """Publishes as the project's CI, which is not behind the proxy: what SNS took is what counts."""
        with self._locks[project]:
            head = self.repository(project).head(BRANCH) or ""
            message = {"project": project, "branch": BRANCH, **({"commit": commit} if commit else {})}
            topic = self.stack.pipeline.topic(project)
            answer = self._client().publish(TopicArn=topic, Message=json.dumps(message))
            taken = Accepted(answer["MessageId"], project, BRANCH, head, time.time(), commit)
            self.accepted.append(taken)
            return taken

    def _client(self) -> Any:
        if self._sns is None:
            ci = self.stack.ci
            self._sns = self.stack.emulator.client("sns", ci.access_key, ci.secret_key)
        return self._sns

    def commits(self, project: str) -> list[str]:
        """The branch's commits, oldest first."""
        return self.repository(project).git("rev-list", "--reverse", "--first-parent", f"refs/heads/{BRANCH}").split()

    # The end

    def is_quiet(self) -> bool:
        """No trigger waits, no build runs."""
        pipeline = self.stack.pipeline
        if pipeline.waiting(pipeline.outputs["queue_url"]):
            return False
        return not any(pipeline.is_building(project) for project in self.projects)

    def wait_until_quiet(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not self.is_quiet():
            if time.monotonic() > deadline:
                raise NotInTime(f"triggers still wait, or builds still run, after {timeout_seconds:g} s")
            time.sleep(LOOK_SECONDS)

    def evidence(self) -> Evidence:
        """Everything that can be asked for, once it is quiet."""
        pipeline, sent = self.stack.pipeline, self.publications()
        commands = [command for project in self.projects for command in self.commands(project)]
        builds = [build for project in self.projects for build in self.builds(project)]
        said: dict[str, list[str]] = defaultdict(list)
        for line in pipeline.launcher_outcomes(begin=min((sent[one.trigger] for one in self.accepted), default=0) - 1):
            word = line["outcome"] + (f":{line['class']}" if line["outcome"] == "failed" else "")
            said[line.get("trigger", "?")].append(word)
        return Evidence(
            accepted=[Accepted(**{**vars(one), "published": sent[one.trigger]}) for one in self.accepted],
            builds=builds,
            said=said,
            dead=frozenset(self.dead()),
            order={name: {commit: place for place, commit in enumerate(self.commits(name))} for name in self.projects},
            histories={(project, BRANCH): self.history(project) for project in self.projects},
            commands=commands,
            heads={project: self.repository(project).head(BRANCH) or "" for project in self.projects},
            reported=self.reported({build.id for build in builds}) if self._reports else None,
        )

    def hear_reports(self) -> None:
        """Subscribes to what the notifier tells people, from now on."""
        sqs, sns = self.stack.emulator.client("sqs"), self.stack.emulator.client("sns")
        self._reports = sqs.create_queue(QueueName=REPORTS)["QueueUrl"]
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{REPORTS}"
        everybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}
        document = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
        sqs.set_queue_attributes(QueueUrl=self._reports, Attributes={"Policy": document})
        topic = self.stack.pipeline.outputs["reports_topic_arn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})

    def stop_hearing(self) -> None:
        """Takes away what `hear_reports` made; the subscription ends with its topic."""
        self.stack.emulator.client("sqs").delete_queue(QueueUrl=self._reports)

    def reports(self) -> list[dict[str, Any]]:
        """What was reported since the last call, in no order."""
        sqs, found = self.stack.emulator.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=self._reports, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self._reports, ReceiptHandle=message["ReceiptHandle"])
        return found

    def reported(self, builds: set[str]) -> Counter[str]:
        """How often the end of each build was reported, since `hear_reports`. Waits for those of `builds` a while: SNS
        may deliver late, and here it does."""

        def all_told() -> bool | None:
            self._reported.update(report["build"] for report in self.reports() if "build" in report)
            return True if builds <= set(self._reported) else None

        with suppress(NotInTime):
            wait_for("the reports", all_told, DELIVERED_SECONDS)
        return self._reported

    def sweep(self) -> None:
        """What the schedule does four times an hour."""
        name = self.stack.pipeline.outputs["notifier_function_name"]
        answer = self.stack.emulator.client("lambda").invoke(FunctionName=name, Payload=json.dumps({"sweep": True}))
        if answer.get("FunctionError"):
            raise PipelineError(f"the sweep failed: {answer['Payload'].read().decode()}")

    def publications(self) -> dict[str, float]:
        """When SNS took each message, to the millisecond, as its envelope says."""
        return {trigger: int(at * 1000) / 1000 for trigger, at in self.stack.publications().items()}

    def deliveries(self) -> dict[str, int]:
        """How many deliveries were disturbed, by what was done."""
        text = self.stack.emulator.log.read_text(errors="replace")
        return {word: text.count(f'{{"injected": "{word}"}}') for word in ("twice", "late")}

    def builds(self, project: str) -> list[Build]:
        """All builds of a project; the commit is what the worker's log says is live since."""
        codebuild, pipeline = self.stack.emulator.client("codebuild"), self.stack.pipeline
        name = pipeline.project(project)["build_project"]
        pages = codebuild.get_paginator("list_builds_for_project").paginate(projectName=name)
        ids = [build_id for page in pages for build_id in page["ids"]]
        starts = range(0, len(ids), PAGE)
        pages_of_builds = (codebuild.batch_get_builds(ids=ids[start : start + PAGE])["builds"] for start in starts)
        newest = [build for page in pages_of_builds for build in page]
        said = [pipeline.build_outcome(build) or {} for build in newest]
        live = live_since(said[::-1], self.commits(project))[::-1]
        return [record(project, build, commit) for build, commit in zip(newest, live, strict=True)]

    def dead(self) -> list[str]:
        """The triggers in the dead-letter queue, which stay there."""
        sqs, url = self.stack.emulator.client("sqs"), self.stack.pipeline.outputs["dead_letter_queue_url"]
        seen: list[dict[str, Any]] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            seen += messages
        for message in seen:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        return [json.loads(message["Body"])["MessageId"] for message in seen]

    def history(self, project: str) -> list[str]:
        """The commits that were recorded as live, oldest first."""
        ssm = self.stack.emulator.client("ssm")
        name = f"/{self.stack.pipeline.config_path}-deployed/{project}/{BRANCH}"
        pages = ssm.get_paginator("get_parameter_history").paginate(Name=name)
        try:
            return [json.loads(version["Value"])["commit"] for page in pages for version in page["Parameters"]]
        except ssm.exceptions.ParameterNotFound:
            return []

    def commands(self, project: str) -> list[Command]:
        """What the deploy scripts wrote down of themselves."""
        ledger = self.ledger / project
        begun: dict[str, Command] = {}
        for line in ledger.read_text().splitlines() if ledger.exists() else ():
            fields = line.split()
            if len(fields) != LEDGER_FIELDS:
                continue  # the last words of a script that was killed
            word, process, build, commit, when = fields
            key = f"{process} {build}"
            if word == "begin":
                begun[key] = Command(project, BRANCH, build, commit, float(when), None)
            elif key in begun:
                begun[key] = Command(**{**vars(begun[key]), "end": float(when)})
        return list(begun.values())


@dataclass
class World(Watch):
    """A stack of its own behind the proxy, with a Git host that can be killed."""

    proxy: Proxy = field(kw_only=True)
    git: GitHost = field(kw_only=True)
    directory: Path = field(kw_only=True)

    def disturb(self, plan: Plan) -> None:
        self.proxy.aim(self.stack.emulator.url, plan)

    def last_round(self, timeout_seconds: float) -> None:
        """One more commit and trigger for each project, with nothing broken, and a sweep: then all has to be right."""
        self.disturb(NOTHING)
        self.wait_until_quiet(timeout_seconds)
        last: list[Accepted] = []
        for project in self.projects:
            self.push(project)
            last.append(self.publish(project))
        # On its way from topic to queue a trigger is nowhere to be seen, and all seems quiet.
        for trigger in last:
            self.stack.launcher_verdict(trigger.trigger, timeout_seconds)
        self.wait_until_quiet(timeout_seconds)
        self.sweep()


def live_since(said: list[dict[str, Any]], branch: list[str]) -> list[str | None]:
    """What was live when each build had ended, oldest first; None if it did not end well.

    A build that ran nothing names the commit that it was asked for; live is that, or the newer one that it found.
    """
    places = {commit: place for place, commit in enumerate(branch)}
    found: list[str | None] = []
    for outcome in said:
        known = [commit for commit in found if commit is not None]
        if outcome.get("outcome") == "deployed":
            found.append(outcome.get("commit"))
        elif outcome.get("outcome") in ENDED_WORDS:
            commits = [commit for commit in (outcome.get("commit"), *known[-1:]) if commit in places]
            found.append(max(commits, key=lambda commit: places[commit], default=None))
        else:
            found.append(None)
    return found


def record(project: str, build: dict[str, Any], commit: str | None) -> Build:
    return Build(
        build["id"],
        project,
        variable(build, "GITBRANCH") or "",
        variable(build, "TRIGGERID"),
        build["startTime"].timestamp(),
        build["endTime"].timestamp() if "endTime" in build else time.time(),
        build["buildStatus"],
        commit,
    )


def script(ledger: Path, name: str, seconds: float) -> str:
    """A deploy script that takes so long and writes down when it ran."""
    return DEPLOY.format(ledger=ledger, name=name, seconds=seconds)


@contextmanager
def running(
    directory: Path, projects: int, deliveries: dict[str, float] | None = None, seconds: float = 0.3
) -> Iterator[World]:
    """The world, until the block ends. `deliveries` are SNS's faults; a deploy script takes up to twice `seconds`."""
    names, ledger = tuple(f"p{number:02}" for number in range(projects)), directory / "ledger"
    ledger.mkdir(parents=True)
    chance = random.Random(projects)  # noqa: S311 (repeatable, that is the point)
    for name in names:
        repository = Repository.create(directory / "git" / f"{name}.git")
        repository.commit("first", {"deploy.sh": script(ledger, name, round(seconds * chance.uniform(1, 2), 2))})
    with Proxy(directory / "proxy") as proxy, GitHost(directory / "git") as git:
        more = {"AWS_ENDPOINT_URL": proxy.url}
        if deliveries is not None:
            more["IWOMP_DELIVERY_FAULTS"] = json.dumps(deliveries)
        entry = {"command": "deploy.sh", "ca_bundle": git.ca_bundle, "own_topic": True}
        entries = {name: {**entry, "git_url": git.url(name)} for name in names}
        with applied_stack(directory, more, entries) as stack:
            proxy.aim(stack.emulator.url)
            world = World(stack, directory / "git", ledger, names, proxy=proxy, git=git, directory=directory)
            world.hear_reports()
            yield world


@contextmanager
def applied_stack(directory: Path, more: dict[str, str], entries: dict[str, Any]) -> Iterator[Stack]:
    with Stack.start(directory / "stack", Lifetime.WITH_STARTER, more) as stack:
        stack.configure(
            projects=entries,
            shared_topic=False,
            retry_seconds=RETRY_SECONDS,
            max_wait_seconds=MAX_WAIT_SECONDS,
            builds_per_hour=BUILDS_PER_HOUR,
        )
        stack.apply()
        yield stack
