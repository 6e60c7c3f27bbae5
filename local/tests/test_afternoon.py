"""examples/afternoon.sh, whole: from `git clone` to `make destroy`, with an upgrade and the way back in between.

What takes long on this machine is there already: cargo hands out the programs of this checkout, stamped with the commit
that they would be built of, so that another version is another zip; and python3 the folder of tools.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from iwomp_local import places, standing
from iwomp_local.emulator import ACCOUNT, REGION, Emulator
from iwomp_local.stack import OPERATOR
from iwomp_local.terraform import environment

SECONDS = 1200.0  # of a machine with too much to do; alone it takes five minutes, and waits in most of them
RELEASE = "v0.0.1"
MOST_CALLS = 440
"""Of the apply, for all of these projects; 421 when it was last looked."""
CONFIGURES = "Configuring Terraform AWS Provider"  # twice in an apply: to plan, and to do it
# Beside the README's, of every kind of project one, and of every resource that only some projects have.
ENTRIES = """
  token = {
    git_url             = "https://git.example/token.git"
    command             = "deploy.sh"
    credentials_version = 1
  }
  seen = {
    git_url        = "ssh://git@git.example/seen.git"
    command        = "deploy.sh"
    own_topic      = true
    require_commit = true
    publisher      = { ci = "user", read = "log" }
  }
  scheduled = {
    git_url   = "https://git.example/scheduled.git"
    command   = "deploy.sh"
    branches  = ["main"]
    unchanged = "skip"
    schedule  = "cron(0 3 1 1 ? 2099)"
  }
  told = {
    git_url = "https://git.example/told.git"
    command = "deploy.sh"
    notify  = [{ to = "slack" }, { to = "eventbridge", on = ["succeeded"] }]
  }
  article = { external_register = true }
"""
# What another version's zips change, and nothing else; what another `max_wait_seconds` does.
BY_CODE = {
    "aws_ssm_parameter.description",
    "module.courier.aws_lambda_function.this",
    "module.launcher.aws_lambda_function.this",
    "module.notifier.aws_lambda_function.this",
}
BY_WAIT = {
    'aws_cloudwatch_metric_alarm.this["dead-letters"]',
    'aws_cloudwatch_metric_alarm.this["waiting"]',
    "aws_sqs_queue.triggers",
}

CARGO = f"""#!{sys.executable}
import pathlib, shutil, subprocess, sys, zipfile
ours, there, cargo, rest = pathlib.Path("target"), pathlib.Path("{{target}}"), "{{cargo}}", sys.argv[1:]
def hand_out(file, name):
    (ours / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, ours / "new")
    (ours / "new").rename(ours / name)  # of what runs, the file must not be written to
if rest[:2] == ["lambda", "build"]:
    hand_out("{{worker}}", "release/iwomp-worker")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, check=True).stdout
    for zip_ in there.glob("lambda/*/bootstrap.zip"):
        hand_out(zip_, zip_.relative_to(there))
        with zipfile.ZipFile(ours / zip_.relative_to(there), "a") as stamped:
            stamped.comment = commit
elif rest[:1] == ["build"]:
    hand_out("{{iwomp}}", "release/iwomp")
else:
    sys.exit(subprocess.call([cargo, *rest]))
"""
PYTHON = """#!/bin/sh
case "$*" in
  "-m venv --clear "*)
    mkdir -p "$4/bin"
    for tool in {tools}/*; do
      case ${{tool##*/}} in python* | pip* | uv* | activate*) ;; *) ln -sf "$tool" "$4/bin/" ;; esac
    done
    printf '#!/bin/sh\\nexec %s "$@"\\n' {python} >"$4/bin/python"
    printf '#!/bin/sh\\n' | tee "$4/bin/pip" >"$4/bin/uv"
    chmod +x "$4/bin/python" "$4/bin/pip" "$4/bin/uv"
    ;;
  *) exec {python} "$@" ;;
esac
"""
# Of a checkout, what is not the repository's.
LEFT_BEHIND = (".git", ".tools", ".local", ".accept", "target", "__pycache__", ".*_cache", ".terraform*", "*.tfstate*")


@dataclass
class Afternoon:
    """What it said, and the account that it had."""

    said: str
    aws: Emulator
    terraform: Path
    log: str

    def step(self, beginning: str) -> str:
        return next(part for part in self.said.split("\n== ") if part.startswith(beginning))

    def updated(self, step: str) -> set[str]:
        return set(re.findall(r"# (\S+) will be updated in-place", self.step(step)))


@pytest.fixture(scope="module")
def afternoon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Afternoon]:
    directory = tmp_path_factory.mktemp("afternoon")
    checkout, programs, scratch = directory / "checkout", directory / "programs", directory / "scratch"
    two_versions(checkout)
    hand_out(programs)
    scratch.mkdir()
    (directory / "entries").write_text(ENTRIES)
    variables = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(scratch),
        "KEEP": "1",
        "ENTRIES": str(directory / "entries"),
        "TF_VAR_credentials": json.dumps({"token": json.dumps({"authToken": "a-token"})}),
        "TF_VAR_credential_keeper_arns": json.dumps([f"arn:aws:iam::{ACCOUNT}:user/{OPERATOR}"]),
        "TF_VAR_event_bus_arn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/told",
        "TF_VAR_dashboard": "true",
        "TF_LOG_PROVIDER": "DEBUG",
        "TF_LOG_PATH": str(directory / "terraform.log"),
    }
    own = {name: value for name, value in environment(variables).items() if not name.startswith(("MAKE", "MFLAGS"))}
    try:
        with (directory / "said").open("w") as said:
            done = subprocess.run(
                [str(checkout / "examples" / "afternoon.sh")],
                env=own,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=SECONDS,
            )
        text = re.sub(r"\x1b\[[0-9;]*m", "", (directory / "said").read_text())
        assert done.returncode == 0, text[-5000:]
        (account,) = scratch.glob("*/iwomp/.local/account")
        aws = Emulator.running(account / "aws")
        assert aws is not None
        log = (directory / "terraform.log").read_text(errors="replace")
        yield Afternoon(text, aws, account.parents[1] / "terraform", log)
    finally:
        for account in scratch.glob("*/iwomp/.local/account"):
            standing.stop(account)


def two_versions(checkout: Path) -> None:
    """This checkout as it is, as a repository with a release and, behind it, what is to be the next one."""
    shutil.copytree(places.REPOSITORY, checkout, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    who = {"PATH": os.environ["PATH"], "HOME": str(checkout.parent), **{
        f"GIT_{who}_{what}": "ada@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }}  # fmt: skip
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "."],
        ["commit", "--quiet", "--message=as released"],
        ["tag", RELEASE],
        ["commit", "--quiet", "--allow-empty", "--message=as it is to be"],
    ):
        subprocess.run(["git", "-C", str(checkout), *command], env=who, check=True)


def hand_out(programs: Path) -> None:
    programs.mkdir()
    texts = {
        "cargo": CARGO.format(
            target=places.LAUNCHER_ZIP.parents[2],
            cargo=shutil.which("cargo"),
            worker=places.worker(),
            iwomp=places.iwomp(),
        ),
        "python3": PYTHON.format(tools=Path(sys.prefix) / "bin", python=sys.executable),
    }
    for name, text in texts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(stat.S_IRWXU)


def test_the_readme_leads_from_a_clone_to_a_deployment(afternoon: Afternoon) -> None:
    assert "The page says: Hello\n" in afternoon.step("Push")


def test_deploying_ends_with_a_trigger_that_got_through_and_a_look_into_the_image(afternoon: Afternoon) -> None:
    said, stored, _ = afternoon.step("Deploy the pipeline").partition("$ iwomp secret set demo")
    assert stored
    assert "What iwomp doctor --publish --in-build says of it" in said
    assert "demo trigger: " not in said  # what is good is counted, not shown
    assert re.search(r"problem +demo in-build git host: ", said)


def test_a_trigger_that_waits_is_there_after_an_upgrade_and_nothing_changes_that_need_not(afternoon: Afternoon) -> None:
    said = afternoon.step("Upgrade")
    # It waited: nothing was deployed before it was let go.
    assert re.findall("The page says: (.*)", said) == ["Hello", "Hello again"]
    assert afternoon.updated("Upgrade") == BY_CODE | BY_WAIT
    assert re.findall(r"Plan: .*", said) == ["Plan: 0 to add, 7 to change, 0 to destroy."]
    # The image's content is that of the release: it is not built again.
    assert afternoon.said.count("no image is built") == 1
    assert "is there already" in said


def test_no_trigger_is_lost_that_comes_in_while_the_version_before_is_put_back(afternoon: Afternoon) -> None:
    said = afternoon.step("Back")
    asked = re.search(r"CI asked (\d+) times, and no trigger was lost", said)
    assert asked is not None
    assert int(asked[1]) > 3
    assert afternoon.updated("Back") == BY_CODE


def test_destroy_tells_what_is_live_and_leaves_nothing(afternoon: Afternoon) -> None:
    assert re.search(r"What is live stays as it is.*\n(.*\n)*?.*demo", afternoon.step("Take"))
    assert not json.loads((afternoon.terraform / "terraform.tfstate").read_text())["resources"]
    client = afternoon.aws.client
    assert client("sqs").list_queues().get("QueueUrls", []) == []
    assert client("sns").list_topics()["Topics"] == []
    assert client("lambda").list_functions()["Functions"] == []
    assert client("lambda").list_event_source_mappings()["EventSourceMappings"] == []
    assert client("codebuild").list_projects()["projects"] == []
    assert client("ecr").describe_repositories()["repositories"] == []
    assert client("logs").describe_log_groups()["logGroups"] == []
    assert client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert client("cloudwatch").list_dashboards()["DashboardEntries"] == []
    roles = [role["RoleName"] for role in client("iam").list_roles()["Roles"]]
    assert [name for name in roles if name.startswith("iwomp-in-aws")] == []
    assert [user["UserName"] for user in client("iam").list_users()["Users"]] == [OPERATOR]
    assert client("ssm").describe_parameters()["Parameters"] == []
    keys = [client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in client("kms").list_keys()["Keys"]]
    assert {key["KeyState"] for key in keys if key["KeyManager"] == "CUSTOMER"} == {"PendingDeletion"}


def test_terraforms_calls_are_few_and_none_was_made_twice(afternoon: Afternoon) -> None:
    """The SDK repeats a call whose answer it lost; what has taken effect then stands in its own way."""
    # The first apply is that of the image's repository.
    planned, applied = afternoon.log.split(CONFIGURES)[3:5]
    sent = (planned + applied).count("HTTP Request Sent")
    assert 100 < sent <= MOST_CALLS, "or the provider's calls are not logged any more"
    assert [line for line in afternoon.log.splitlines() if "retrying request" in line] == []
