"""The stack of the end-to-end tests: one apply, and for every way to register a project a project with a repository."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iwomp_local.certificates import Authority
from iwomp_local.emulator import Lifetime
from iwomp_local.git_server import Access, Anybody, BearerToken, GitServer, Password, Token
from iwomp_local.repository import Repository
from iwomp_local.ssh_server import SshServer
from iwomp_local.stack import Stack

RETRY_SECONDS = 20  # the least that the module allows
MAX_WAIT_SECONDS = 3600
LASTING_TRIES = 5  # after so many the launcher gives up what only a person can mend
CROWD = 12
# Every secret of these tests begins with it, so that one search finds them all.
CANARY = f"canary-{secrets.token_hex(8)}"

TOKEN, PASSWORD, BEARER = f"{CANARY}-token", f"{CANARY}-password", f"{CANARY}-bearer"
THIEFS_OWN = f"{CANARY}-thief"
USERNAME = "deploy-bot"

# Says all that a test may want to know of how it was run.
DEPLOY = """#!/bin/sh
echo "command: arguments $*"
echo "command: in $(basename "$(pwd)")"
env | sed 's/^/command: variable /'
"""

# Registered by Terraform.
MANAGED: dict[str, dict[str, Any]] = {
    "token": {"command": "deploy.sh"},
    "basic": {"command": "deploy.sh"},
    "bearer": {"command": "deploy.sh", "auth_scheme": "bearer"},
    "monorepo": {"command_vector": ["./deploy.sh", "--stage", "a b", "$HOME"], "deploy_dir": "services/api"},
    "ssh": {"command": "deploy.sh", "branches": ["main", "release/*", "fix/*"]},
    "public": {"command": "deploy.sh"},
    "own": {"command": "deploy.sh", "own_topic": True, "require_commit": True},
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
    "thief": {"command": "deploy.sh"},
}
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
class PipelineUnderTest:
    """The applied stack with its Git hosts."""

    stack: Stack
    git: GitServer
    ssh: SshServer
    ca_bundle: str
    early_plan: str = ""
    dead_trigger: str = ""
    crowd: list[str] = field(default_factory=list)
    repositories: dict[str, Repository] = field(default_factory=dict)

    @property
    def config_path(self) -> str:
        return self.stack.pipeline.config_path

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

    def write_register(self, project: str, text: str, kind: str = "String") -> None:
        """Writes a register entry by hand, as an operator does."""
        key = {"KeyId": self.stack.pipeline.outputs["kms_key_arn"]} if kind == "SecureString" else {}
        self.stack.emulator.client("ssm").put_parameter(
            Name=f"/{self.config_path}/{project}", Value=text, Type=kind, Overwrite=True, **key
        )

    def git_url(self, project: str) -> str:
        return f"https://localhost:{self.git.port}/{project}.git"


@contextmanager
def running(directory: Path) -> Iterator[PipelineUnderTest]:
    authority, repositories = Authority(), directory / "repositories"
    with (
        GitServer(repositories, authority.server_context()) as git,
        SshServer(repositories) as ssh,
        Stack.start(directory / "stack", Lifetime.WITH_STARTER) as stack,
    ):
        made = PipelineUnderTest(stack, git, ssh, authority.bundle)
        for name in (*MANAGED, *EXTERNAL):
            repository = Repository.create(repositories / f"{name}.git")
            repository.commit("first", {"deploy.sh": DEPLOY, "services/api/deploy.sh": DEPLOY})
            git.serve(name, ACCESS.get(name, Anybody()))
            made.repositories[name] = repository
        configure(made)
        stack.apply()
        made.early_plan = stack.terraform.pending_changes()
        register_by_hand(made)
        yield made


def configure(made: PipelineUnderTest) -> None:
    projects: dict[str, Any] = {name: {"external_register": True} for name in EXTERNAL}
    for name, fields in MANAGED.items():
        projects[name] = {"git_url": made.git_url(name), "ca_bundle": made.ca_bundle, **fields}
    projects["ssh"]["git_url"] = made.ssh.url("ssh")
    del projects["ssh"]["ca_bundle"]
    projects["token"]["credentials_version"] = 1  # by Terraform; the others' credentials by `make secret`
    made.stack.configure(
        credentials={"token": json.dumps({"authToken": TOKEN})},
        credential_keeper_arns=[made.stack.operator.arn],
        projects=projects,
        shared_topic=True,
        retry_seconds=RETRY_SECONDS,
        max_wait_seconds=MAX_WAIT_SECONDS,
        builds_per_hour=100,
    )


def register_by_hand(made: PipelineUnderTest) -> None:
    pipeline = made.stack.pipeline
    pipeline.store_secret("basic", json.dumps({"basicUsername": USERNAME, "basicPassword": PASSWORD}))
    pipeline.store_secret("bearer", json.dumps({"authToken": BEARER}))
    pipeline.store_secret("search", json.dumps({"authToken": TOKEN}))
    pipeline.store_secret("thief", json.dumps({"authToken": THIEFS_OWN}))
    pipeline.store_secret(
        "ssh", json.dumps({"sshPrivateKey": made.ssh.private_key, "knownHosts": made.ssh.known_hosts})
    )
    # Laid under every entry: that is how the article's entries, which know no caBundle, come to trust the Git host.
    made.write_register("_default", json.dumps({"caBundle": made.ca_bundle}))
    for name, more in (
        ("article", {}),
        ("article-token", {"authToken": TOKEN}),
        ("article-basic", {"basicUsername": USERNAME, "basicPassword": PASSWORD}),
    ):
        entry = {"gitUrl": made.git_url(name), "command": "deploy.sh", **more}
        made.write_register(name, json.dumps(entry), "SecureString" if more else "String")
    # Registered, but never applied: its triggers can only become dead letters, which takes a while.
    made.write_register("unbuilt", json.dumps({"gitUrl": made.git_url("public"), "command": "deploy.sh"}))
    made.dead_trigger = made.stack.trigger("unbuilt")
    # A crowd at once: here too it is the queue's delay that takes a while. A build that lasts longer than the clocks
    # may differ, so that the next one begins late enough to cover whoever waits.
    made.repositories["busy"].commit("take a while", {"deploy.sh": "#!/bin/sh\nsleep 8\n"})
    made.crowd = [made.stack.trigger("busy") for _ in range(CROWD)]
