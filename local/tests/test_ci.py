"""What a project's CI sees of what it asked for, with its own identity and scripts/trigger, on the shared stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from pipeline_under_test import CANARY, PipelineUnderTest

from iwomp_boundary.attempts import DENIED
from iwomp_local.places import REPOSITORY
from iwomp_local.stack import CliResult

SCRIPT = REPOSITORY / "scripts" / "trigger"
FAILS = "#!/bin/sh\necho it is broken\nexit 3\n"
NOWHERE = "0123456789abcdef0123456789abcdef01234567"
# Of a build all that there may be, see contract/src/variable.rs; no value of it is a secret.
VARIABLES = {
    *("CONFIGPATH", "TIMELIMITSECONDS", "PROJECTNAME", "GITBRANCH", "GITCOMMIT", "TRIGGERID", "WAITINGCOMMITS"),
    *("ROLLBACKTO", "QUESTION"),
}


def trigger(pipeline: PipelineUnderTest, project: str, *arguments: str) -> CliResult:
    """Runs scripts/trigger as the project's CI does: with its identity, the real AWS CLI, and nothing else."""
    ci = pipeline.ci_of(project)
    topic = pipeline.stack.pipeline.outputs["projects"][project]["topic_arn"]
    done = subprocess.run(
        ["sh", str(SCRIPT), "--topic", topic, *arguments],
        env={
            "PATH": f"{pipeline.stack.directory / 'bin'}:{Path(sys.prefix) / 'bin'}:{os.defpath}",
            "HOME": str(pipeline.stack.directory),
            **pipeline.stack.emulator.variables(ci.access_key, ci.secret_key),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    return CliResult(done.returncode, done.stdout, done.stderr)


@dataclass
class Waited:
    """What came of each trigger."""

    deployed: CliResult
    superseded: CliResult
    failed: CliResult
    not_on_branch: CliResult
    not_allowed: CliResult


@pytest.fixture(scope="module")
def waited(pipeline: PipelineUnderTest) -> Waited:
    """By the CI of `own`, which sees the log, and that of `seen`, which does not."""
    own, seen = pipeline.repository("own"), pipeline.repository("seen")
    old = own.head() or ""
    new = own.commit("newer", {"file": "newer"})
    broken = seen.commit("broken", {"deploy.sh": FAILS})

    def wait(project: str, *commits: str) -> list[CliResult]:
        return [trigger(pipeline, project, "--branch", "main", "--commit", one, "--wait") for one in commits]

    with ThreadPoolExecutor(3) as pool:
        logged = pool.submit(wait, "own", new, old)
        told = pool.submit(wait, "seen", broken, NOWHERE)
        not_allowed = pool.submit(trigger, pipeline, "seen", "--branch", "nobodys", "--wait", "5s")
    (deployed, superseded), (failed, not_on_branch) = logged.result(), told.result()
    return Waited(deployed, superseded, failed, not_on_branch, not_allowed.result())


def test_ci_waits_for_what_it_asked_for_and_ends_as_that_does(waited: Waited) -> None:
    assert waited.deployed.status == 0, waited.deployed.err
    assert "| command: arguments main\n" in waited.deployed.out
    assert "succeeded: build" in waited.deployed.err
    assert waited.superseded.status == 0, waited.superseded.err
    assert '"outcome":"superseded"' in waited.superseded.out


def test_with_the_right_to_the_status_alone_too(waited: Waited) -> None:
    assert waited.failed.status == 1, waited.failed.err
    assert "exit status 3" in waited.failed.err
    assert "it is broken" not in waited.failed.out + waited.failed.err
    assert "the log is not shown" in waited.failed.err
    assert waited.not_on_branch.status == 3, waited.not_on_branch.err
    assert "refused: a rule of the worker said no" in waited.not_on_branch.err


def test_of_a_trigger_that_came_to_no_build_it_says_so(waited: Waited) -> None:
    assert waited.not_allowed.status == 4, waited.not_allowed.err
    assert "no build took it up" in waited.not_allowed.err
    assert "a rule refused it" in waited.not_allowed.err


@pytest.mark.usefixtures("waited")
@pytest.mark.parametrize(("project", "level"), [("own", "log"), ("seen", "status")])
def test_it_sees_its_own_builds_and_in_them_no_secret(pipeline: PipelineUnderTest, project: str, level: str) -> None:
    ci, root = pipeline.ci_of(project), pipeline.stack.emulator.client
    pipeline.deploy("token")

    def may(service: str, operation: str, **arguments: object) -> str:
        """What it answers; nothing, if it denies that."""
        client = pipeline.stack.emulator.client(service, ci.access_key, ci.secret_key)
        try:
            return json.dumps(getattr(client, operation)(**arguments), default=str)
        except ClientError as error:
            assert error.response["Error"]["Code"] in DENIED, error
            return ""

    for name in (project, "token", "own", "seen"):
        build_project = f"{pipeline.config_path}--{name}"
        (newest, *_) = root("codebuild").list_builds_for_project(projectName=build_project)["ids"]
        told = may("codebuild", "batch_get_builds", ids=[newest])
        assert bool(told) == (name == project), name
        assert bool(may("codebuild", "list_builds_for_project", projectName=build_project)) == (name == project)
        stream = {"logGroupName": f"/aws/codebuild/{build_project}", "logStreamName": newest.partition(":")[2]}
        assert bool(may("logs", "get_log_events", **stream)) == (name == project and level == "log"), name
        # Of no project is there a secret in what CodeBuild tells, if somebody may see it.
        (build,) = root("codebuild").batch_get_builds(ids=[newest])["builds"]
        assert CANARY not in json.dumps(build, default=str)
        assert {variable["name"] for variable in build["environment"]["environmentVariables"]} <= VARIABLES
