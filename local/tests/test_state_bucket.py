"""examples/state-bucket: a state moves there by the command of its README, and is locked while somebody applies."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from iwomp_local.emulator import REGION, Emulator
from iwomp_local.places import REPOSITORY, program
from iwomp_local.terraform import Terraform, TerraformError, environment
from iwomp_local.waiting import wait_for

SECONDS = 60.0
BUCKET = "a-teams-state"
KEY = "iwomp-in-aws.tfstate"
# What waits while it is applied, until it is told to go on.
ROOT = """
variable "greeting" {}

resource "terraform_data" "this" {
  input            = var.greeting
  triggers_replace = var.greeting

  provisioner "local-exec" {
    command = "touch begun; while [ -e wait ]; do sleep 0.1; done"
  }
}
"""


@pytest.fixture(scope="module")
def backend(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the example says to put into backend.tf, once its bucket is there."""
    directory = tmp_path_factory.mktemp("bucket")
    variables = {**emulator.variables(), "TF_VAR_bucket": BUCKET}
    example = Terraform.copy(REPOSITORY / "examples" / "state-bucket", directory, variables)
    example.init()
    example.apply()
    assert example.pending_changes() == ""
    return str(example.outputs()["backend"])


@pytest.fixture
def root(backend: str, emulator: Emulator, tmp_path: Path) -> Iterator[Terraform]:
    """A configuration whose state was on this machine, and has moved."""
    (tmp_path / "main.tf").write_text(ROOT)
    root = Terraform(tmp_path, {**emulator.variables(), "TF_VAR_greeting": "hello"})
    root.init()
    root.apply()
    (tmp_path / "backend.tf").write_text(backend)
    root.run("init", "-no-color", "-input=false", "-migrate-state", "-force-copy", timeout_seconds=SECONDS)
    yield root


def test_a_state_that_was_here_is_there_and_nothing_is_to_change(root: Terraform, emulator: Emulator) -> None:
    assert root.resources() == ["terraform_data.this"]
    assert root.pending_changes() == ""
    assert not (root.directory / "terraform.tfstate").read_text()
    kept = emulator.client("s3").get_object(Bucket=BUCKET, Key=KEY)
    assert b'"hello"' in kept["Body"].read()
    assert kept["VersionId"] != "null"


def test_who_applies_at_the_same_time_is_told_who_else_does(root: Terraform, emulator: Emulator) -> None:
    (root.directory / "wait").touch()
    (root.directory / "begun").unlink()
    command = [
        str(program("terraform")),
        f"-chdir={root.directory}",
        "apply",
        "-auto-approve",
        "-var",
        "greeting=again",
    ]
    first = subprocess.Popen(command, env=environment(root.variables), stdout=subprocess.PIPE, text=True)
    try:
        wait_for("the first one", lambda: (root.directory / "begun").exists() or None, SECONDS)
        with pytest.raises(TerraformError, match=r"(?s)Error acquiring the state lock.*Operation: +OperationTypeApply"):
            root.run("apply", "-no-color", "-auto-approve", timeout_seconds=SECONDS)
    finally:
        (root.directory / "wait").unlink()
        said, _ = first.communicate(timeout=SECONDS)
    assert first.returncode == 0, said
    assert root.pending_changes() != ""  # of the first one, which went through
    assert "Contents" not in emulator.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"{KEY}.tflock")


def test_the_bucket_keeps_versions_encrypts_and_is_nobody_elses(backend: str, emulator: Emulator) -> None:
    assert f'region       = "{REGION}"' in backend
    s3 = emulator.client("s3")
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())


def test_nothing_that_a_pipeline_runs_as_or_makes_reaches_the_state_even_as_an_administrator(
    backend: str, emulator: Emulator
) -> None:
    us = administrator(emulator, "/", "us")
    denied = {
        "a build": administrator(emulator, "/", "iwomp-in-aws--eu-central-1--shop"),
        "what it made": administrator(emulator, "/iwomp-in-aws/eu-central-1/shop/", "app"),
    }
    s3 = emulator.client("s3")
    policy = s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    # The local AWS is reached without TLS, so that nobody is let in but its root.
    assert attempts(us, policy) == ["AccessDenied"] * 5
    read = json.loads(policy)
    without = json.dumps({**read, "Statement": [one for one in read["Statement"] if one["Sid"] != "TlsOnly"]})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=without)
    try:
        assert attempts(us, without) == ["done"] * 5
        assert {who: attempts(client, without) for who, client in denied.items()} == {
            who: ["AccessDenied"] * 5 for who in denied
        }
    finally:
        s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)


def administrator(emulator: Emulator, path: str, name: str) -> Any:
    """An S3 client of somebody who may do everything."""
    iam = emulator.client("iam")
    iam.create_user(Path=path, UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return emulator.client("s3", key["AccessKeyId"], key["SecretAccessKey"])


def attempts(s3: Any, policy: str) -> list[str]:
    """How each way to the state ends, and to the policy that keeps it shut."""
    return [
        ended(s3.list_objects_v2, Bucket=BUCKET),
        ended(s3.put_object, Bucket=BUCKET, Key="other.tfstate", Body=b""),
        ended(s3.get_object, Bucket=BUCKET, Key="other.tfstate"),
        ended(s3.get_bucket_policy, Bucket=BUCKET),
        ended(s3.put_bucket_policy, Bucket=BUCKET, Policy=policy),
    ]


def ended(call: Callable[..., Any], **arguments: Any) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"
