"""`make accept` and `make preflight` against the local AWS, as an operator with an account's keys runs them.

The run is the whole program in a process of its own: it applies a pipeline of its own, tries the promises, and takes
everything down. What the local AWS cannot show it says itself; this test names which promises these may be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from iwomp_local import places
from iwomp_local.certificates import Authority
from iwomp_local.emulator import ACCOUNT, Emulator, Lifetime
from iwomp_local.git_server import GitServer, Token
from iwomp_local.repository import Repository
from iwomp_local.stack import IMAGE_TAG, Principal, Stack, make_principal
from iwomp_local.terraform import plugin_directory
from iwomp_local.waiting import wait_for

RUN_SECONDS = 900.0  # a machine with too much to do; alone it takes some two minutes
TOKEN = "canary-of-the-acceptance-run"
# What a build of the local AWS, a process of this machine, does not have.
NOT_HERE = {
    "codebuild": "builds of this AWS have no /codebuild",
    "metrics": "not even the launcher's lines make metrics in this AWS",
}


@dataclass
class Account:
    """An empty local AWS, somebody who may do everything in it, and a Git host."""

    stack: Stack
    repository: Repository
    git_url: str
    directory: Path

    def start(self) -> subprocess.Popen[str]:
        return start(self.stack.emulator, self.stack.operator, self.directory, *self.accept())

    def accept(self) -> list[str]:
        return [
            "accept", f"--account={ACCOUNT}", f"--git-url={self.git_url}", f"--push-url={self.repository.path}",
            f"--credentials={self.directory / 'credentials.json'}", f"--ca-bundle={self.directory / 'authority.pem'}",
            f"--image-tag={IMAGE_TAG}", f"--scratch={self.directory / 'scratch'}",
        ]  # fmt: skip

    def result(self) -> dict[str, Any]:
        (file,) = (self.directory / "scratch").glob("*.json")
        found: dict[str, Any] = json.loads(file.read_text())
        return found


def start(emulator: Emulator, who: Principal, home: Path, *arguments: str) -> subprocess.Popen[str]:
    """The program, with an operator's keys and nothing else that is ours."""
    plugins = plugin_directory()
    return subprocess.Popen(
        [sys.executable, "-m", "iwomp_account", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(places.REPOSITORY / "account"),
            "GOGC": "400",  # Terraform collects less garbage
            **({"TF_PLUGIN_DIR": str(plugins)} if plugins else {}),
            **emulator.variables(who.access_key, who.secret_key),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(emulator: Emulator, who: Principal, home: Path, *arguments: str) -> tuple[int, str, str]:
    process = start(emulator, who, home, *arguments)
    said, complained = process.communicate(timeout=RUN_SECONDS)
    return process.returncode, said, complained


@pytest.fixture
def account(tmp_path: Path) -> Any:
    authority = Authority()
    repository = Repository.create(tmp_path / "repositories" / "sandbox.git")
    (tmp_path / "credentials.json").write_text(json.dumps({"authToken": TOKEN}))
    (tmp_path / "authority.pem").write_text(authority.bundle)
    with (
        GitServer(repository.path.parent, authority.server_context()) as git,
        Stack.start(tmp_path / "stack", Lifetime.WITH_STARTER) as stack,
    ):
        yield Account(stack, repository, git.serve("sandbox", Token(TOKEN)), tmp_path)


def everything(emulator: Emulator) -> dict[str, list[str]]:
    """What is in the local AWS of the kinds that a pipeline is made of."""
    return {
        "roles": [role["RoleName"] for role in emulator.client("iam").list_roles()["Roles"]],
        "queues": emulator.client("sqs").list_queues().get("QueueUrls", []),
        "topics": [topic["TopicArn"] for topic in emulator.client("sns").list_topics()["Topics"]],
        "functions": [made["FunctionName"] for made in emulator.client("lambda").list_functions()["Functions"]],
        "projects": emulator.client("codebuild").list_projects()["projects"],
        "parameters": [found["Name"] for found in emulator.client("ssm").describe_parameters()["Parameters"]],
        "log groups": [group["logGroupName"] for group in emulator.client("logs").describe_log_groups()["logGroups"]],
    }


def test_in_an_empty_account_every_promise_holds_that_can_be_shown_and_nothing_is_left(account: Account) -> None:
    before = everything(account.stack.emulator)
    process = account.start()
    said, complained = process.communicate(timeout=RUN_SECONDS)
    result = account.result()
    verdicts = {promise["name"]: promise["verdict"] for promise in result["promises"]}
    not_here = {
        promise["name"]: promise["seen"]
        for promise in result["promises"]
        if promise["verdict"] == "cannot be shown here"
    }
    assert not_here.items() <= NOT_HERE.items()
    assert {name: word for name, word in verdicts.items() if name not in not_here and word != "held"} == {}
    assert (process.returncode, result["good"], complained) == (0, True, "")
    assert all(promise["promise"] in said for promise in result["promises"])
    assert everything(account.stack.emulator) == before
    assert account.repository.git("for-each-ref") == ""
    assert not list((account.directory / "scratch").glob("*/"))
    assert TOKEN not in said


def test_interrupted_in_the_middle_of_an_apply_it_leaves_nothing(account: Account) -> None:
    before = everything(account.stack.emulator)
    process = account.start()
    queues = account.stack.emulator.client("sqs")
    # Not while one is being made: Terraform breaks off such a call, and does not know then what it has made.
    made = 4
    wait_for(
        "the pipeline's queues",
        lambda: True if len(queues.list_queues().get("QueueUrls", [])) >= made or process.poll() is not None else None,
        RUN_SECONDS,
    )
    process.terminate()
    said, _ = process.communicate(timeout=RUN_SECONDS)
    assert process.returncode == 1
    assert "interrupted: what was made is taken down now" in said
    promises = account.result()["promises"]
    assert [promise for promise in promises if promise["verdict"] not in {"not reached", "held"}] == []
    assert {promise["verdict"] for promise in promises} == {"not reached", "held"}
    assert everything(account.stack.emulator) == before


@pytest.fixture
def operator(emulator: Emulator) -> Principal:
    return make_principal(emulator, "administrator", {"Action": "*", "Resource": "*"})


def test_it_runs_in_no_account_but_the_one_that_was_named(
    emulator: Emulator, operator: Principal, tmp_path: Path
) -> None:
    def accept(account: str) -> tuple[int, str, str]:
        options = (f"--account={account}", "--git-url=https://git.example/x.git", f"--scratch={tmp_path / 'scratch'}")
        return run(emulator, operator, tmp_path, "accept", *options)

    status, said, complained = accept("999999999999")
    assert (status, said) == (2, "")
    assert f"are of account {ACCOUNT}, and you named 999999999999: nothing was done" in complained
    status, said, complained = accept("")
    assert (status, said) == (2, "")
    assert "say which sandbox account" in complained
    assert not (tmp_path / "scratch").exists()


def findings(emulator: Emulator, who: Principal, home: Path, *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    status, said, _ = run(emulator, who, home, "preflight", "--json", *arguments)
    return status, {finding["name"]: finding for finding in json.loads(said)["findings"]}


def test_preflight_says_whose_credentials_these_are_and_what_the_account_lacks(
    emulator: Emulator, operator: Principal, tmp_path: Path
) -> None:
    _, found = findings(emulator, operator, tmp_path, "--config-path=free-here")
    assert found["credentials"]["saw"] == operator.arn
    assert (found["terraform"]["grade"], found["git"]["grade"]) == ("ok", "ok")
    assert (found["trail"]["grade"], "make a trail" in found["trail"]["do"]) == ("warning", True)
    assert (found["name"]["grade"], found["name"]["saw"]) == ("ok", "free-here is free here")
    # The local AWS has no Service Quotas: what cannot be asked is unknown, and no problem.
    assert found["builds"]["grade"] == "unknown"


def test_preflight_finds_what_has_the_name_already_and_the_wrong_account(
    emulator: Emulator, operator: Principal, tmp_path: Path
) -> None:
    kms = emulator.client("kms")
    kms.create_alias(AliasName="alias/taken-here", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    arguments = ("--config-path=taken-here", "--account=999999999999")
    status, found = findings(emulator, operator, tmp_path, *arguments)
    assert status == 1
    assert (found["name"]["grade"], "key alias/taken-here" in found["name"]["saw"]) == ("problem", True)
    assert found["credentials"]["grade"] == "problem"


def test_preflight_calls_unknown_what_the_credentials_may_not_read(emulator: Emulator, tmp_path: Path) -> None:
    nobody = make_principal(emulator, "nobody", {"Action": "sts:GetCallerIdentity", "Resource": "*"})
    _, found = findings(emulator, nobody, tmp_path)
    assert (found["name"]["grade"], "not authorized" in found["name"]["saw"]) == ("unknown", True)


def test_what_was_written_under_a_name_is_forgotten_and_nothing_of_another(
    emulator: Emulator, operator: Principal, tmp_path: Path
) -> None:
    ssm = emulator.client("ssm")
    written = [f"/gone-{tree}/shop" for tree in ("credentials", "deployed", "notify", "paused", "reported")]
    others = ["/gone/by-hand", "/gone-by/shop", "/gone-by-deployed/shop/main", "/gone-deployed-too"]
    for name in (*written, *others):
        ssm.put_parameter(Name=name, Value="{}", Type="String")
    status, said, complained = run(emulator, operator, tmp_path, "forget", "gone")
    left = [name for name in names_of(emulator) if name.startswith("/gone")]
    assert (status, complained, left) == (0, "", sorted(others))
    assert "/gone/by-hand was not written by Terraform, and stays" in said


def names_of(emulator: Emulator) -> list[str]:
    pages = emulator.client("ssm").get_paginator("describe_parameters").paginate()
    return sorted(parameter["Name"] for page in pages for parameter in page["Parameters"])


def test_while_any_part_of_a_pipeline_is_there_nothing_is_forgotten(
    emulator: Emulator, operator: Principal, tmp_path: Path
) -> None:
    ssm, functions = emulator.client("ssm"), emulator.client("lambda")
    role = emulator.client("iam").create_role(RoleName="there", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    ssm.put_parameter(Name="/there-credentials/shop", Value="{}", Type="String")
    code = {"ZipFile": places.launcher_zip().read_bytes()}
    functions.create_function(
        FunctionName="there--notifier", Runtime="provided.al2023", Handler="bootstrap", Role=role, Code=code
    )
    ssm.put_parameter(Name="/there/_pipeline", Value="{}", Type="String")
    for part in ("function there--notifier", "parameter /there/_pipeline"):
        status, _, complained = run(emulator, operator, tmp_path, "forget", "there")
        assert status == 2
        assert part in complained and "nothing was removed" in complained
        if part.startswith("function"):
            functions.delete_function(FunctionName="there--notifier")
    ssm.get_parameter(Name="/there-credentials/shop")
