"""The stack of the end-to-end tests: one apply, and for every way to register a project a project with a repository."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import github_host
from github_host import GitHub

from iwomp_local.certificates import Authority
from iwomp_local.emulator import ACCOUNT, REGION, Lifetime
from iwomp_local.git_server import Access, Anybody, BearerToken, GitServer, Password, Token
from iwomp_local.places import REPOSITORY
from iwomp_local.repository import Repository
from iwomp_local.ssh_server import SshServer
from iwomp_local.stack import CliResult, Principal, Stack
from iwomp_local.waiting import wait_for

EVENT_BUS = "told"
RETRY_SECONDS = 20  # the least that the module allows
MAX_WAIT_SECONDS = 3600
LASTING_TRIES = 5  # after so many the launcher gives up what only a person can mend
CROWD = 12
CLOCK_SKEW_SECONDS = 5  # the launcher's own: a build that began so little after a publication may have begun before it
LOOKED_AT_SECONDS = 180.0
# The program `iwomp` in an empty folder, for the pipeline of the default name.
Iwomp = Callable[..., CliResult]
# Every secret of these tests begins with it, so that one search finds them all.
CANARY = f"canary-{secrets.token_hex(8)}"

TOKEN, PASSWORD, BEARER = f"{CANARY}-token", f"{CANARY}-password", f"{CANARY}-bearer"
THIEFS_OWN = f"{CANARY}-thief"
USERNAME = "deploy-bot"

# The project whose builds are in the deployer image, where a test has built it: by its name, they know it.
IN_THE_IMAGE = "contained"
THE_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/iwomp-in-aws:in-the-image"

# Says all that a test may want to know of how it was run.
DEPLOY = """#!/bin/sh
echo "command: arguments $*"
echo "command: in $(basename "$(pwd)")"
env | sed 's/^/command: variable /'
"""

EVERY_STATE = json.loads((REPOSITORY / "docs" / "schemas" / "webhook.json").read_text())["properties"]["state"]["enum"]

# Registered by Terraform.
MANAGED: dict[str, dict[str, Any]] = {
    "token": {"command": "deploy.sh"},
    "basic": {"command": "deploy.sh"},
    "bearer": {"command": "deploy.sh", "auth_scheme": "bearer"},
    "monorepo": {"command_vector": ["./deploy.sh", "--stage", "a b", "$HOME"], "deploy_dir": "services/api"},
    "ssh": {"command": "deploy.sh", "branches": ["main", "release/*", "fix/*"]},
    "public": {"command": "deploy.sh"},
    "own": {
        "command": "deploy.sh",
        "own_topic": True,
        "require_commit": True,
        "publisher": {"ci": "user", "read": "log"},
    },
    "seen": {"command": "deploy.sh", "own_topic": True, "publisher": {"ci": "user", "read": "status"}},
    "history": {"command": "deploy.sh"},
    "slow": {"command": "deploy.sh"},
    "stopped": {"command": "deploy.sh"},
    "busy": {"command": "deploy.sh"},
    "nosy": {"command": "deploy.sh"},
    "search": {"command": "deploy.sh"},
    "escape": {"command": "deploy.sh", "deploy_dir": "services/api"},
    "flooded": {"command": "deploy.sh"},
    "calm": {"command": "deploy.sh"},
    "starved": {"command": "deploy.sh"},
    "paused": {"command": "deploy.sh"},
    "expiring": {"command": "deploy.sh"},
    "forgotten": {"command": "deploy.sh"},
    "scheduled": {
        "command": "deploy.sh",
        "branches": ["main"],
        "unchanged": "skip",
        "schedule": "rate(1 minute)",
    },
    "told": {
        "command": "deploy.sh",
        "notify": [
            *({"to": kind, "private": True, "on": EVERY_STATE} for kind in ("github", "gitlab", "slack", "webhook")),
            {"to": "webhook", "private": True, "name": "usual"},
            {"to": "discord", "on": ["failed"]},
            {"to": "eventbridge", "on": ["succeeded"]},
        ],
    },
    "app": {
        "command": "deploy.sh",
        "github_app": True,
        "notify": [{"to": "github", "private": True, "environment": "production"}],
    },
    "lent": {"command": "deploy.sh", "github_app": True, "git_access": True},
    "thief": {"command": "deploy.sh"},
    IN_THE_IMAGE: {"command": "deploy.sh", "image": THE_IMAGE},
}
# Where the GitHub App is installed, by project.
OF_APP = {"app": "acme/app", "lent": "acme/lent"}
# Where a repository is on its host, if not under the project's name: GitHub's have an owner.
PLACES = {"told": "acme/shop", **OF_APP}
# Registered by hand, in the format of the original article.
EXTERNAL = ("article", "article-token", "article-basic", "broken")
ACCESS: dict[str, Access] = {
    "token": Token(TOKEN),
    "basic": Password(USERNAME, PASSWORD),
    "bearer": BearerToken(BEARER),
    "search": Token(TOKEN),
    "thief": Token(THIEFS_OWN),
    "article-token": Token(TOKEN),
    "article-basic": Password(USERNAME, PASSWORD),
}


@dataclass
class Result:
    """A finished build."""

    build: dict[str, Any]
    log: str
    outcome: dict[str, Any]

    @property
    def status(self) -> str:
        return str(self.build["buildStatus"])

    @property
    def exit_status(self) -> int:
        phase = next(phase for phase in self.build["phases"] if phase["phaseType"] == "BUILD")
        message = phase["contexts"][0].get("message") or "exit status 0"
        return int(message.rpartition(" ")[2])

    def said(self, beginning: str) -> list[str]:
        """The lines that begin so, without that beginning."""
        return [line.removeprefix(beginning) for line in self.log.splitlines() if line.startswith(beginning)]


@dataclass
class Crowd:
    """Triggers of one project at once, while its build lasts until it is let go."""

    triggers: list[str]
    let_go: Future[None]


@dataclass
class PipelineUnderTest:
    """The applied stack with its Git hosts."""

    stack: Stack
    git: GitServer
    ssh: SshServer
    authority: Authority
    world: Authority
    """The one that the functions trust, as they trust the public ones in AWS."""
    github: GitHub
    dead_trigger: str = ""
    crowd: Crowd = field(init=False)
    repositories: dict[str, Repository] = field(default_factory=dict)
    keys: dict[str, Principal] = field(default_factory=dict)

    @property
    def ca_bundle(self) -> str:
        return self.authority.bundle

    @property
    def config_path(self) -> str:
        return self.stack.pipeline.config_path

    def ci_of(self, project: str) -> Principal:
        """The identity of a project's own CI, with an access key as somebody makes it by hand."""
        publisher = self.stack.pipeline.outputs["publishers"][project]
        if project not in self.keys:
            key = self.stack.emulator.client("iam").create_access_key(UserName=publisher["user_name"])["AccessKey"]
            self.keys[project] = Principal(publisher["identity_arn"], key["AccessKeyId"], key["SecretAccessKey"])
        return self.keys[project]

    def repository(self, project: str) -> Repository:
        return self.repositories[project]

    def deploy(self, project: str, branch: str = "main", commit: str | None = None) -> Result:
        """Triggers as the CI does and waits for the build's end."""
        return self.result(project, self.stack.trigger(project, branch, commit))

    def result(self, project: str, trigger: str) -> Result:
        verdict = self.stack.launcher_verdict(trigger)
        assert verdict["outcome"] == "started", verdict
        build, log = self.stack.finished_build(project, trigger)
        return Result(build, log, self.stack.pipeline.build_outcome(build) or {})

    def verdict(self, message: object) -> dict[str, Any]:
        """What the launcher says to a message of the CI."""
        text = message if isinstance(message, str) else json.dumps(message)
        return self.stack.launcher_verdict(self.stack.publish(text))

    @contextmanager
    def shortest_wait(self) -> Iterator[None]:
        """The launcher with no patience at all. The module's own least is a minute."""
        function = self.stack.emulator.client("lambda")
        name = self.stack.pipeline.outputs["launcher_function_name"]
        before = function.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        function.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**before, "MAXWAITSECONDS": "1"}}
        )
        try:
            yield
        finally:
            function.update_function_configuration(FunctionName=name, Environment={"Variables": before})

    def write_register(self, project: str, text: str, kind: str = "String") -> None:
        """Writes a register entry by hand, as an operator does."""
        key = {"KeyId": self.stack.pipeline.outputs["kms_key_arn"]} if kind == "SecureString" else {}
        self.stack.emulator.client("ssm").put_parameter(
            Name=f"/{self.config_path}/{project}", Value=text, Type=kind, Overwrite=True, **key
        )

    def git_url(self, project: str) -> str:
        return f"https://localhost:{self.git.port}/{PLACES.get(project, project)}.git"


@contextmanager
def running(
    directory: Path, names: Collection[str] = (*MANAGED, *EXTERNAL), log: Path | None = None
) -> Iterator[PipelineUnderTest]:
    """Applied with the projects of these names; all that Terraform's provider does meanwhile is in `log`."""
    authority, world, repositories = Authority(), Authority(), directory / "repositories"
    trusted = {"SSL_CERT_FILE": str(world.write_bundle(directory / "world.pem"))}
    with (
        GitServer(repositories, authority.server_context()) as git,
        SshServer(repositories) as ssh,
        github_host.listening(authority.server_context(), f"ghs_{CANARY}-app-") as github,
        Stack.start(directory / "stack", Lifetime.WITH_STARTER, trusted) as stack,
    ):
        made = PipelineUnderTest(stack, git, ssh, authority, world, github)
        for name in names:
            place = PLACES.get(name, name)
            repository = Repository.create(repositories / f"{place}.git")
            repository.commit("first", {"deploy.sh": DEPLOY, "services/api/deploy.sh": DEPLOY})
            git.serve(place, github.access(place) if name in OF_APP else ACCESS.get(name, Anybody()))
            made.repositories[name] = repository
        configure(made)
        with logged(stack, log):
            stack.apply()
        register_by_hand(made)
        yield made


@contextmanager
def with_what_takes_long(made: PipelineUnderTest) -> Iterator[None]:
    """Begins what the queue's delays make long, so that other tests run meanwhile."""
    # Registered, but never applied: its triggers can only become dead letters.
    made.write_register("unbuilt", json.dumps({"gitUrl": made.git_url("public"), "command": "deploy.sh"}))
    made.dead_trigger = made.stack.trigger("unbuilt")
    with ThreadPoolExecutor(1) as beside:
        made.crowd = crowd(made, made.stack.directory / "let-go", beside)
        yield


def crowd(made: PipelineUnderTest, gate: Path, beside: Executor) -> Crowd:
    """Publishes it.

    The first build is let go once every trigger was looked at, and no clock can be so wrong any more that a build which
    begins now might have begun before a publication.
    """
    script = f"#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.2; done\n"
    made.repositories["busy"].commit("last until it is let go", {"deploy.sh": script})
    triggers = [made.stack.trigger("busy") for _ in range(CROWD)]
    published = time.monotonic()

    def looked_at(trigger: str) -> bool | None:
        words = [line["outcome"] for line in made.stack.launcher_words(trigger)]
        return True if {"busy", "started"} & set(words) else None

    def let_go() -> None:
        for trigger in triggers:
            wait_for(f"the launcher's word on {trigger}", partial(looked_at, trigger), LOOKED_AT_SECONDS)
        time.sleep(max(0.0, published + CLOCK_SKEW_SECONDS + 1 - time.monotonic()))
        gate.touch()

    return Crowd(triggers, beside.submit(let_go))


@contextmanager
def logged(stack: Stack, log: Path | None) -> Iterator[None]:
    variables = {"TF_LOG_PROVIDER": "DEBUG", "TF_LOG_PATH": str(log)} if log else {}
    stack.terraform.variables.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del stack.terraform.variables[name]


def imported_key(made: PipelineUnderTest) -> str:
    """The ARN of the App's key in KMS, which an operator imports before the first apply."""
    file = made.stack.directory / "app.private-key.pem"
    file.write_text(made.github.pem)
    done = made.stack.iwomp("github-app", "import-key", str(file), "--yes", IWOMP_CONFIG_PATH="")
    file.unlink()
    found = re.search(r'^github_app = .*key = "([^"]+)"', done.out, re.MULTILINE)
    assert found, done
    return found[1]


def configure(made: PipelineUnderTest) -> None:
    projects: dict[str, Any] = {name: {"external_register": True} for name in EXTERNAL if name in made.repositories}
    for name, fields in MANAGED.items():
        if name in made.repositories:
            host = {"git_url": made.git_url(name), "ca_bundle": made.ca_bundle}
            projects[name] = ({"git_url": made.ssh.url(name)} if name == "ssh" else host) | fields
    projects["token"]["credentials_version"] = 1  # by Terraform; the others' credentials by `iwomp secret set`
    made.stack.configure(
        credentials={"token": json.dumps({"authToken": TOKEN})},
        credential_keeper_arns=[made.stack.operator.arn],
        projects=projects,
        shared_topic=True,
        retry_seconds=RETRY_SECONDS,
        max_wait_seconds=MAX_WAIT_SECONDS,
        builds_per_hour=100,
        event_bus_arn=f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{EVENT_BUS}",
        dashboard=True,
        github_app={
            "app_id": github_host.APP_ID,
            "key": imported_key(made),
            "api_url": made.github.api,
            "ca_bundle": made.ca_bundle,
        },
    )


def register_by_hand(made: PipelineUnderTest) -> None:
    secrets: dict[str, dict[str, str]] = {
        "basic": {"basicUsername": USERNAME, "basicPassword": PASSWORD},
        "bearer": {"authToken": BEARER},
        "search": {"authToken": TOKEN},
        "thief": {"authToken": THIEFS_OWN},
        "ssh": {"sshPrivateKey": made.ssh.private_key, "knownHosts": made.ssh.known_hosts},
    }
    for name in secrets.keys() & made.repositories.keys():
        made.stack.store_secret(name, **secrets[name])
    # Laid under every entry: that is how the article's entries, which know no caBundle, come to trust the Git host.
    made.write_register("_default", json.dumps({"caBundle": made.ca_bundle}))
    entries: dict[str, dict[str, str]] = {
        "article": {},
        "article-token": {"authToken": TOKEN},
        "article-basic": {"basicUsername": USERNAME, "basicPassword": PASSWORD},
    }
    for name, more in entries.items():
        entry = {"gitUrl": made.git_url(name), "command": "deploy.sh", **more}
        made.write_register(name, json.dumps(entry), "SecureString" if more else "String")
