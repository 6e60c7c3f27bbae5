"""What Terraform makes for one more project: exact numbers, of the plan for an empty account."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path

from iwomp_local import places
from iwomp_local.emulator import Emulator
from iwomp_local.terraform import PLAN_SECONDS, Terraform

PROJECT = {"git_url": "https://git.example/shop.git", "command": "deploy.sh", "branches": ["main"]}
PROJECTS = {
    "first": PROJECT,
    "second": PROJECT,
    "external": {"external_register": True},
    "scheduled": {**PROJECT, "image_target": "minimal", "schedule": "rate(1 day)"},
    "own": {**PROJECT, "own_topic": True, "publisher": {"ci": "user"}},
}
MADE = {"first": 7, "second": 7, "external": 6, "scheduled": 8, "own": 12, "": 56}
"""By project; without a name, what all of them share."""


def planned(emulator: Emulator, folder: Path) -> Terraform:
    """For these projects, and initialised."""
    variables = {**emulator.variables(), "PATH": os.defpath, "HOME": str(folder)}
    terraform = Terraform.copy(places.TERRAFORM, folder / "terraform", variables)
    values = {"projects": PROJECTS, "launcher_zip": __file__, "notifier_zip": __file__}
    (terraform.directory / "terraform.tfvars.json").write_text(json.dumps(values))
    terraform.init()
    return terraform


def test_each_project_takes_as_many_resources_as_it_did(emulator: Emulator, tmp_path: Path) -> None:
    terraform = planned(emulator, tmp_path)
    images = ("-var", 'image_tags={all="test",minimal="test"}')
    terraform.run("plan", "-input=false", *images, "-out=plan", timeout_seconds=PLAN_SECONDS)
    plan = json.loads(terraform.run("show", "-json", "plan", timeout_seconds=PLAN_SECONDS).stdout)
    created = [one["address"] for one in plan["resource_changes"] if one["change"]["actions"] == ["create"]]
    made = Counter(owner(address) for address in created)
    assert made == MADE, "\n".join(created)


def test_before_there_is_any_image_make_deploy_learns_which_are_in_use(emulator: Emulator, tmp_path: Path) -> None:
    terraform = planned(emulator, tmp_path)
    target, *unasked = first_apply()
    terraform.run("apply", target, *unasked, timeout_seconds=PLAN_SECONDS)
    said = terraform.run("output", "-raw", "image_targets", timeout_seconds=PLAN_SECONDS).stdout
    assert sorted(said.split()) == ["all", "minimal"]
    assert terraform.run("output", "-raw", "repository_url", timeout_seconds=PLAN_SECONDS).stdout
    terraform.run("destroy", *unasked, timeout_seconds=PLAN_SECONDS)


def first_apply() -> list[str]:
    """The options of the first of the two applies of `make deploy`."""
    makefile = (places.REPOSITORY / "Makefile").read_text()
    (lines,) = re.findall(r"^deploy:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    (target,) = re.findall(r"-target=\S+", lines)
    (none,) = re.findall(r"^NO_IMAGES := -var '(.*)'$", makefile, re.MULTILINE)
    return [target, "-input=false", "-auto-approve", "-var", none]


def owner(address: str) -> str:
    """The project in an address like `module.project["shop"].aws_iam_role.this`, or `….project["shop/main"]`."""
    keys = re.findall(r'\["([^"/]+)', address)
    names = [name for name in keys if name in PROJECTS]
    return names[0] if names else ""
