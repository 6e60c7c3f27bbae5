"""Messages that the CI may publish and that must deploy nothing.

For the local AWS only: in an account they are not tried, since one that went through would deploy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from iwomp_local.boundary.attempts import Result
from iwomp_local.stack import Stack

FOREIGN_COMMIT = "0" * 40


@dataclass(frozen=True)
class Message:
    """A message and the words with which it has to end: the launcher's outcome and class, or the worker's."""

    what: str
    project: str | None  # whose build it may start
    body: dict[str, Any] | str
    outcome: str
    word: str | None = None


def messages(stack: Stack) -> Iterator[Message]:
    """What a thief of the CI's key would publish."""
    pipeline = stack.pipeline
    name = pipeline.projects[0]
    yield Message("an unknown project", None, {"project": "x-stranger", "branch": "main"}, "refused", "unknown_project")
    yield Message("the defaults as a project", None, {"project": "_default", "branch": "main"}, "refused")
    yield Message("an old version of an entry", None, {"project": f"{name}:1", "branch": "main"}, "refused")
    yield Message("a foreign branch", None, {"project": name, "branch": "x-feature"}, "refused", "branch_not_allowed")
    yield Message("a ref that is no branch", None, {"project": name, "branch": "refs/pull/1/head"}, "refused")
    yield Message("an option instead of a branch", None, {"project": name, "branch": "--upload-pack=id"}, "refused")
    for key in ("command", "gitUrl", "image", "buildspec", "role", "env"):
        yield Message(f"the key {key}", None, {"project": name, "branch": "main", key: "x"}, "refused")
    yield Message("two branches", None, f'{{"project":"{name}","branch":"main","branch":"x"}}', "refused")
    yield Message("an array", None, f'["{name}","main"]', "refused")


def commits(stack: Stack, projects: list[str]) -> Iterator[Message]:
    """Commits that must not be deployed: one that no branch has, and, where there was one, one before what is live.

    Of the first of the projects of which something is live.
    """
    for name in projects:
        live = next(iter(stack.pipeline.live(name)), None)
        if live is None:
            continue
        body = {"project": name, "branch": live.branch}
        yield Message("a commit that is on no branch", name, {**body, "commit": FOREIGN_COMMIT}, "refused")
        if older := older_commit(stack, name, live.branch, live.commit):
            yield Message("an old commit", name, {**body, "commit": older}, "superseded")
        return


def older_commit(stack: Stack, project: str, branch: str, live: str) -> str | None:
    """A commit that was live before."""
    path = f"/{stack.pipeline.config_path}-deployed/{project}/{branch}"
    versions = stack.emulator.client("ssm").get_parameter_history(Name=path)["Parameters"]
    past = [str(json.loads(version["Value"])["commit"]) for version in versions]
    return next((commit for commit in past if commit != live), None)


def published(stack: Stack, message: Message) -> Result:
    """Publishes as the CI and waits for the end."""
    body = message.body if isinstance(message.body, str) else json.dumps(message.body)
    trigger = stack.publish(body)
    outcome = stack.launcher_verdict(trigger)
    if message.project is not None and outcome["outcome"] == "started":
        build, _ = stack.finished_build(message.project, trigger)
        outcome = {"outcome": (stack.pipeline.build_outcome(build) or {}).get("outcome", "")}
    held = outcome["outcome"] == message.outcome and message.word in (None, outcome.get("class"))
    return Result(f"publish {message.what}", held, " ".join(filter(None, (outcome["outcome"], outcome.get("class")))))
