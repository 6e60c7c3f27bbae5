"""`make up` and `make down`: a local stack that stays, with the demo project registered and a repository to push to."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path

from iwomp_local import demo_project, places
from iwomp_local.demo_project import BRANCH, NAME
from iwomp_local.emulator import REGION, Lifetime
from iwomp_local.git_host import GitHost
from iwomp_local.repository import Repository
from iwomp_local.stack import Stack


def up(directory: Path) -> None:
    """Brings the stack up and says what can be done with it."""
    if (stack := Stack.running(directory)) is not None:
        print(f"a stack is up already, at {stack.emulator.url}")
        return
    down(directory, silently=True)  # what a crash or a reboot has left
    print("starting a local AWS and applying terraform/ to it: about a minute and a half")
    stack = Stack.start(directory, Lifetime.STAYS)
    token = f"local-token-{secrets.token_hex(12)}"
    try:
        git = directory / "git"
        repository = Repository.create(git / f"{NAME}.git")
        repository.commit("Greet our visitors", demo_project.FIRST_COMMIT)
        host = GitHost.start(git, NAME, token)
        # The shared topic beside the project's own, so that `make verify-boundary` has both to try.
        stack.configure(
            projects={NAME: demo_project.entry(host.url, host.ca_bundle)},
            shared_topic=True,
            retry_seconds=20,
            max_wait_seconds=3600,
        )
        stack.apply()
        stack.pipeline.store_secret(NAME, json.dumps({"authToken": token}))
        tell_where(stack, directory)
    except BaseException:
        down(directory, silently=True)
        raise
    local = repository.path.relative_to(places.REPOSITORY)
    print(f"""
up: {stack.emulator.url} is a local AWS with the pipeline and the project “{NAME}” in it

  make trigger PROJECT={NAME} BRANCH={BRANCH}     as its CI would
  make logs PROJECT={NAME}                     the build, as it runs
  make status                               what is live, what ran, what waits
  git clone {local}      change deploy.sh or infrastructure.json, push, trigger again
  make down                                 ends it

For the AWS CLI: export AWS_ENDPOINT_URL={stack.emulator.url} AWS_DEFAULT_REGION=eu-central-1 \\
                        AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test""")


def tell_where(stack: Stack, directory: Path) -> None:
    """Leaves in `directory` where the stack is, for `iwomp`: cli/src/local.rs reads it."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "iwomp.json"
    file.touch(mode=0o600)
    keys = {"access_key": stack.operator.access_key, "secret_key": stack.operator.secret_key}
    file.write_text(json.dumps({"port": stack.emulator.port, "region": REGION, **keys}))


def down(directory: Path, silently: bool = False) -> None:
    """Ends the stack and removes its files. Ending what is not up is no error."""
    GitHost(directory / "git").stop()
    stack = Stack.running(directory)
    if stack is not None:
        stack.stop()
    existed = directory.exists()
    shutil.rmtree(directory, ignore_errors=True)
    if not silently:
        print("the local stack is down" if existed else "no local stack is up")
