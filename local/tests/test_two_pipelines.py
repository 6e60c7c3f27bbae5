"""Two pipelines in one account: with names of which one begins as the other, and of one name in two regions."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pipeline_under_test import PipelineUnderTest

from iwomp_boundary.attempts import DENIED
from iwomp_local import places
from iwomp_local.emulator import REGION
from iwomp_local.pipeline import Pipeline
from iwomp_local.stack import IMAGE_TAG, Stack
from iwomp_local.terraform import APPLY_SECONDS, Terraform, TerraformError

PROJECT = "shop"
GITHUB = "https://token.actions.githubusercontent.com"
KEEPER = "arn:aws:iam::123456789012:role/terraform"
ED25519 = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32).decode()
ELSEWHERE = "eu-west-1"


def second(stack: Stack, directory: Path, config_path: str, project: dict[str, Any], **variables: str) -> Terraform:
    """Another pipeline for the same account: a team's own root that calls the module. Applied by the caller."""
    environment = {name: value for name, value in stack.terraform.variables.items() if name != "TF_VAR_credentials"}
    called = Terraform.copy(places.TERRAFORM, directory / "iwomp", {**environment, **variables})
    call = {
        "source": "./iwomp",
        "config_path": config_path,
        "image_tag": IMAGE_TAG,
        "launcher_zip": str(stack.directory / "launcher_zip.zip"),
        "notifier_zip": str(stack.directory / "notifier_zip.zip"),
        "projects": {PROJECT: project},
        "credential_keeper_arns": [stack.operator.arn],
    }
    names = re.findall(r'^output "(\w+)"', (called.directory / "outputs.tf").read_text(), re.MULTILINE)
    outputs = {name: {"value": f"${{module.iwomp.{name}}}"} for name in names}
    (directory / "main.tf.json").write_text(json.dumps({"module": {"iwomp": call}, "output": outputs}))
    made = Terraform(directory, called.variables)
    made.init()
    return made


@contextmanager
def taken(stack: Stack, role_arn: str) -> Iterator[Callable[[str], Any]]:
    """Clients with a session of a role, as somebody has them who took over what runs with it."""
    iam, name = stack.emulator.client("iam"), role_arn.rpartition("/")[2]
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    statement = {"Effect": "Allow", "Principal": {"AWS": stack.operator.arn}, "Action": "sts:AssumeRole"}
    opened = {"Version": "2012-10-17", "Statement": [statement]}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(opened))
    try:
        sts = stack.emulator.client("sts", stack.operator.access_key, stack.operator.secret_key)
        session = sts.assume_role(RoleArn=role_arn, RoleSessionName="taken-over")["Credentials"]
        keys = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
        own, local = boto3.Session(*keys, region_name=REGION), Config(proxies={})
        yield lambda service: own.client(service, endpoint_url=stack.emulator.url, config=local)
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))


def reached(client: Callable[[str], Any], pipeline: Pipeline) -> list[str]:
    """What a role of another pipeline gets of this one."""
    project, parameters = pipeline.project(PROJECT), {"Names": [f"/{pipeline.config_path}/{PROJECT}"]}
    calls = {
        "start a build": lambda: client("codebuild").start_build(projectName=project["build_project"]),
        "list builds": lambda: client("codebuild").list_builds_for_project(projectName=project["build_project"]),
        "read the register": lambda: client("ssm").get_parameters(**parameters),
        "read credentials": lambda: client("ssm").get_parameter(Name=project["credentials_parameter"]),
        "publish": lambda: client("sns").publish(TopicArn=pipeline.outputs["topic_arn"], Message="{}"),
        "lay aside": lambda: client("sqs").send_message(
            QueueUrl=pipeline.outputs["dead_letter_queue_url"], MessageBody="{}"
        ),
        "receive": lambda: client("sqs").receive_message(QueueUrl=pipeline.outputs["queue_url"]),
    }
    return [what for what, call in calls.items() if not denied(call)]


def denied(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] in DENIED
    return False


@pytest.fixture(scope="module")
def staging(pipeline: PipelineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    stack = pipeline.stack
    directory = tmp_path_factory.mktemp("staging")
    public = stack.configured()["projects"]["public"]
    made = second(stack, directory / "terraform", f"{pipeline.config_path}-staging", public)
    made.apply()
    yield Pipeline(made.outputs(), stack.emulator.client, look_seconds=0.2)
    made.destroy()  # the judge of the shared stack counts what there is


@pytest.mark.parametrize("who", ["launcher", "notifier", "project"])
def test_a_pipeline_whose_name_begins_as_anothers_does_not_reach_it(
    pipeline: PipelineUnderTest, staging: Pipeline, who: str
) -> None:
    stack, function = pipeline.stack, pipeline.stack.emulator.client("lambda")
    role = (
        stack.pipeline.project("public")["role_arn"]
        if who == "project"
        else function.get_function(FunctionName=stack.pipeline.outputs[f"{who}_function_name"])["Configuration"]["Role"]
    )
    with taken(stack, role) as client:
        assert reached(client, staging) == []
    assert staging.builds(PROJECT) == []


def test_a_team_that_calls_the_module_needs_its_name_credentials_and_the_program(
    pipeline: PipelineUnderTest, staging: Pipeline, tmp_path: Path
) -> None:
    repository = pipeline.repository("public")

    def iwomp(*arguments: str, given: str = "") -> str:
        said = pipeline.stack.iwomp(*arguments, given=given, folder=tmp_path, IWOMP_CONFIG_PATH=staging.config_path)
        assert said.status == 0, (arguments, said)
        return said.out

    before = repository.head() or ""
    first = iwomp("trigger", PROJECT, "main", "--yes").split()[-1]
    iwomp("wait", first, "--timeout", "5m")
    repository.commit("for the team that calls the module", {"team": "calls"})
    iwomp("pause", PROJECT, "--reason", "not now", "--yes")
    iwomp("resume", PROJECT, "--yes")
    iwomp("trigger", PROJECT, "main", "--yes", "--wait")
    went = iwomp("rollback", PROJECT, "main", before, "--yes", "--wait", "5m").split()[0]
    iwomp("logs", PROJECT, "--build", went, "--follow")
    (shop,) = json.loads(iwomp("status", "--json"))["projects"]
    assert [(live["branch"], live["commit"]) for live in shop["live"]] == [("main", before)]
    iwomp("release", PROJECT, "main", "--yes")
    records = json.loads(iwomp("history", PROJECT, "--json"))["records"]
    assert records[0]["commit"] == before
    assert first in iwomp("trace", first)
    for arguments, told in (
        (("projects",), PROJECT),
        (("register", "show", PROJECT), pipeline.git_url("public")),
        (("register", "lint"), ""),
        (("logs", PROJECT, "--trigger", first), before),
        (("stop", PROJECT, "--yes"), ""),
        (("redrive", "--yes"), ""),
        (("completions", "bash"), "iwomp"),
        (("man",), "iwomp"),
    ):
        assert told in iwomp(*arguments), arguments
    iwomp("secret", "set", PROJECT, "--yes", given="a-token-of-the-team\n")
    assert "a-token-of-the-team" not in iwomp("secret", "check", PROJECT)
    assert list(tmp_path.iterdir()) == []


def test_the_key_of_a_pipeline_opens_for_no_role_of_another(pipeline: PipelineUnderTest, staging: Pipeline) -> None:
    kms, role = pipeline.stack.emulator.client("kms"), staging.project(PROJECT)["role_arn"]
    policy = kms.get_key_policy(KeyId=pipeline.stack.pipeline.outputs["kms_key_arn"], PolicyName="default")["Policy"]
    statements = {statement["Sid"]: statement for statement in json.loads(policy)["Statement"]}
    pattern = statements["ReadCredentialsInBuilds"]["Condition"]["ArnLike"]["aws:PrincipalArn"]
    assert pattern.endswith("*")
    assert pipeline.stack.pipeline.project("public")["role_arn"].startswith(pattern.removesuffix("*"))
    assert not role.startswith(pattern.removesuffix("*"))


def test_a_pipeline_of_the_same_name_has_room_in_another_region(pipeline: PipelineUnderTest, tmp_path: Path) -> None:
    project = {"external_register": True}
    made = second(pipeline.stack, tmp_path / "terraform", pipeline.config_path, project, AWS_REGION=ELSEWHERE)
    roles = {"aws_iam_role.scheduler", f'module.project["{PROJECT}"].aws_iam_role.this'}
    iam = {f"module.iwomp.{role}" for role in roles}
    options = ("-no-color", "-input=false", "-auto-approve", *(f"-target={role}" for role in iam))
    made.run("apply", *options, timeout_seconds=APPLY_SECONDS)
    assert iam <= set(made.resources())
    made.run("destroy", *options, timeout_seconds=APPLY_SECONDS)


def test_the_projects_of_the_example_are_entries_that_work(pipeline: PipelineUnderTest, tmp_path: Path) -> None:
    text = (places.TERRAFORM / "terraform.tfvars.example").read_text()
    first, mark, others = text[: text.index("\n}\n") + 3].partition("  # # ")
    projects = first + re.sub("^  # ", "  ", mark + others, flags=re.MULTILINE)
    # What stands for something longer there.
    for short, whole in (("    ...\n", f"    {base64.b64encode(b'x' * 48).decode()}\n"), ("AAAA...", ED25519)):
        assert short in projects
        projects = projects.replace(short, whole)
    file = tmp_path / "example.tfvars"
    file.write_text(projects)
    variables = {
        "credentials": {"billing": '{"authToken": "x"}'},
        "credential_keeper_arns": [KEEPER],
        "image_tags": {"minimal": IMAGE_TAG},
    }
    (tmp_path / "more.tfvars.json").write_text(json.dumps(variables))
    files = (f"-var-file={file}", f"-var-file={tmp_path / 'more.tfvars.json'}")
    options = ("-no-color", "-input=false", "-lock=false", "-refresh=false", *files)
    iam = pipeline.stack.emulator.client("iam")
    known = iam.create_open_id_connect_provider(
        Url=GITHUB, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
    )
    try:
        planned = pipeline.stack.terraform.run("plan", *options, timeout_seconds=APPLY_SECONDS).stdout
    finally:
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=known["OpenIDConnectProviderArn"])
    made = set(re.findall(r'module\.project\["([\w-]+)"\]\.aws_codebuild_project\.this will be created', planned))
    assert made == set(re.findall(r"^  ([a-z]+) = \{$", projects, re.MULTILINE)) and "network" in made


def test_a_misspelt_field_is_named_with_the_nearest_one(pipeline: PipelineUnderTest, tmp_path: Path) -> None:
    entry = {"git_url": "https://git.example/shop.git", "command": "deploy.sh", "own_topic": True}
    wrong = {
        "requires_commit": True,
        "branch": ["main"],
        "gitUrl": "https://git.example/shop.git",
        "zzz": 1,
        "timeout_minutes": "an hour",
        "publisher": {"ci": "github", "subject": ["repo:example/shop:ref:refs/heads/main"]},
    }
    file = tmp_path / "wrong.tfvars.json"
    file.write_text(json.dumps({"projects": {PROJECT: {**entry, **wrong}}}))
    options = ("-no-color", "-input=false", "-lock=false", "-refresh=false", f"-var-file={file}")
    with pytest.raises(TerraformError) as failed:
        pipeline.stack.terraform.run("plan", *options, timeout_seconds=APPLY_SECONDS)
    said = " ".join(str(failed.value).replace("│", " ").split())
    for sentence in (
        "Project shop: there is no field requires_commit. Is require_commit meant?",
        "Project shop: there is no field branch. Is branches meant?",
        "Project shop: there is no field gitUrl. Is git_url meant?",
        "Project shop: there is no field zzz. The fields are accepted_git_faults, allowed_signers, ",
        "Project shop: there is no field publisher.subject. Is subjects meant?",
        "Project shop: timeout_minutes is not what it has to be: number.",
    ):
        assert sentence in said
