"""A registered command that steals: with all that it finds, and with the credentials that it was given.

It is the thief of the worker's own tests, here as the command of a project on the local AWS, whose builds are processes
of this machine. Where the tests run as root, the build gets a list of users with `deployer`, as in the image; otherwise
the thief is the same user as the worker. Then its credentials are used from outside of the build, as a thief would.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pipeline_under_test import CANARY, THIEFS_OWN, PipelineUnderTest, Result
from sessions import Client, with_variables

from iwomp_boundary.attempts import Attempt, Harm, attempts, tried
from iwomp_boundary.snapshot import Snapshot
from iwomp_local.places import REPOSITORY, worker

SCRIPT = REPOSITORY / "worker" / "tests" / "worker" / "thief.py"
ATTEMPTS_ON_THE_MACHINE = 20
OF_THE_WORKER = (
    *(f"{name} of the parent" for name in ("environ", "maps", "stack", "auxv", "memory", "descriptors")),
    "a tracer on the parent",
    "a descriptor taken from the parent",
)
USERS = "root:x:0:0:root:/root:/bin/sh\ndeployer:x:54321:54322::/home/deployer:/bin/sh\n"
# The worker in its image: that list of users, and a temporary directory that is everybody's.
AS_IN_THE_IMAGE = """#!/bin/sh
if [ "$PROJECTNAME" = thief ]; then
    export TMPDIR={place}/tmp
    exec unshare --mount sh -c 'mount --bind {place}/passwd /etc/passwd && exec {worker}'
fi
exec {worker}
"""
LEAST_CALLS = 400
# Not the pipeline's: what a project's own policies allow there is the affair of whoever writes them.
OF_THE_ACCOUNT = ("say something as an event",)


@dataclass
class Robbery:
    """A build whose command was the thief, and what it got."""

    result: Result
    loot: str

    @property
    def environment(self) -> dict[str, str]:
        return environment_in(self.loot)


def environment_in(loot: str) -> dict[str, str]:
    """The variables that the thief was given."""
    (line,) = re.findall(r"^\[the environment\]\n(\{.*\})$", loot, re.MULTILINE)
    found: dict[str, str] = ast.literal_eval(line)
    return found


def may_unshare() -> bool:
    """Whether we are root, and may give a process a view of the files of its own."""
    asked = ["unshare", "--mount", "id", "-u"]
    return os.geteuid() == 0 and subprocess.run(asked, capture_output=True, check=False).stdout == b"0\n"


@contextmanager
def image(pipeline: PipelineUnderTest, place: Path) -> Iterator[None]:
    """The thief's builds have the user `deployer`, if that can be done here."""
    if not may_unshare():
        yield
        return
    (place / "passwd").write_text(USERS)
    program = pipeline.stack.directory / "bin" / "iwomp-worker"
    program.unlink()
    program.write_text(AS_IN_THE_IMAGE.format(place=place, worker=worker()))
    program.chmod(0o755)
    yield
    program.unlink()
    program.symlink_to(worker())


@pytest.fixture(scope="module")
def robbery(pipeline: PipelineUnderTest) -> Iterator[Robbery]:
    # Not pytest's own directory, which nobody else can enter.
    with tempfile.TemporaryDirectory(prefix="iwomp-thief-") as directory:
        place = Path(directory)
        for name in (".", "tmp", "loot"):
            (place / name).mkdir(exist_ok=True)
            (place / name).chmod(0o1777)
        loot = place / "loot" / "all"
        pipeline.repository("thief").commit("steal", {"deploy.sh": SCRIPT.read_text().replace("LOOT_PATH", str(loot))})
        with image(pipeline, place):
            result = pipeline.deploy("thief")
        yield Robbery(result, loot.read_bytes().decode(errors="replace"))


@pytest.fixture(scope="module")
def thief(pipeline: PipelineUnderTest, robbery: Robbery) -> Client:
    return with_variables(pipeline.stack.emulator, robbery.environment)


def is_denied(line: str, attempt: str) -> bool:
    return line in (f"attempt {attempt}: {why}" for why in ("Permission denied", "Operation not permitted"))


def test_a_thief_sees_neither_the_worker_nor_a_secret(robbery: Robbery) -> None:
    assert robbery.result.status == "SUCCEEDED", robbery.result.log
    made = [line for line in robbery.result.log.splitlines() if line.startswith("attempt ")]
    assert len(made) == ATTEMPTS_ON_THE_MACHINE, robbery.result.log
    if os.geteuid() != 0 or may_unshare():  # else the thief is root, and no process is closed to it
        assert "attempt inherited descriptors: got nothing" in made
        open_to_it = [name for name in OF_THE_WORKER if not any(is_denied(line, name) for line in made)]
        assert open_to_it == [], robbery.result.log
        assert CANARY not in robbery.loot
    # It looked, and found its own.
    assert robbery.environment["IWOMP_PROJECT"] == "thief"
    found = re.findall(rf"{CANARY}-\w+", robbery.loot)
    assert [secret for secret in found if not secret.startswith(THIEFS_OWN)] == []
    assert CANARY not in json.dumps(robbery.environment)
    assert CANARY not in robbery.result.log


def test_a_thiefs_credentials_do_what_its_project_is_for_and_nothing_else(thief: Client, applied: Snapshot) -> None:
    tries = list(attempts(applied))
    results = [tried(attempt, thief) for attempt in tries]
    cp = applied.config_path
    own = {f"{how} /{cp}/thief" for how in ("read", "decrypt")}
    # Its own Git credential too: without it the worker, which has the same role, could fetch nothing.
    own |= {f"{how} /{cp}-credentials/thief" for how in ("read", "decrypt")}
    # What is live of it, and the note of what its builds saw.
    own |= {f"{how} /{cp}-deployed/thief{of}" for how in ("read", "decrypt", "write") for of in ("", "/main")}
    # The image's; the token opens what the role may pull.
    own |= {"log in to the registry"}
    assert {result.what for result in results if not result.held} == own
    assert len(results) > LEAST_CALLS
    assert len({attempt.service for attempt in tries}) > 10


def test_a_thief_reads_its_own_git_credential(pipeline: PipelineUnderTest, thief: Client) -> None:
    """What its role is for: this is why docs/threat-model.md wants read-only deploy tokens."""
    name = f"/{pipeline.config_path}-credentials/thief"
    own = thief("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    assert json.loads(own) == {"authToken": THIEFS_OWN}


# With a deploy policy that allows everything


@pytest.fixture
def broad(pipeline: PipelineUnderTest) -> Iterator[None]:
    """For a while, the thief's project may do all of AWS. By hand, since the shared stack is judged as applied."""
    role = pipeline.stack.pipeline.outputs["projects"]["thief"]["role_arn"].rpartition("/")[2]
    iam = pipeline.stack.emulator.client("iam")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="project", PolicyDocument=json.dumps(everything))
    yield
    iam.delete_role_policy(RoleName=role, PolicyName="project")


def is_fenced(attempt: Attempt, cp: str) -> bool:
    """Whether the fence is there for it: changes of the pipeline, other projects' roles, and what is encrypted."""
    if attempt.harm is Harm.NONE:
        encrypted = (
            f"decrypt /{cp}-credentials/",
            f"decrypt /{cp}-notify/",
            f"decrypt /{cp}/article-",
            "encrypt with the key",
            "make a data key",
        )
        return attempt.what.startswith(("take role ", "publish ", *encrypted))
    return not attempt.what.startswith(OF_THE_ACCOUNT) and attempt.what != f"write /{cp}-deployed/thief/main"


@pytest.mark.usefixtures("broad")
def test_with_a_policy_for_all_of_aws_a_thief_still_does_not_reach_the_pipeline(
    thief: Client, applied: Snapshot
) -> None:
    cp = applied.config_path
    own = {f"decrypt /{cp}-credentials/thief", f"write /{cp}-deployed/thief"}
    fenced = [attempt for attempt in attempts(applied) if is_fenced(attempt, cp) and attempt.what not in own]
    results = [tried(attempt, thief) for attempt in fenced]
    # Not every project has credentials.
    absent = {result.what for result in results if result.said == "ParameterNotFound" and "decrypt" in result.what}
    assert [result for result in results if not result.held and result.what not in absent] == []
    assert len(results) - len(absent) > LEAST_CALLS / 2
    # The policy is there: what the fence leaves alone does go through.
    assert thief("sqs").create_queue(QueueName="of-the-projects-own")["QueueUrl"]
    assert thief("iam").list_roles()["Roles"]
