"""The design of the original article in the same world, so that the harness is seen to find faults.

SNS calls the function directly; the function reads the register and starts a build, without a token, without a limit
of one build at a time, and without a record of what is live. A delivery that fails is tried twice more and then
dropped, as Lambda does with asynchronous calls. Lambda waits one and two minutes before those; here a minute is a
second, and so the harness lets nothing stand still for longer than its own minutes allow either.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from iwomp_local.emulator import ACCOUNT, REGION, ROOT_KEY
from iwomp_local.faults.accounting import Accepted, Build, Evidence
from iwomp_local.faults.world import BRANCH, World, record

NAME = "article"
TRIES_AFTER_SECONDS = (0.0, 1.0, 2.0)
FUNCTIONS = 10  # that run at once
SDK_TRIES = 4  # the AWS SDK for JavaScript, which the article's function uses, tries a call four times
CALL_SECONDS = 4.0
SCRIPT = (
    'git clone --quiet --depth 1 --branch "$GITBRANCH" "$GITURL" checkout',
    'cd checkout && ./deploy.sh "$GITBRANCH"',
)


@dataclass
class Article:
    """Its topic, its builds and its function."""

    world: World
    topic: str
    queue_url: str  # stands in for the wire from SNS to the function: a message is taken off it at once
    clients: dict[str, Any]  # ssm and codebuild are the function's, and go through the proxy
    accepted: list[Accepted] = field(default_factory=list)
    dropped: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def publish(self, project: str) -> None:
        head = self.world.repository(project).head(BRANCH) or ""
        message = json.dumps({"project": project, "branch": BRANCH})
        answer = self.clients["sns"].publish(TopicArn=self.topic, Message=message)
        with self._lock:
            self.accepted.append(Accepted(answer["MessageId"], project, BRANCH, head, time.time()))

    def run(self) -> None:
        """SNS and Lambda: takes each message off the wire and calls the function with it, until it is over."""
        sqs = self.world.stack.emulator.client("sqs")
        with ThreadPoolExecutor(FUNCTIONS) as pool:
            while True:
                taken = sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages", [])
                for message in taken:
                    sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
                    pool.submit(self.deliver, json.loads(message["Body"]))
                if not taken and self._over.wait(0.1):
                    return

    def deliver(self, envelope: dict[str, str]) -> None:
        for wait_seconds in TRIES_AFTER_SECONDS:
            time.sleep(wait_seconds)
            try:
                return self.function(envelope)
            except (ClientError, BotoCoreError):
                continue
        with self._lock:
            self.dropped += 1
        return None

    def function(self, envelope: dict[str, str]) -> None:
        """The article's launcher."""
        trigger = json.loads(envelope["Message"])
        name = f"/{self.world.stack.pipeline.config_path}/{trigger['project']}"
        parameter = self.clients["ssm"].get_parameter(Name=name)
        register = json.loads(parameter["Parameter"]["Value"])
        variables = {
            "GITURL": register["gitUrl"],
            "GITBRANCH": trigger["branch"],
            "TRIGGERID": envelope["MessageId"],  # the article's has none; it is what the accounting goes by
        }
        self.clients["codebuild"].start_build(
            projectName=f"{NAME}-{trigger['project']}",
            environmentVariablesOverride=[{"name": key, "value": value} for key, value in variables.items()],
        )

    def finish(self) -> None:
        self._over.set()

    def running_builds(self) -> bool:
        return any(not build["buildComplete"] for project in self.world.projects for build in self._found(project))

    def _found(self, project: str) -> list[dict[str, Any]]:
        codebuild = self.world.stack.emulator.client("codebuild")
        pages = codebuild.get_paginator("list_builds_for_project").paginate(projectName=f"{NAME}-{project}")
        ids = [build_id for page in pages for build_id in page["ids"]]
        return [
            build
            for start in range(0, len(ids), 100)
            for build in codebuild.batch_get_builds(ids=ids[start : start + 100])["builds"]
        ]

    def evidence(self) -> Evidence:
        """As the world's. The commit of a build is what its script wrote down, since there is no worker to tell."""
        world, sent = self.world, self.world.publications()
        commands = [command for project in world.projects for command in world.commands(project, f"{NAME}-")]
        deployed = {command.build: command.commit for command in commands if command.end is not None}
        builds: list[Build] = [
            record(project, build, deployed.get(build["id"]))
            for project in world.projects
            for build in self._found(project)
        ]
        return Evidence(
            accepted=[Accepted(**{**vars(one), "published": sent[one.trigger]}) for one in self.accepted],
            builds=builds,
            said={},
            dead=frozenset(),
            order={
                name: {commit: place for place, commit in enumerate(world.commits(name))} for name in world.projects
            },
            histories={},
            commands=commands,
        )


@contextmanager
def running(world: World) -> Iterator[Article]:
    """The article's pipeline beside ours, in the same account, for the same repositories."""
    client = world.stack.emulator.client
    topic = client("sns").create_topic(Name=NAME)["TopicArn"]
    queue_url = client("sqs").create_queue(QueueName=NAME)["QueueUrl"]
    wire = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}"
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": wire}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    client("sqs").set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": document})
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=wire)
    make_builds(world)
    article = Article(world, topic, queue_url, {"sns": client("sns"), **functions_clients(world)})
    thread = threading.Thread(target=article.run, name=NAME)
    thread.start()
    try:
        yield article
    finally:
        article.finish()
        thread.join()


def functions_clients(world: World) -> dict[str, Any]:
    config = Config(
        proxies={},
        connect_timeout=CALL_SECONDS,
        read_timeout=CALL_SECONDS,
        retries={"total_max_attempts": SDK_TRIES, "mode": "standard"},
        max_pool_connections=FUNCTIONS,
    )
    session = boto3.session.Session(ROOT_KEY, ROOT_KEY, region_name=REGION)
    return {
        service: session.client(service, endpoint_url=world.proxy.url, config=config)
        for service in ("ssm", "codebuild")
    }


def make_builds(world: World) -> None:
    client, bundle = world.stack.emulator.client, world.directory / "article-ca.pem"
    bundle.write_text(world.git.ca_bundle)
    trust = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
    rights = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    role = client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    client("iam").put_role_policy(RoleName=NAME, PolicyName="rights", PolicyDocument=policy(rights))
    buildspec = json.dumps({"version": "0.2", "phases": {"build": {"commands": list(SCRIPT)}}})
    variables = {"GIT_SSL_CAINFO": str(bundle), "ARTICLE": f"{NAME}-"}
    for project in world.projects:
        client("codebuild").create_project(
            name=f"{NAME}-{project}",
            source={"type": "NO_SOURCE", "buildspec": buildspec},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "the/articles:1",
                "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": [{"name": key, "value": value} for key, value in variables.items()],
            },
            serviceRole=role,
        )


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
