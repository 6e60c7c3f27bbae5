"""examples/: each is told, its register entries name what its repository holds, and its scripts do what they say.

That the module takes the entries, terraform/tests/examples.tftest.hcl says; that they deploy, test_image.py.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from examples import EXAMPLES, projects

from iwomp_local.places import REPOSITORY

FOLDERS = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
MONOREPO = EXAMPLES / "monorepo"
WHO = {f"GIT_{who}_{what}": "somebody@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def entries() -> list[Any]:
    return [
        pytest.param(file.parent, entry, id=f"{file.parent.name}-{name}")
        for file in sorted(EXAMPLES.glob("*/*.tfvars"))
        for name, entry in projects(file).items()
    ]


def run(command: list[str], folder: Path, **variables: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull, **WHO, **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_table_has_every_example_and_no_other() -> None:
    told = re.findall(r"^\| \[([\w-]+)\]\(\1/README\.md\)", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(told) == FOLDERS
    assert len(FOLDERS) > 10


@pytest.mark.parametrize(("folder", "entry"), entries())
def test_the_command_of_an_entry_is_an_executable_of_the_repository(folder: Path, entry: dict[str, Any]) -> None:
    # What deploys itself is this repository.
    repository = REPOSITORY if folder.name == "self" else folder / "repository"
    if not repository.exists():
        # These are about how the repository is reached.
        assert folder.name == "gitlab-private-ca"
        return
    own = repository / entry.get("deploy_dir", ".") / entry["command"]
    script = own if own.exists() else EXAMPLES / "terraform-root" / "repository" / "deploy.sh"
    assert script == own or "(../terraform-root/repository/deploy.sh)" in (folder / "README.md").read_text()
    assert os.access(script, os.X_OK)


# What has no test in the image: that its templates deploy as that of examples/cloudformation does, their shape says.


def stack_that_is_asked_for(
    folder: Path, scratch: Path, *arguments: str, **variables: str
) -> tuple[str, dict[str, Any]]:
    """Runs deploy.sh with an AWS CLI that only tells: the stack's name, and its template as found from there."""
    (scratch / "bin").mkdir(exist_ok=True)
    aws = scratch / "bin" / "aws"
    aws.write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$@"\n')
    aws.chmod(0o755)
    path = f"{aws.parent}:{os.environ['PATH']}"
    where, *told = run(["./deploy.sh", *arguments], folder, **{**variables, "PATH": path}).splitlines()
    assert told[:2] == ["cloudformation", "deploy"]
    options = dict(zip(told[2::2], told[3::2], strict=False))
    template = (Path(where) / options["--template-file"]).read_text().replace("!Sub ", "")
    return options["--stack-name"], yaml.safe_load(template)


@pytest.mark.parametrize("name", projects(MONOREPO / "projects.tfvars"))
def test_each_project_of_the_monorepo_deploys_its_own_stack(name: str, tmp_path: Path) -> None:
    folder = MONOREPO / "repository" / projects(MONOREPO / "projects.tfvars")[name]["deploy_dir"]
    stack, template = stack_that_is_asked_for(folder, tmp_path, "main")
    assert stack == name
    (resource,) = template["Resources"].values()
    assert resource["Properties"]["Name"].startswith(f"/{name}/")


@pytest.mark.parametrize(
    ("branch", "variables"), [("staging", {}), ("production", {}), ("main", {"STAGE": "staging"})], ids=str
)
def test_an_environment_is_its_branch_unless_the_register_says_another(
    branch: str, variables: dict[str, str], tmp_path: Path
) -> None:
    stack, template = stack_that_is_asked_for(EXAMPLES / "environments" / "repository", tmp_path, branch, **variables)
    stage = variables.get("STAGE", branch)
    assert stack == f"shop-{stage}"
    assert stage in template["Parameters"]["Stage"]["AllowedValues"]


# examples/monorepo: which projects CI asks for

CHANGES = {
    "services/web/template.yaml": ["web"],
    "services/api/new": ["api"],
    "infrastructure/network/deploy.sh": ["network"],
    "services/websocket/new": [],
    "deploy-stack.sh": ["web", "api", "network"],
}


@pytest.fixture
def monorepo(tmp_path: Path) -> Path:
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "changed").write_text((MONOREPO / "repository" / "ci" / "changed").read_text())
    run(["git", "init", "--quiet"], tmp_path)
    return tmp_path


def commit(repository: Path, *files: str) -> str:
    for name in files:
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(path.read_text() if path.exists() else "") + "more\n")
    run(["git", "add", "."], repository)
    run(["git", "commit", "--quiet", "--message", "a change"], repository)
    return run(["git", "rev-parse", "HEAD"], repository).strip()


def asked_for(repository: Path, before: str, after: str) -> list[str]:
    return run(["sh", "ci/changed", before, after], repository).split()


def test_ci_asks_for_the_projects_that_changed_and_for_all_where_nobody_knows(monorepo: Path) -> None:
    before = commit(monorepo, *CHANGES)
    everything = list(projects(MONOREPO / "projects.tfvars"))
    for file, names in CHANGES.items():
        after = commit(monorepo, file)
        assert asked_for(monorepo, before, after) == names, file
        before = after
    after = commit(monorepo, "services/web/new", "services/api/new")
    assert asked_for(monorepo, before, after) == ["web", "api"]
    # Of a new branch, GitHub and GitLab both say forty zeros; of one that was written over, a commit that is gone.
    for unknown in ("0" * 40, "1" * 40, ""):
        assert asked_for(monorepo, unknown, after) == everything


def test_ci_looks_where_the_register_has_the_projects() -> None:
    script = (MONOREPO / "repository" / "ci" / "changed").read_text()
    folders = {name: entry["deploy_dir"] for name, entry in projects(MONOREPO / "projects.tfvars").items()}
    assert dict(re.findall(r"^(\w+) (\S+/\S+)$", script, re.MULTILINE)) == folders


def test_cdk_finds_its_application() -> None:
    folder = EXAMPLES / "cdk" / "repository"
    node, file = json.loads((folder / "cdk.json").read_text())["app"].split()
    assert node == "node"
    libraries = re.findall(r'require\("([^"]+)"\)', (folder / file).read_text())
    assert set(libraries) <= set(json.loads((folder / "package.json").read_text())["dependencies"])


# examples/self: what its script lets through of a plan. That IAM holds where it does not, test_self.py shows.

PLANS = {
    "  # module.launcher.aws_lambda_function.this will be updated in-place": True,
    '  # module.project["shop"].aws_iam_role.this will be destroyed': True,
    '  # module.own_topic["shop"].aws_sns_topic.this will be destroyed': True,
    "  # aws_sqs_queue.triggers must be replaced": False,
    "  # aws_kms_key.this will be destroyed": False,
    "  # module.launcher.aws_iam_role.this is tainted, so must be replaced": False,
    '  # module.project["self"].aws_codebuild_project.this will be destroyed': False,
    '  # module.own_topic["self"].aws_sns_topic.this will be destroyed': False,
    '  # module.publisher["self"].aws_iam_role.this[0] will be destroyed': False,
}


@pytest.mark.parametrize(("line", "is_applied"), PLANS.items())
def test_a_plan_that_takes_the_pipeline_away_is_not_applied(line: str, is_applied: bool, tmp_path: Path) -> None:
    here, programs = tmp_path / "examples" / "self", tmp_path / "programs"
    for folder in (here, programs, tmp_path / "terraform"):
        folder.mkdir(parents=True)
    script = here / "deploy.sh"
    script.write_text((EXAMPLES / "self" / "deploy.sh").read_text())
    for program in (here / "live", programs / "terraform"):
        program.write_text(f'#!/bin/sh\n[ "$1" != plan ] || echo \'{line}\'\necho "$1" >>{tmp_path / "called"}\n')
        program.chmod(0o755)
    variables = {"PATH": f"{programs}:{os.environ['PATH']}", "IWOMP_PROJECT": "self"}
    done = subprocess.run(["sh", str(script)], env=variables, capture_output=True, text=True, check=False, timeout=60)
    called = (tmp_path / "called").read_text().split()
    assert (done.returncode == 0, called) == (is_applied, ["init", "..", "plan", *(["apply"] if is_applied else [])])
    assert line in done.stdout
    assert is_applied or "that is for a person" in done.stderr


# And what its `live` finds: of a pipeline whose name and images the checkout does not know.

CODE = b"what runs"


def live(folder: Path, outputs: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Runs it in a checkout with this state."""
    version = re.search(r'iwomp_version = ".*"', (REPOSITORY / "terraform" / "description.tf").read_text())
    assert version is not None
    programs = folder / "programs"
    for made in (programs, folder / "terraform"):
        made.mkdir()
    (folder / "terraform" / "description.tf").write_text(version[0])
    (folder / "code").write_bytes(CODE)
    description = {"iwomp": version[0].split('"')[1], "launcher": {"function": "ours--launcher"}}
    configuration = {"CodeSha256": base64.b64encode(hashlib.sha256(CODE).digest()).decode(), "Architectures": ["arm64"]}
    answers = {
        "terraform": {f"-chdir={folder / 'terraform'} output -json": {key: {"value": outputs[key]} for key in outputs}},
        "aws": {
            "ssm get-parameter --name /ours/_pipeline --output json": {"Parameter": {"Value": json.dumps(description)}},
            "lambda get-function --function-name ours--launcher --output json": {
                "Code": {"Location": (folder / "code").as_uri()},
                "Configuration": configuration,
            },
        },
    }
    for program, told in answers.items():
        look = f"import json, sys\nprint(json.dumps({told!r}[' '.join(sys.argv[1:])]))\n"
        (programs / program).write_text(f"#!{sys.executable}\n{look}")
        (programs / program).chmod(0o755)
    return subprocess.run(
        [sys.executable, str(EXAMPLES / "self" / "live"), str(folder)],
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_what_is_live_is_found_by_the_state_with_the_images_of_all_targets(tmp_path: Path) -> None:
    digest = f"sha256:{'0' * 64}"
    images = {"all": f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/ours@{digest}", "cdk": "registry:5000/ours:tag"}
    done = live(tmp_path, {"config_path": "ours", "worker_images": images})
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "terraform" / "live.auto.tfvars.json").read_text())
    assert told == {"image_tags": {"all": digest, "cdk": "tag"}, "architecture": "arm64"}
    assert (tmp_path / "target" / "lambda" / "launcher" / "bootstrap.zip").read_bytes() == CODE


def test_of_a_state_that_does_not_tell_its_images_a_person_deploys_first(tmp_path: Path) -> None:
    done = live(tmp_path, {"config_path": "ours"})
    assert done.returncode != 0
    assert "make deploy" in done.stderr
    assert not (tmp_path / "target").exists()
