"""`make up`, `make account` and `make down`: what stays on this machine until it is ended.

A local stack, with projects and a repository to push to for each; or an empty account, to deploy into as into AWS.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from iwomp_local import demo_project, places
from iwomp_local.demo_project import BRANCH, NAME
from iwomp_local.emulator import REGION, Lifetime
from iwomp_local.git_host import GitHost
from iwomp_local.pipeline import PipelineError
from iwomp_local.repository import Repository
from iwomp_local.stack import Stack, variables
from iwomp_local.story import Stopwatch, Story

CONTAINER_TOOL = Path(__file__).with_name("container_tool.sh")
PROJECT = re.compile("[a-z0-9][a-z0-9-]{0,40}")


def up(directory: Path, name: str = NAME, story: Story | None = None) -> None:
    """Brings the stack up with a project `name`, or adds one to it, and says what can be done with it."""
    if not PROJECT.fullmatch(name):
        raise PipelineError(f"{name!r} is no name for a project here: small letters, digits and hyphens")
    story = story or Story()
    with alone(directory, story):
        stack = Stack.running(directory)
        if stack is None or not where(directory).exists():
            stop(directory)  # what a crash or a reboot has left
            stack = start(directory, story)
        if name in projects_of(stack):
            story.say(f"The stack at {stack.emulator.url} is up, with the project “{name}”.")
        else:
            add(stack, directory, name, story)
    tell(stack, directory, name, story)


def start(directory: Path, story: Story) -> Stack:
    """The local AWS, and nothing in it."""
    clock = Stopwatch()
    stack = Stack.start(directory, Lifetime.STAYS)
    try:
        (directory / "git").mkdir(exist_ok=True)
        GitHost.start(directory / "git")
        # The shared topic beside the projects' own, so that `make verify-boundary` has both to try.
        stack.configure(projects={}, shared_topic=True, retry_seconds=20, max_wait_seconds=3600)
        tell_where(stack, directory)
    except BaseException:
        stop(directory)
        raise
    story.check(True, f"a local AWS answers at {stack.emulator.url}", clock.seconds)
    return stack


def add(stack: Stack, directory: Path, name: str, story: Story) -> None:
    """A repository, its entry in the register by Terraform, and the token that its builds fetch with."""
    known, token = projects_of(stack), f"local-token-{secrets.token_hex(12)}"
    git = directory / "git"
    path = git / f"{name}.git"
    if not path.exists():
        is_demo = name == NAME
        Repository.create(path).commit("First", demo_project.FIRST_COMMIT if is_demo else demo_project.plain(name))
    host = GitHost(git)
    url = host.serve(name, token)
    story.say(f"terraform apply with the project “{name}”; the first one takes about a minute")
    clock = Stopwatch()
    stack.configure(projects={**known, name: demo_project.entry(url, host.ca_bundle, name)})
    try:
        stack.apply(lambda made: story.progress(f"{made} resources made, {clock.seconds:.0f} s"))
    except BaseException:
        stack.configure(projects=known)
        if not known:
            stop(directory)
        raise
    made = len([resource for resource in stack.terraform.resources() if not resource.startswith("data.")])
    story.check(True, f"terraform apply: the pipeline has {made} resources", clock.seconds)
    story.check(True, f"the token of its repository: {stack.store_secret(name, authToken=token)}")


def account(directory: Path, story: Story | None = None) -> None:
    """Brings up an account with nothing in it, and beside it a Git host with the demo's repository.

    `directory` then has `env`, for a shell to read, and `token.txt`, with which the repository is fetched.
    """
    story = story or Story()
    with alone(directory, story):
        if Stack.running(directory) is None or not (directory / "env").exists():
            stop(directory)
            make_account(directory, story)
    env = (directory / "env").relative_to(places.REPOSITORY)
    story.line(f"""
An empty account. From this folder, in a shell that shall talk to it and to nothing else:

  . {env}
  make deploy                       once there is a terraform/terraform.tfvars
  make down                         ends it all""")


def make_account(directory: Path, story: Story) -> None:
    clock = Stopwatch()
    stack = Stack.start(directory, Lifetime.STAYS)
    try:
        git, token = directory / "git", f"local-token-{secrets.token_hex(12)}"
        git.mkdir()
        Repository.create(git / f"{NAME}.git").commit("First", {"README.md": "What the team deploys.\n"})
        url = GitHost.start(git).serve(NAME, token)
        write_secret(directory / "token.txt", token)
        tools = directory / "tools"
        tools.mkdir()
        shutil.copy(CONTAINER_TOOL, tools / "docker")
        path = f"{directory / 'bin'}{os.pathsep}{tools}{os.pathsep}"
        known = {**variables(stack.emulator, stack.operator), "CONTAINER_TOOL": "docker", "GIT_URL": url}
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in known.items()]
        # A profile of the user's would go before the keys.
        unset = "unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN\n"
        write_secret(directory / "env", f'{unset}export PATH={shlex.quote(path)}"$PATH"\n{"".join(lines)}')
    except BaseException:
        stop(directory)
        raise
    story.check(True, f"an empty local AWS answers at {stack.emulator.url}", clock.seconds)
    story.check(True, f"{url} has the repository “{NAME}”, for who has the token in token.txt beside it")


def write_secret(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def projects_of(stack: Stack) -> dict[str, object]:
    projects: dict[str, object] = stack.configured().get("projects", {})
    return projects if (stack.directory / "outputs.json").exists() else {}


def tell(stack: Stack, directory: Path, name: str, story: Story) -> None:
    repository, iwomp = (
        path.relative_to(places.REPOSITORY) for path in (directory / "git" / f"{name}.git", places.iwomp())
    )
    keys = stack.operator
    story.line(f"""
Up: {stack.emulator.url} is a local AWS with the pipeline and the project “{name}” in it. From this folder:

  {iwomp} trigger {name} {BRANCH} --wait
  {iwomp} status         what is live, what ran, what waits; and docs/commands.md
  git clone {repository}      change deploy.sh, push, trigger again
  make up PROJECT=shop              another project beside it
  make down                         ends it all

For the AWS CLI, as an operator (the first `aws` on the PATH then talks to this stack, and to nothing else):

  export PATH={directory / "bin"}:$PATH AWS_ENDPOINT_URL={stack.emulator.url}
  export AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION}
  export AWS_ACCESS_KEY_ID={keys.access_key} AWS_SECRET_ACCESS_KEY={keys.secret_key}""")


def where(directory: Path) -> Path:
    return directory / "iwomp.json"


def tell_where(stack: Stack, directory: Path) -> None:
    """Leaves in `directory` where the stack is, for `iwomp`: cli/src/local.rs reads it."""
    directory.mkdir(parents=True, exist_ok=True)
    keys = {"access_key": stack.operator.access_key, "secret_key": stack.operator.secret_key}
    write_secret(where(directory), json.dumps({"port": stack.emulator.port, "region": REGION, **keys}))


def down(*directories: Path) -> None:
    """Ends the stacks and removes their files. Ending what is not up is no error."""
    ended = []
    for directory in directories:
        with alone(directory, Story()):
            ended += [directory] if directory.exists() else []
            stop(directory)
    print("the local stack is down" if ended else "no local stack is up")


def stop(directory: Path) -> None:
    GitHost(directory / "git").stop()
    stack = Stack.running(directory)
    if stack is not None:
        stack.stop()
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def alone(directory: Path, story: Story) -> Iterator[None]:
    """Waits until no other `make up` or `make down` is at work on this stack."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_suffix(".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            story.say("Another `make up` or `make down` is at work on this stack; this one goes on after it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
