"""The deployer image: built from its real Dockerfile, and a project of the pipeline deploys in it, as CodeBuild would.

Its builds start on the image's file system as root, with the rights that Docker leaves to root, the address of their
credentials instead of these, and CodeBuild's own tree, which everybody may read.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import examples
import pytest
from pipeline_under_test import IN_THE_IMAGE, THE_IMAGE, Iwomp, PipelineUnderTest, Result
from sessions import with_variables
from test_thief import ATTEMPTS_ON_THE_MACHINE, OF_THE_WORKER, SCRIPT, environment_in, is_denied

from iwomp_local import image
from iwomp_local.emulator import ACCOUNT, REGION
from iwomp_local.places import REPOSITORY
from iwomp_local.standin import container
from iwomp_local.standin.credentials import CredentialsEndpoint
from iwomp_local.waiting import wait_for

# From `minimal` on, all stages of the Dockerfile are.
STAGES = re.findall(r"^FROM .* AS (\w+)$", (REPOSITORY / "worker/Dockerfile").read_text(), re.MULTILINE)
TARGETS = STAGES[STAGES.index("minimal") :]
BY_CDK = "/in-the-image/cdk"
DEPLOY_ROLE = "in-the-image"

# As `cdk synth` leaves it; its own part, Node and the application's libraries, is no affair of the image's.
ASSEMBLY = {
    "cdk.out": {"version": "36.0.0"},
    "manifest.json": {
        "version": "36.0.0",
        "artifacts": {
            "Site": {
                "type": "aws:cloudformation:stack",
                "environment": f"aws://{ACCOUNT}/{REGION}",
                "properties": {
                    "templateFile": "Site.template.json",
                    "stackName": IN_THE_IMAGE,
                    "validateOnSynth": False,
                },
            }
        },
    },
    "Site.template.json": {
        "Resources": {
            "Greeting": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": BY_CDK, "Type": "String", "Value": "from CDK"},
            }
        }
    },
}
# Each as examples/ has it, one after the other, and with the rights that its entry there asks for.
DEPLOYED = {"cdk": BY_CDK, "cloudformation": "/website/greeting", "terraform-root": "/network/range"}
STATE = "example-projects-state"
DEPLOY = f"""#!/bin/sh
set -eu
echo "command: as $(id -un) $(id -u) in $HOME"
[ ! -d {image.PROVIDERS} ] || export TF_CLI_ARGS_init=-plugin-dir={image.PROVIDERS}
for example in {" ".join(DEPLOYED)}; do (cd "$example" && ./deploy.sh "$1"); done
aws sts get-caller-identity --query Arn --output text | sed 's/^/command: identity /'
"""
# The local AWS has none of the roles of `cdk bootstrap`.
OF_CDK = [
    {"Action": "cloudformation:*", "Resource": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{IN_THE_IMAGE}/*"},
    {"Action": "ssm:*", "Resource": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/in-the-image/*"},
    {"Action": "ssm:DescribeParameters", "Resource": "*"},
]
# What it stole, past the log's mask.
AND_TELLS = """
import base64, gzip, textwrap
for piece in textwrap.wrap(base64.b64encode(gzip.compress(LOOT.read_bytes())).decode(), 800):
    print("loot", piece, flush=True)
"""


def policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]})


@pytest.fixture(scope="module")
def in_the_image(pipeline: PipelineUnderTest) -> Iterator[PipelineUnderTest]:
    """The pipeline, whose project for this has its builds in the image."""
    with image.built() as made:
        container.tell(pipeline.stack.emulator.directory, THE_IMAGE, made)
        yield pipeline


@contextmanager
def rights(pipeline: PipelineUnderTest, statements: list[dict[str, Any]]) -> Iterator[str]:
    """For a while, the project may do this. By hand, since the shared stack is judged as applied."""
    arn = str(pipeline.stack.pipeline.outputs["projects"][IN_THE_IMAGE]["role_arn"])
    iam, role = pipeline.stack.emulator.client("iam"), arn.rpartition("/")[2]
    iam.put_role_policy(RoleName=role, PolicyName="project", PolicyDocument=policy(statements))
    yield arn
    iam.delete_role_policy(RoleName=role, PolicyName="project")


def test_a_build_in_the_image_deploys_the_examples_as_the_deployer_with_the_rights_of_their_entries(
    in_the_image: PipelineUnderTest,
) -> None:
    files = {name: text for example in DEPLOYED for name, text in examples.repository(example, example).items()}
    assembly = {f"cdk/cdk.out/{name}": json.dumps(document) for name, document in ASSEMBLY.items()}
    app = {"cdk/cdk.json": json.dumps({"app": "cdk.out"})}
    in_the_image.repository(IN_THE_IMAGE).commit("deploy", {**files, **assembly, **app, "deploy.sh": DEPLOY})
    aws = in_the_image.stack.emulator.client
    aws("s3").create_bucket(Bucket=STATE, CreateBucketConfiguration={"LocationConstraint": REGION})
    with rights(
        in_the_image, [*OF_CDK, *examples.rights("cloudformation"), *examples.rights("terraform-root")]
    ) as role:
        result = in_the_image.deploy(IN_THE_IMAGE)
    assert (result.status, result.outcome["outcome"]) == ("SUCCEEDED", "deployed"), result.log
    assert result.said("command: as ") == ["deployer 1000 in /home/deployer"]
    (identity,) = result.said("command: identity ")
    assert f":assumed-role/{role.rpartition('/')[2]}/AWSCodeBuild-" in identity
    values = {name: aws("ssm").get_parameter(Name=name)["Parameter"]["Value"] for name in DEPLOYED.values()}
    assert list(values.values()) == ["from CDK", "Hello", "10.0.0.0/16"]
    # The state, and no lock.
    assert [kept["Key"] for kept in aws("s3").list_objects_v2(Bucket=STATE)["Contents"]] == ["network.tfstate"]


def test_each_target_is_as_large_as_the_manual_says(in_the_image: PipelineUnderTest) -> None:
    """Debian's packages grow, so a tenth is nothing."""
    del in_the_image  # it has made most of what is built here
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d+) MB \|$", (REPOSITORY / "worker/README.md").read_text(), re.MULTILINE)
    told = {target: float(size) for target, size in rows}
    assert set(told) == set(TARGETS)
    found = image.sizes(told)
    assert found == pytest.approx(told, rel=0.1)


def test_every_place_that_names_the_targets_names_those_of_the_dockerfile() -> None:
    script, variables = (
        (REPOSITORY / "worker/image.sh").read_text(),
        (REPOSITORY / "terraform/variables.tf").read_text(),
    )
    (taken,) = re.findall(r"^    (minimal .*)\) ;;$", script, re.MULTILINE)
    (allowed,) = re.findall(r'contains\(\["(minimal".*)"\], target\)', variables)
    (none,) = re.findall(r"^NO_IMAGES := .*=\{(.*)\}'$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    named = [taken.split(" | "), allowed.replace('"', "").split(", "), re.findall(r"(\w+)=", none)]
    assert named == [TARGETS] * 3


def test_what_is_in_an_image_is_listed_beside_it(in_the_image: PipelineUnderTest) -> None:
    del in_the_image  # it has made the layers
    name, bill = image.bill("minimal")
    assert (bill["bomFormat"], f"iwomp:{bill['metadata']['component']['version']}") == (
        "CycloneDX",
        name.rpartition("/")[2],
    )
    listed = {component["name"]: component for component in bill["components"]}
    assert {"awscli", "git", "gpg", "openssh-client"} <= set(listed)
    assert listed["git"]["purl"].startswith("pkg:deb/debian/git@")
    assert listed["git"]["licenses"]


def test_a_build_in_the_image_that_is_stopped_lets_the_command_end_in_order(in_the_image: PipelineUnderTest) -> None:
    script = "#!/bin/sh\ntrap 'echo command: tidied up; exit 1' TERM\necho command: waits\nsleep 600 & wait\n"
    in_the_image.repository(IN_THE_IMAGE).commit("wait", {"deploy.sh": script})
    stack = in_the_image.stack
    trigger = stack.trigger(IN_THE_IMAGE)

    def waits() -> dict[str, Any] | None:
        build = stack.build_of(IN_THE_IMAGE, trigger)
        return build if build and "command: waits" in stack.pipeline.log_text(build) else None

    wait_for("the command in the image", waits, 120)
    stack.operate("stop", IN_THE_IMAGE)
    result = in_the_image.result(IN_THE_IMAGE, trigger)
    assert result.status == "STOPPED", result.log
    assert result.said("command: ") == ["waits", "tidied up"]
    assert result.outcome["class"] == "stopped", result.log


# What an image is good for, as its own worker sees it in a build

IN_BUILD = "in-build "


def looked_at_in(iwomp: Iwomp) -> dict[str, dict[str, Any]]:
    """What was found in a build that looks at its image, by what was looked at."""
    said = iwomp("doctor", IN_THE_IMAGE, "--in-build", "--json")
    assert said.status == 1, said  # no image is in the local ECR, which the doctor sees from outside
    found = {finding["check"]: finding for finding in said.json["findings"] if finding["project"] == IN_THE_IMAGE}
    return {check.removeprefix(IN_BUILD): found[check] for check in found if check.startswith(IN_BUILD)}


def test_the_image_can_deploy_says_a_build_that_deploys_nothing(in_the_image: PipelineUnderTest, iwomp: Iwomp) -> None:
    in_the_image.repository(IN_THE_IMAGE).commit("shout", {"deploy.sh": "#!/bin/sh\necho command: ran\n"})
    before = iwomp("history", IN_THE_IMAGE, "--json").json["records"]
    found = looked_at_in(iwomp)
    assert {check: finding["saw"] for check, finding in found.items() if finding["grade"] != "good"} == {}
    assert "git host" in found
    assert found["user"]["saw"] == "the command runs as deployer"
    assert found["home"]["saw"] == "/home/deployer can be written to"
    assert "terraform (Terraform v1." in found["tools"]["saw"]
    assert ":assumed-role/" in found["role"]["saw"]
    assert iwomp("history", IN_THE_IMAGE, "--json").json["records"] == before
    build = in_the_image.stack.pipeline.builds(IN_THE_IMAGE)[0]
    log = in_the_image.stack.pipeline.log_text(build)
    assert build["buildStatus"] == "SUCCEEDED", log
    assert "command: ran" not in log


OLD_GIT = """#!/bin/sh
[ "$1" != --version ] || exec echo git version 2.30.2
exec /usr/bin/git "$@"
"""


def test_faults_of_an_image_are_told_from_a_build_in_it_each_with_what_to_do(
    in_the_image: PipelineUnderTest, iwomp: Iwomp, tmp_path: Path
) -> None:
    directory = in_the_image.stack.emulator.directory
    good = container.known_images(directory)[THE_IMAGE]
    old, home = tmp_path / "old", tmp_path / "home"
    for folder in (old, home):
        folder.mkdir()
    (old / "git").write_text(OLD_GIT)
    (old / "git").chmod(0o755)
    # Both are read-only there.
    mounts = {**good.mounts, str(old): "/opt/old", str(home): "/home/deployer"}
    variables = {**good.variables, "PATH": f"/opt/old:{good.variables['PATH']}"}
    container.tell(directory, THE_IMAGE, replace(good, mounts=mounts, variables=variables))
    try:
        found = looked_at_in(iwomp)
    finally:
        container.tell(directory, THE_IMAGE, good)
    assert {check for check, finding in found.items() if finding["grade"] == "problem"} == {"git", "home"}
    assert found["git"]["saw"] == "git version 2.30.2 is too old for the worker"
    assert found["git"]["to_do"].startswith("install git 2.39 or newer in the image")
    assert found["home"]["saw"] == "/home/deployer, the home of the command's user, cannot be written to"
    assert in_the_image.stack.pipeline.builds(IN_THE_IMAGE)[0]["buildStatus"] == "FAILED"


# The build's own role, where the command gets another


@pytest.fixture(scope="module")
def robbery(in_the_image: PipelineUnderTest) -> Iterator[tuple[Result, str]]:
    """A build whose command, which has a deploy role, is the thief; and what it got."""
    emulator, name = in_the_image.stack.emulator, f"/{in_the_image.config_path}/{IN_THE_IMAGE}"
    ssm, iam = emulator.client("ssm"), emulator.client("iam")
    # One of the project's own making: those of others are fenced off, unless Terraform knows them for its deploy role.
    path = in_the_image.stack.pipeline.outputs["projects"][IN_THE_IMAGE]["identity_path"]
    deploy_role = f"arn:aws:iam::{ACCOUNT}:role{path}{DEPLOY_ROLE}"
    loot = "/var/tmp/loot"  # noqa: S108 (the path in the container)
    script = SCRIPT.read_text().replace("LOOT_PATH", loot) + AND_TELLS
    in_the_image.repository(IN_THE_IMAGE).commit("steal", {"deploy.sh": script})
    entry = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    take = {"Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": deploy_role}
    with rights(in_the_image, [take]) as role:
        trust = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=DEPLOY_ROLE, Path=path, AssumeRolePolicyDocument=document)
        in_the_image.write_register(IN_THE_IMAGE, json.dumps({**json.loads(entry), "deployRoleArn": deploy_role}))
        result = in_the_image.deploy(IN_THE_IMAGE)
        yield result, gzip.decompress(base64.b64decode("".join(result.said("loot ")))).decode(errors="replace")
        in_the_image.write_register(IN_THE_IMAGE, entry)
        iam.delete_role(RoleName=DEPLOY_ROLE)


def test_a_thief_in_the_image_does_not_find_the_builds_own_role(
    robbery: tuple[Result, str], in_the_image: PipelineUnderTest
) -> None:
    result, loot = robbery
    assert result.status == "SUCCEEDED", result.log
    made = [line for line in result.log.splitlines() if line.startswith("attempt ")]
    assert len(made) == ATTEMPTS_ON_THE_MACHINE, result.log
    closed = (*OF_THE_WORKER, "CodeBuild's own tree")
    assert [name for name in closed if not any(is_denied(line, name) for line in made)] == [], result.log
    # Neither the path of the credentials, nor a variable that the command is not handed, wherever it is from.
    for secret in ("v2/credentials", "AWS_CONTAINER_", "TIMELIMITSECONDS", "CODEBUILD_START_TIME"):
        assert secret not in loot, secret
    # It looked, and has what it was given: the deploy role.
    own = environment_in(loot)
    identity = with_variables(in_the_image.stack.emulator, own)("sts").get_caller_identity()
    assert f":assumed-role/{DEPLOY_ROLE}/" in identity["Arn"]


def test_before_the_worker_closes_it_everybody_in_the_image_finds_the_builds_own_role(
    in_the_image: PipelineUnderTest,
) -> None:
    """The attack, without the worker: what the thief would find."""
    codebuild = in_the_image.stack.emulator.client("codebuild")
    look = f"setpriv --reuid=deployer --regid=deployer --clear-groups cat {container.VARIABLES}"
    spec = json.dumps({"version": "0.2", "phases": {"build": {"commands": [look, "test ! -O . || echo root"]}}})
    project = in_the_image.stack.pipeline.project(IN_THE_IMAGE)["build_project"]
    build = codebuild.start_build(projectName=project, buildspecOverride=spec)["build"]

    def ended() -> dict[str, Any] | None:
        (now,) = codebuild.batch_get_builds(ids=[build["id"]])["builds"]
        return dict(now) if now["buildComplete"] else None

    log = in_the_image.stack.pipeline.log_text(wait_for("the look into CodeBuild's tree", ended, 120))
    assert re.search(r"export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127\.0\.0\.1:\d+/v2/credentials/", log), log
    start = re.search(r"export CODEBUILD_START_TIME=(\d+)", log)
    assert start is not None
    assert int(start[1]) == int(build["startTime"].timestamp() * 1000)
    assert "export TIMELIMITSECONDS=" in log
    assert "\nroot\n" in log  # the build itself is root


def test_credentials_are_served_to_whoever_knows_their_path_and_to_nobody_else() -> None:
    endpoint = CredentialsEndpoint(lambda: {"AccessKeyId": "canary"})
    try:
        base = endpoint.url.rpartition("/")[0]
        assert json.loads(fetch(endpoint.url)[1]) == {"AccessKeyId": "canary"}
        for url in (base, f"{base}/", endpoint.url + "/", endpoint.url[:-1], base.partition("/v2")[0]):
            status, body = fetch(url)
            assert status == 404, url
            assert "canary" not in body
    finally:
        endpoint.close()


def fetch(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
