"""What a project's CI sees of what it asked for, with its own identity and scripts/trigger, on the shared stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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


def test_ci_waits_for_what_it_asked_for_and_ends_as_that_does(pipeline: PipelineUnderTest) -> None:
    own, seen = pipeline.repository("own"), pipeline.repository("seen")
    old = own.head() or ""
    new = own.commit("newer", {"file": "newer"})
    broken = seen.commit("broken", {"deploy.sh": FAILS})

    def waited(project: str, *commits: str) -> list[CliResult]:
        return [trigger(pipeline, project, "--branch", "main", "--commit", one, "--wait") for one in commits]

    with ThreadPoolExecutor(3) as pool:
        logged = pool.submit(waited, "own", new, old)
        told = pool.submit(waited, "seen", broken, NOWHERE)
        not_allowed = pool.submit(trigger, pipeline, "seen", "--branch", "nobodys", "--wait", "8s")
    deployed, superseded = logged.result()
    assert deployed.status == 0, deployed.err
    assert "| command: arguments main\n" in deployed.out
    assert "succeeded: build" in deployed.err
    assert superseded.status == 0, superseded.err
    assert '"outcome":"superseded"' in superseded.out
    failed, not_on_branch = told.result()
    assert failed.status == 1, failed.err
    assert "exit status 3" in failed.err
    assert "it is broken" not in failed.out + failed.err
    assert "the log is not shown" in failed.err
    assert not_on_branch.status == 3, not_on_branch.err
    assert "refused: a rule of the worker said no" in not_on_branch.err
    refused = not_allowed.result()
    assert refused.status == 4, refused.err
    assert "no build took it up" in refused.err
    assert "a rule refused it" in refused.err


@pytest.mark.parametrize(("project", "level"), [("own", "log"), ("seen", "status")])
def test_it_sees_its_own_builds_and_in_them_no_secret(pipeline: PipelineUnderTest, project: str, level: str) -> None:
    ci, root = pipeline.ci_of(project), pipeline.stack.emulator.client
    pipeline.deploy(project, commit=pipeline.repository(project).head())
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
