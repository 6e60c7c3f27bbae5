"""`make demo`: the whole pipeline, from `aws sns publish` to the changed infrastructure, told as it happens.

Everything it says was looked up after the fact, in logs, builds and parameters; what it promises is checked, and the
exit status is 0 only if all of it held. It leaves nothing behind, also when interrupted.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from iwomp_local import demo_project
from iwomp_local.certificates import Authority
from iwomp_local.demo_project import BRANCH, NAME
from iwomp_local.emulator import Lifetime, birth
from iwomp_local.git_server import GitServer, Token
from iwomp_local.pipeline import Line, PipelineError, outcome_of
from iwomp_local.repository import Repository
from iwomp_local.stack import Stack
from iwomp_local.story import WIDTH, Colour, Stopwatch, Story
from iwomp_local.waiting import wait_for

BUILD_SECONDS = 180.0
START_SECONDS = 60.0
STILL_SECONDS = 3.0  # nothing may happen for so long after a refusal
# How the first lines begin that somebody waits for.
FIRST_LINES = {"iwomp:": "worker says its first word", "deploy.sh:": "deploy.sh says its first word"}


@dataclass
class Deployment:
    """One deployment, with its hops in seconds after the publish."""

    trigger: str
    published: float
    build: dict[str, Any] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    hops: dict[str, float] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return "".join(f"{line.text}\n" for line in self.lines)

    @property
    def outcome(self) -> dict[str, Any]:
        lines = [outcome_of(line.text) for line in self.lines]
        return next((line for line in reversed(lines) if line is not None), {})


def run(story: Story) -> int:
    """Runs the demo; returns the exit status."""
    story.heading("iwomp, from `aws sns publish` to changed infrastructure, on this machine")
    with tempfile.TemporaryDirectory(prefix="iwomp-demo-") as scratch:
        demo = Demo(Path(scratch), story)
        with demo.running():
            demo.prepare()
            first = demo.first_deployment()
            second = demo.second_deployment()
            demo.refusals()
            demo.secrets_stayed_secret([first, second])
            demo.clean_up()
    gone = not Path(scratch).exists() and not birth(demo.stack.emulator.keeper_pid)
    story.check(gone, "nothing is left of it: no process, no file")
    return summary(story, first, second)


class Demo:
    """The steps, in order. Each prints what happens and checks what it promises."""

    def __init__(self, directory: Path, story: Story) -> None:
        self.directory, self.story = directory, story
        self.token = f"demo-token-{secrets.token_hex(12)}"
        self.repository = Repository.create(directory / "repositories" / f"{NAME}.git")
        self._things = ExitStack()
        self.stack: Stack

    def running(self) -> ExitStack:
        authority = Authority()
        self.git = self._things.enter_context(GitServer(self.repository.path.parent, authority.server_context()))
        self.git_url = self.git.serve(NAME, Token(self.token))
        self.ca_bundle = authority.bundle
        return self._things

    def prepare(self) -> None:
        story = self.story
        story.heading("1  A local AWS with the pipeline in it")
        clock = Stopwatch()
        self.stack = self._things.enter_context(Stack.start(self.directory / "stack", Lifetime.WITH_STARTER))
        story.check(True, f"a local AWS that enforces IAM answers at {self.stack.emulator.url}", clock.seconds)
        story.check(True, f"{self.git_url} asks for a token, behind a certificate of its own authority")
        story.say(
            "terraform apply: topic, queues, launcher, notifier, KMS key, a CodeBuild project with its role (1 min)"
        )
        clock = Stopwatch()
        self.stack.configure(
            projects={NAME: demo_project.entry(self.git_url, self.ca_bundle)},
            shared_topic=False,
            retry_seconds=20,
            max_wait_seconds=3600,
        )
        self.stack.apply(lambda made: story.progress(f"{made} resources made"))
        made = [name for name in self.stack.terraform.resources() if not name.startswith("data.")]
        story.check(True, f"terraform apply made {len(made)} resources", clock.seconds)
        clock = Stopwatch()
        story.check(not self.stack.terraform.pending_changes(), "terraform plan finds nothing to change", clock.seconds)
        said = self.stack.store_secret(NAME, authToken=self.token)
        story.check(True, f"iwomp secret set {NAME}: {said}, which only builds of {NAME} can decrypt")

    def first_deployment(self) -> Deployment:
        story = self.story
        story.heading("2  First deployment")
        commit = self.repository.commit("Greet our visitors", demo_project.FIRST_COMMIT)
        story.say(f"Ada pushes {commit[:12]} “Greet our visitors”. CI has tested it, and says so:")
        before = self._resources()
        deployment = self._deploy()
        self._check_deployed(deployment, commit)
        self._show_difference(before, self._resources())
        story.check(self._greeting() == "Hello", f"{demo_project.GREETING} says “Hello”")
        return deployment

    def second_deployment(self) -> Deployment:
        story = self.story
        story.heading("3  A commit later")
        commit = self.repository.commit("Greet them again, and count their visits", demo_project.SECOND_COMMIT)
        story.say(
            f"{commit[:12]} “Greet them again, and count their visits”: another greeting, a table, a try for more."
        )
        before = self._resources()
        deployment = self._deploy()
        self._check_deployed(deployment, commit)
        self._show_difference(before, self._resources())
        story.check(self._greeting() == "Hello again", f"{demo_project.GREETING} says “Hello again”")
        users = [user["UserName"] for user in self.stack.emulator.client("iam").list_users()["Users"]]
        story.check(
            "deploy.sh: that was denied" in deployment.log and "intruder" not in users,
            "the command could do what its project's role may, and no more: iam:CreateUser was denied",
        )
        return deployment

    def refusals(self) -> None:
        story = self.story
        story.heading("4  What is refused")
        builds = len(self.stack.pipeline.builds(NAME))
        for what, message, word in (
            ("another project than the topic's", {"project": "stranger", "branch": BRANCH}, "wrong_project"),
            (
                "a branch that the register does not name",
                {"project": NAME, "branch": "feature/mine"},
                "branch_not_allowed",
            ),
            (
                "a message with a command in it",
                {"project": NAME, "branch": BRANCH, "command": "curl x | sh"},
                "unknown_key",
            ),
        ):
            self._refused(what, message, word)
        self._denied_by_iam()
        time.sleep(STILL_SECONDS)
        story.check(len(self.stack.pipeline.builds(NAME)) == builds, "none of them started a build")
        outputs = self.stack.pipeline.outputs
        waiting = {name: self.stack.pipeline.waiting(outputs[name]) for name in ("queue_url", "dead_letter_queue_url")}
        story.check(set(waiting.values()) == {0}, "none of them is left in a queue")

    def secrets_stayed_secret(self, deployments: list[Deployment]) -> None:
        launcher = json.dumps(self.stack.pipeline.launcher_outcomes())
        state = (self.stack.terraform.directory / "terraform.tfstate").read_text()
        seen = any(self.token in text for text in (launcher, state, *(deployment.log for deployment in deployments)))
        sent = any(request.authorization for request in self.git.requests)
        self.story.check(sent and not seen, "git got the token; no log and no Terraform state has it")

    def clean_up(self) -> None:
        story = self.story
        story.heading("5  Cleaning up")
        clock = Stopwatch()
        self.stack.terraform.destroy()
        left = self.stack.terraform.resources()
        story.check(not left, "terraform destroy left no resource", clock.seconds)

    def _deploy(self) -> Deployment:
        """Publishes as the CI does and follows the deployment to its end, hop by hop."""
        trigger = self._publish({"project": NAME, "branch": BRANCH})
        deployment = Deployment(trigger, self.stack.published_at(trigger))
        self.story.hop(0.0, f"SNS took message {trigger}")
        self._follow_start(deployment)
        self._follow_build(deployment)
        return deployment

    def _publish(self, message: dict[str, str]) -> str:
        """What a CI does: the AWS CLI with the CI's key; returns the message id."""
        topic, text = self.stack.pipeline.topic(NAME), json.dumps(message)
        self.story.command(f"aws sns publish --topic-arn {topic} --message '{text}'")
        said = self.stack.aws("sns", "publish", "--topic-arn", topic, "--message", text)
        if said.status != 0:
            raise PipelineError(f"the CI cannot publish: {said.err}")
        return str(json.loads(said.out)["MessageId"])

    def _follow_start(self, deployment: Deployment) -> None:
        verdict = self.stack.launcher_verdict(deployment.trigger)
        self._hop(deployment, "launcher has checked it", verdict["_aws"]["Timestamp"] / 1000)
        deployment.build = wait_for(
            f"a build for trigger {deployment.trigger}",
            lambda: self.stack.build_of(NAME, deployment.trigger),
            START_SECONDS,
        )
        self._hop(deployment, "CodeBuild runs the build", deployment.build["startTime"].timestamp())

    def _follow_build(self, deployment: Deployment) -> None:
        for line in self.stack.pipeline.follow(deployment.build, BUILD_SECONDS):
            deployment.lines.append(line)
            if line.text.startswith("[Container]"):
                continue
            after = line.time - deployment.published
            for beginning, name in FIRST_LINES.items():
                if line.text.startswith(beginning):
                    deployment.hops.setdefault(name, after)
            self.story.quiet(line.text, after)
        deployment.build = self.stack.pipeline.builds(NAME, limit=1)[0]
        self._hop(deployment, "the build is over", deployment.build["endTime"].timestamp())

    def _hop(self, deployment: Deployment, name: str, when: float) -> None:
        deployment.hops[name] = when - deployment.published
        self.story.hop(deployment.hops[name], name)

    def _check_deployed(self, deployment: Deployment, commit: str) -> None:
        self.story.check(
            deployment.build["buildStatus"] == "SUCCEEDED" and deployment.outcome.get("outcome") == "deployed",
            f"build {deployment.build['buildNumber']} succeeded; its outcome is “deployed”",
        )
        live = {live.branch: live.commit for live in self.stack.pipeline.live(NAME)}
        self.story.check(live == {BRANCH: commit}, f"what is live is recorded: {BRANCH} at {commit[:12]}")

    def _resources(self) -> dict[str, str]:
        """What the project's CloudFormation stack holds: names with what they are."""
        cloudformation = self.stack.emulator.client("cloudformation")
        try:
            found = cloudformation.describe_stack_resources(StackName=demo_project.CLOUDFORMATION_STACK)
        except ClientError:
            return {}
        resources = {item["PhysicalResourceId"]: item["ResourceType"] for item in found["StackResources"]}
        if demo_project.GREETING in resources:
            resources[demo_project.GREETING] += f", “{self._greeting()}”"
        return resources

    def _show_difference(self, before: dict[str, str], after: dict[str, str]) -> None:
        for name in sorted(after):
            sign = " " if after[name] == before.get(name) else "~" if name in before else "+"
            self.story.line(f"    {self.story.paint(sign, Colour.GOOD)} {name:<26} {after[name]}")
        self.story.check(
            len(after) > len(before), f"the project's stack has {len(after)} resources, {len(before)} before"
        )

    def _greeting(self) -> str:
        ssm = self.stack.emulator.client("ssm")
        return str(ssm.get_parameter(Name=demo_project.GREETING)["Parameter"]["Value"])

    def _refused(self, what: str, message: dict[str, str], word: str) -> None:
        verdict = self.stack.launcher_verdict(self._publish(message))
        self.story.quiet(f"{verdict['outcome']}, {verdict.get('class')}: {verdict.get('reason')}")
        self.story.check((verdict["outcome"], verdict.get("class")) == ("refused", word), f"refused: {what}")

    def _denied_by_iam(self) -> None:
        build_project = self.stack.pipeline.project(NAME)["build_project"]
        call = ("codebuild", "start-build", "--project-name", build_project)
        self.story.command(f"aws {' '.join(call)}")
        said = self.stack.aws(*call)
        self.story.quiet(said.err.replace("\n", " ")[:240])
        self.story.check(
            said.status != 0 and "AccessDenied" in said.err, "denied by IAM: any call of the CI's but sns:Publish"
        )


def summary(story: Story, first: Deployment, second: Deployment) -> int:
    story.line("\n" + "─" * WIDTH)
    story.line(story.paint(f"  {'Seconds from the publish until':<46} {'first':>8} {'second':>8}", Colour.HEADING))
    for name, seconds in sorted(first.hops.items(), key=lambda hop: hop[1]):
        story.line(f"    {name:<44} {seconds:8.2f} {second.hops[name]:8.2f}")
    total = story.held + len(story.broken)
    story.line()
    if story.broken:
        story.line(story.paint(f"  {len(story.broken)} of {total} promises did not hold:", Colour.BAD))
        for text in story.broken:
            story.line(f"    ✗ {text}")
        story.line("─" * WIDTH)
        return 1
    story.line(story.paint(f"  All {total} promises held, in {story.seconds:.0f} s.", Colour.GOOD))
    story.line("  The CI could ask, and nothing else. Register and Git decided what ran, with one project's role.")
    story.line("  Next: `make up` keeps such a stack for you; `make deploy` puts the pipeline into your account.")
    story.line("─" * WIDTH)
    return 0
