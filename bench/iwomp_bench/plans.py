"""Terraform's first plan: what each project more adds to it, and whether that grows with their number."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from iwomp_bench.run import run
from iwomp_bench.standin import stand_in
from iwomp_bench.table import Row, Series, Table
from iwomp_local import places
from iwomp_local.terraform import Terraform, environment

FEW, MANY = (100, 200), (800, 1000)
"""Between the two of each: how much each project more costs."""


def measure(table: Table, rounds: int) -> None:
    few, many = [], []
    with tempfile.TemporaryDirectory(prefix="iwomp-bench-") as name, stand_in({}) as aws:
        variables = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws.aws_port}",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
        }
        terraform = Terraform.copy(places.TERRAFORM, Path(name) / "terraform", variables)
        terraform.init()
        for _ in range(rounds):
            few.append(each_more(terraform, *FEW))
            many.append(each_more(terraform, *MANY))
    table.rows.append(
        Row(
            f"first plan, {MANY[1]:,} projects: processor for each more",
            Series("terraform", "ms", many),
            Series(f"at {FEW[0]}", "ms", few),
            "<= 60 ms",
        )
    )


def each_more(terraform: Terraform, fewer: int, more: int) -> float:
    return (plan(terraform, more) - plan(terraform, fewer)) / (more - fewer) * 1000


def plan(terraform: Terraform, projects: int) -> float:
    """Processor seconds. Of what is not there yet the plan asks AWS nothing but who is asking."""
    project = {"git_url": "https://git.example/demo.git", "command": "deploy.sh", "branches": ["main"]}
    values = {
        "image_tag": "bench",
        "launcher_zip": "versions.tf",
        "notifier_zip": "versions.tf",
        "projects": {f"demo{number:04}": project for number in range(projects)},
    }
    (terraform.directory / "terraform.tfvars.json").write_text(json.dumps(values))
    command = [str(places.program("terraform")), "plan", "-input=false", "-no-color", "-out=plan"]
    return run(command, environment(terraform.variables), terraform.directory).cpu_seconds
