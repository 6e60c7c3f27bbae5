"""examples/self: an edit of a pipeline's Terraform rolls out through the pipeline that it changes, and no further.

The dangerous ones, too: what would give its own role more, and what breaks the launcher, which a person repairs.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from test_resources import first_apply

from iwomp_local.certificates import Authority
from iwomp_local.emulator import ACCOUNT, REGION, Lifetime
from iwomp_local.git_server import Anybody, GitServer
from iwomp_local.pipeline import variable
from iwomp_local.places import REPOSITORY, TERRAFORM
from iwomp_local.repository import Repository
from iwomp_local.stack import BUILD_SECONDS, Stack
from iwomp_local.terraform import APPLY_SECONDS, Terraform, plugin_directory
from iwomp_local.waiting import wait_for

EXAMPLE = REPOSITORY / "examples" / "self"
NAME = "self"
BUCKET = "a-pipelines-state"
DEPLOY_ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy/iwomp-in-aws"
BACKEND = f"""
terraform {{
  backend "s3" {{
    bucket       = "{BUCKET}"
    key          = "iwomp-in-aws.tfstate"
    region       = "{REGION}"
    use_lockfile = true
  }}
}}
"""
# What an attacker who can push would try first: more for the own role, and a second self without the ceiling.
GREED = f"""
resource "aws_iam_role_policy" "more" {{
  name   = "more"
  role   = "{DEPLOY_ROLE.rpartition("/")[2]}"
  policy = jsonencode({{ Version = "2012-10-17", Statement = [{{ Effect = "Allow", Action = "*", Resource = "*" }}] }})
}}

resource "aws_iam_role" "second" {{
  name = "${{local.names.iam_prefix}}second"
  assume_role_policy = jsonencode({{
    Version   = "2012-10-17"
    Statement = [{{ Effect = "Allow", Principal = {{ AWS = "*" }}, Action = "sts:AssumeRole" }}]
  }})
}}
"""
# The folder for temporary files has a name in these builds that is too long for the socket of Terraform's provider.
HERE = {"PLUGIN_UNIX_SOCKET_DIR": "/tmp", "GOGC": "400"}  # noqa: S108
# As `make deploy` names them. What projects run if they name nothing, `all`, is not among them.
IMAGES = {"minimal": "local", "cdk": "sha256:" + "0" * 64}
RIGHT_TO_START = "codebuild:StartBuild"
EDITED = {
    'aws_cloudwatch_metric_alarm.this["hourly-cap"]',
    "aws_ssm_parameter.description",
    "module.launcher.aws_iam_role_policy.this",
    "module.launcher.aws_lambda_function.this",
}


@dataclass
class Team:
    """A team with its pipeline, and its copy of this repository."""

    stack: Stack
    repository: Repository
    values: dict[str, Any]

    def edit(self, subject: str, **values: Any) -> str:
        """What a person does: a commit that changes the variables, on main."""
        self.values |= values
        return self.repository.commit(subject, {"terraform/terraform.tfvars.json": json.dumps(self.values)})

    def deploy(self, commit: str) -> tuple[str, str]:
        """What CI does then; how the build ended, and its log."""
        build, log = self.stack.finished_build(NAME, self.stack.trigger(NAME, commit=commit))
        return build["buildStatus"], log

    def launcher(self) -> dict[str, str]:
        """What its environment says."""
        name = self.stack.pipeline.outputs["launcher_function_name"]
        found = self.stack.emulator.client("lambda").get_function_configuration(FunctionName=name)
        return dict(found["Environment"]["Variables"])


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    directory, authority = tmp_path_factory.mktemp("self"), Authority()
    repository = Repository.create(directory / "repositories" / f"{NAME}.git")
    with (
        GitServer(repository.path.parent, authority.server_context()) as git,
        Stack.start(directory / "stack", Lifetime.WITH_STARTER) as stack,
    ):
        s3 = stack.emulator.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        variables = {**stack.terraform.variables, "TF_VAR_state_bucket": BUCKET}
        role = Terraform.copy(EXAMPLE, directory / "role", variables)
        role.init()
        role.apply()
        told = role.outputs()
        entry = {
            "git_url": git.serve(NAME, Anybody()),
            "ca_bundle": authority.bundle,
            "command": "examples/self/deploy.sh",
            "branches": ["main"],
            "own_topic": True,
            "require_commit": True,
            "image_target": "minimal",
            "deploy_role_arn": told["deploy_role_arn"],
            "environment": {
                **HERE,
                **({"TF_CLI_ARGS_init": f"-plugin-dir={found}"} if (found := plugin_directory()) else {}),
            },
        }
        values: dict[str, Any] = {
            "projects": {NAME: entry},
            "deploy_roles_only": True,
            "shared_topic": False,
            "permissions_boundary": told["permissions_boundary"],
            "retry_seconds": 20,
            "max_wait_seconds": 3600,
        }
        # As a person's first `make deploy`, from a checkout with the zips where the module looks for them.
        zips = directory / "stack" / "target" / "lambda"
        for function in ("launcher", "notifier", "broker"):
            (zips / function).mkdir(parents=True)
            shutil.copy(directory / "stack" / f"{function}_zip.zip", zips / function / "bootstrap.zip")
        stack.configure(
            launcher_zip=None, notifier_zip=None, broker_zip=None, image_tag=None, image_tags=IMAGES, **values
        )
        (stack.terraform.directory / "backend.tf").write_text(BACKEND)
        stack.apply()
        repository.commit("Our copy", of_repository())
        made = Team(stack, repository, values)
        made.edit("What is registered")
        yield made


def of_repository() -> dict[str, str]:
    """The part of this repository that a deployment of itself reads."""
    parts = [TERRAFORM.glob("*.tf"), TERRAFORM.glob("modules/*/*.tf"), [EXAMPLE / "deploy.sh", EXAMPLE / "live"]]
    files = {str(file.relative_to(REPOSITORY)): file.read_text() for part in parts for file in part}
    return {**files, "terraform/backend.tf": BACKEND}


def test_an_edit_that_would_give_its_own_role_more_is_denied_by_the_ceiling(team: Team) -> None:
    file = "terraform/greed.tf"
    status, log = team.deploy(team.repository.commit("More", {file: GREED}))
    assert status == "FAILED"
    for denied in ("iam:PutRolePolicy", "iam:CreateRole"):
        assert denied in log, log
    roles = [role["RoleName"] for role in team.stack.emulator.client("iam").list_roles()["Roles"]]
    assert not [name for name in roles if name.endswith("second")]
    team.repository.commit("Not more", {file: ""})


def test_an_edit_rolls_out_through_the_pipeline_and_what_it_breaks_a_person_repairs_while_a_trigger_waits(
    team: Team,
) -> None:
    launcher = TERRAFORM / "modules" / "launcher" / "role.tf"
    file, text = str(launcher.relative_to(REPOSITORY)), launcher.read_text()
    assert RIGHT_TO_START in text
    before = team.launcher()
    # Meanwhile somebody is in the middle of a `make deploy`.
    images = team.stack.terraform.outputs()["worker_images"]
    assert sorted(images) == sorted(IMAGES)
    team.stack.terraform.run("apply", *first_apply(), timeout_seconds=APPLY_SECONDS)
    assert team.stack.terraform.outputs()["worker_images"] == images
    team.edit("Fewer builds", builds_per_hour=20)
    broken = team.repository.commit("And broken", {file: text.replace(RIGHT_TO_START, "codebuild:ListBuilds")})
    status, log = team.deploy(broken)
    assert status == "SUCCEEDED", log
    # And no code, since that is what is live.
    assert set(re.findall(r"# (\S+) will be updated in-place", log)) == EDITED
    assert team.launcher() == {**before, "BUILDSPERHOUR": "20"}

    # What the launcher may not start it gives up soon; so whoever repairs it has what comes wait.
    team.stack.operate("pause", NAME)
    mended = team.repository.commit("Mended", {file: text})
    trigger = team.stack.trigger(NAME, commit=mended)
    words = wait_for("a launcher that is told to wait", lambda: team.stack.launcher_words(trigger) or None, 60)
    assert {(word["outcome"], word["class"]) for word in words} == {("busy", "paused")}
    # With credentials and a checkout of one's own, and the same state.
    team.stack.configure(builds_per_hour=20)
    team.stack.terraform.apply()
    # By the one that has waited, or by that of `resume`: whichever the launcher sees first.
    either = {trigger, team.stack.operate("resume", NAME).split()[-1]}

    def ended() -> dict[str, Any] | None:
        newest = team.stack.pipeline.builds(NAME)[0]
        return newest if newest["buildComplete"] and variable(newest, "TRIGGERID") in either else None

    build = wait_for("what has waited", ended, BUILD_SECONDS)
    log = team.stack.pipeline.log_text(build)
    assert build["buildStatus"] == "SUCCEEDED", log
    assert "No changes. Your infrastructure matches the configuration." in log
