"""examples/ci: each publishes what its CI has tested, by that CI's own variables, after the tests, on the branch alone.

What a CI does with its file, nobody can see here: the step that deploys is taken out and run by a shell, with the
variables that the CI's documentation names and an account that is made up.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aws_of_a_ci import COMMIT, TOPIC, Account, Build

from iwomp_local.places import REPOSITORY

EXAMPLES = REPOSITORY / "examples" / "ci"
TOKEN = "a.token.of-the-ci"
PLACE = "/tmp/token"  # noqa: S108 (of the token, in the examples)
ROLE = re.compile(r"arn:aws:iam::123456789012:role/iwomp-in-aws--eu-central-1--shop\.publisher")


def read(name: str) -> Any:
    return yaml.safe_load((EXAMPLES / name).read_text())


@dataclass
class Example:
    """The step that deploys: its variables and its lines. `given` is what the CI adds; {} stands for the branch."""

    file: str
    take: Callable[[str], tuple[dict[str, str], list[str]]]
    given: dict[str, str] = field(default_factory=dict)
    oidc: bool = True


def gitlab(file: str) -> tuple[dict[str, str], list[str]]:
    ci = read(file)
    job = ci["deploy"]
    assert ci["stages"].index(job["stage"]) > ci["stages"].index(ci["test"]["stage"])
    assert job["rules"] == [{"if": '$CI_COMMIT_BRANCH == "main"'}]
    assert list(job["id_tokens"]) == ["AWS_TOKEN"]
    return job["variables"], job["script"]


def circleci(file: str) -> tuple[dict[str, str], list[str]]:
    ci = read(file)
    (job,) = (job["deploy"] for job in ci["workflows"]["deploy"]["jobs"] if isinstance(job, dict))
    assert job == {"requires": ["test"], "filters": {"branches": {"only": "main"}}}
    steps = ci["jobs"]["deploy"]["steps"]
    return ci["jobs"]["deploy"]["environment"], [step["run"] for step in steps if isinstance(step, dict)]


def buildkite(file: str) -> tuple[dict[str, str], list[str]]:
    test, wait, step = read(file)["steps"]
    assert (test["label"], wait, step["branches"]) == ("test", "wait", "main")
    # As the upload of the pipeline does it.
    assert not re.search(r"(?<!\$)\$(?!\$)", "".join(step["command"]))
    return step["env"], [line.replace("$$", "$") for line in step["command"]]


def bitbucket(file: str) -> tuple[dict[str, str], list[str]]:
    pipelines = read(file)["pipelines"]
    assert (list(pipelines), list(pipelines["branches"])) == (["branches"], ["main"])
    test, step = (each["step"] for each in pipelines["branches"]["main"])
    assert (test["name"], step["oidc"], bool(step["deployment"])) == ("test", True, True)
    return {}, step["script"]


def travis(file: str) -> tuple[dict[str, str], list[str]]:
    ci = read(file)
    assert ci["stages"] == [{"name": "test"}, {"name": "deploy", "if": "type = push AND branch = main"}]
    (job,) = (job for job in ci["jobs"]["include"] if job["stage"] == "deploy")
    return dict([job["env"].split("=", 1)]), [job["script"]]


def azure(file: str) -> tuple[dict[str, str], list[str]]:
    ci = read(file)
    # In YAML 1.1 an unquoted `on` is a truth, and so is nothing here.
    assert (ci["trigger"], ci["pr"]) == ({"branches": {"include": ["main"]}}, "none")
    stage = ci["stages"][1]
    assert stage["dependsOn"] == "test"
    assert stage["condition"] == "and(succeeded(), eq(variables['Build.SourceBranch'], 'refs/heads/main'))"
    (step,) = stage["jobs"][0]["steps"]
    assert step["task"] == "AWSShellScript@1"
    return stage["variables"], [step["inputs"]["inlineScript"]]


def jenkins(file: str) -> tuple[dict[str, str], list[str]]:
    text = (EXAMPLES / file).read_text()
    test, deploy = text.split("stage('deploy')")
    assert "stage('test')" in test
    assert "when { branch 'main' }" in deploy
    (line,) = re.findall(r"^ +sh '(.*)'$", deploy, re.MULTILINE)
    return dict(re.findall(r"^ +(\w+) = '(.*)'$", deploy, re.MULTILINE)), [line]


CIS = [
    Example("gitlab-ci.yml", gitlab, {"CI_COMMIT_BRANCH": "{}", "CI_COMMIT_SHA": COMMIT, "AWS_TOKEN": TOKEN}),
    Example("circleci.yml", circleci, {"CIRCLE_BRANCH": "{}", "CIRCLE_SHA1": COMMIT, "CIRCLE_OIDC_TOKEN_V2": TOKEN}),
    Example("buildkite.yml", buildkite, {"BUILDKITE_BRANCH": "{}", "BUILDKITE_COMMIT": COMMIT}),
    Example(
        "bitbucket-pipelines.yml",
        bitbucket,
        {"BITBUCKET_BRANCH": "{}", "BITBUCKET_COMMIT": COMMIT, "BITBUCKET_STEP_OIDC_TOKEN": TOKEN},
    ),
    Example("travis.yml", travis, {"TRAVIS_BRANCH": "{}", "TRAVIS_COMMIT": COMMIT}, oidc=False),
    # Its task brings the credentials, and Jenkins' plugin the file.
    Example(
        "azure-pipelines.yml", azure, {"BUILD_SOURCEBRANCH": "refs/heads/{}", "BUILD_SOURCEVERSION": COMMIT}, oidc=False
    ),
    Example("Jenkinsfile", jenkins, {"BRANCH_NAME": "{}", "GIT_COMMIT": COMMIT}, oidc=False),
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository that has a copy of scripts/trigger, as examples/ci/README.md says."""
    (tmp_path / "ci").mkdir()
    shutil.copy(REPOSITORY / "scripts" / "trigger", tmp_path / "ci" / "trigger")
    return tmp_path


def run(example: Example, checkout: Path, branch: str) -> tuple[subprocess.CompletedProcess[str], Account]:
    account = Account(checkout, builds=[Build(1, 1, 2, "FAILED", "Reason: exit status 1")])
    variables, steps = example.take(example.file)
    (checkout / "bin").mkdir(exist_ok=True)
    agent = checkout / "bin" / "buildkite-agent"
    agent.write_text(f'#!/bin/sh\n[ "$*" = "oidc request-token --audience sts.amazonaws.com" ] && printf %s {TOKEN}\n')
    agent.chmod(0o755)
    token = str(checkout / "token")
    script = checkout / "steps"
    script.write_text("set -e\n" + "\n".join(steps).replace(PLACE, token))
    given = {name: text.replace("{}", branch) for name, text in example.given.items()}
    environment = {name: text.replace(PLACE, token) for name, text in variables.items()}
    return account.run(["sh"], script, **environment, **given), account


@pytest.mark.parametrize("example", CIS, ids=lambda example: example.file)
def test_it_publishes_what_the_ci_tested_and_ends_as_the_deployment_does(example: Example, checkout: Path) -> None:
    ran, account = run(example, checkout, "fix/1.2")
    assert ran.returncode == 1, ran.stderr
    assert "failed: build" in ran.stderr
    assert [json.loads(text) for text in account.published] == [
        {"project": "shop", "branch": "fix/1.2", "commit": COMMIT}
    ]
    (publish,) = (call for call in account.calls if "publish" in call)
    assert TOPIC in publish
    if example.oidc:
        assert (checkout / "token-seen").read_text() == TOKEN
        assert ROLE.search((EXAMPLES / example.file).read_text())


def test_githubs_uses_the_action_after_the_tests_on_pushes_to_the_branch() -> None:
    ci = read("github-actions.yml")
    # YAML 1.1 takes `on` for a truth.
    assert ci[True] == {"push": {"branches": ["main"]}}
    deploy = ci["jobs"]["deploy"]
    assert (deploy["needs"], deploy["permissions"], ci["permissions"]) == ("test", {"id-token": "write"}, {})
    action = yaml.safe_load((REPOSITORY / ".github" / "actions" / "trigger" / "action.yml").read_text())
    used = deploy["steps"][-1]
    assert used["uses"].startswith("OWNER/iwomp/.github/actions/trigger@")
    assert set(used["with"]) <= set(action["inputs"])
    assert {name for name, told in action["inputs"].items() if told.get("required")} <= set(used["with"])


def test_there_is_a_test_for_every_example_and_a_line_that_tells_where_it_goes() -> None:
    files = {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    assert {example.file for example in CIS} | {"github-actions.yml"} == files
    told = (EXAMPLES / "README.md").read_text()
    assert [name for name in files if f"({name})" not in told] == []


# docs/ci.md: waiting without any right in AWS

SINCE = "2026-11-23T06:00:00Z"
HOSTS = {
    "gh": ("context", "state", "created_at", "failure"),
    "curl": ("name", "status", "finished_at", "failed"),
}


def loop_of(program: str) -> str:
    blocks = re.findall(r"```sh\n(.*?)```", (REPOSITORY / "docs" / "ci.md").read_text(), re.DOTALL)
    (found,) = (block for block in blocks if f"$({program} " in block)
    return str(found)


@pytest.mark.parametrize("program", HOSTS)
@pytest.mark.parametrize("ends", ["success", "failure", "not"])
def test_without_a_right_in_aws_the_commit_status_tells_the_end(program: str, ends: str, tmp_path: Path) -> None:
    context, state, time, failure = HOSTS[program]
    word = {"success": "success", "failure": failure, "not": "pending"}[ends]
    # The newest first, as both hosts have them; the last is of a deployment before.
    newest = "iwomp/other" if program == "gh" else "iwomp/shop"
    statuses = [
        {context: newest, state: "pending", time: None, "created_at": "2026"},
        {context: "iwomp/shop", state: word, time: "2026-11-23T06:07:00Z"},
        {context: "iwomp/shop", state: "success" if ends != "success" else failure, time: "2026-11-22T00:00:00Z"},
    ]
    (tmp_path / "statuses").write_text(json.dumps(statuses))
    programs = {
        "gh": 'printf "%s\\n" "$2" >asked; while [ "$1" != --jq ]; do shift; done; exec jq --raw-output "$2" statuses',
        "curl": 'for word; do printf "%s\\n" "$word" >asked; done; exec cat statuses',
        "sleep": "",
        "seq": "echo 1 2",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    ran = subprocess.run(
        ["sh", "-c", loop_of(program)],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "since": SINCE,
            **{"GITHUB_REPOSITORY": "example/shop", "GITHUB_SHA": COMMIT},
            **{"CI_API_V4_URL": "https://gitlab.example/api/v4", "CI_PROJECT_ID": "7", "CI_COMMIT_SHA": COMMIT},
            "READ_TOKEN": TOKEN,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == {"success": 0, "failure": 1, "not": 4}[ends], ran.stderr
    asked = {
        "gh": f"repos/example/shop/commits/{COMMIT}/statuses",
        "curl": f"https://gitlab.example/api/v4/projects/7/repository/commits/{COMMIT}/statuses?name=iwomp%2Fshop",
    }
    assert (tmp_path / "asked").read_text() == asked[program] + "\n"
