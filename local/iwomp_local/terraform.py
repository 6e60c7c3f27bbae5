"""Runs Terraform. The module runs as it is; only its folder is copied, so that no state lands beside the source."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iwomp_local import contained, places

PROVIDER = Path("registry.terraform.io") / "hashicorp" / "aws"
INIT_SECONDS = 600.0  # the registry may be far away
PLAN_SECONDS = 300.0
APPLY_SECONDS = 900.0  # the provider waits 25 s on each queue; a loaded machine adds to that
CHANGES = 2  # `plan -detailed-exitcode`
LEFT_BEHIND = (
    "backend.tf",
    ".terraform",
    ".terraform.lock.hcl",
    "*.tfstate*",
    "*.tfvars*",
    "*.tfplan",
    "tests",
    "crash.log",
)


class TerraformError(RuntimeError):
    """Terraform failed; the text is what it said."""


def plugin_directory(variables: Mapping[str, str] = os.environ) -> Path | None:
    """A folder that holds the AWS provider, for machines that cannot reach the registry. None: use the registry."""
    if named := variables.get("TF_PLUGIN_DIR"):
        return Path(named)
    homes = [
        Path.home() / ".terraform.d" / "plugins",
        Path("/usr/local/share/terraform/plugins"),
        Path("/usr/share/terraform/plugins"),
        *sorted(Path("/opt").glob("*")),
    ]
    return next((home for home in homes if (home / PROVIDER).is_dir()), None)


@dataclass
class Terraform:
    """A root module in `directory`, applied to whatever `variables` of the environment point to."""

    directory: Path
    variables: dict[str, str] = field(repr=False)

    @classmethod
    def copy(cls, source: Path, directory: Path, variables: dict[str, str]) -> Terraform:
        shutil.copytree(source, directory, ignore=shutil.ignore_patterns(*LEFT_BEHIND), dirs_exist_ok=True)
        return cls(directory, variables)

    def init(self) -> None:
        plugins = plugin_directory()
        self.run(
            "init",
            "-no-color",
            "-input=false",
            *([f"-plugin-dir={plugins}"] if plugins else []),
            timeout_seconds=INIT_SECONDS,
        )

    def apply(self, on_progress: Callable[[int], None] = lambda _: None) -> None:
        """Applies; `on_progress` hears how many resources are made so far."""
        made: list[str] = []

        def on_line(line: str) -> None:
            if "Creation complete" in line:
                made.append(line)
                on_progress(len(made))

        self.run("apply", "-no-color", "-input=false", "-auto-approve", timeout_seconds=APPLY_SECONDS, on_line=on_line)

    def destroy(self) -> None:
        self.run("destroy", "-no-color", "-input=false", "-auto-approve", timeout_seconds=APPLY_SECONDS)

    def pending_changes(self) -> str:
        """What a plan would change; empty if nothing."""
        done = self.run(
            "plan", "-no-color", "-input=false", "-detailed-exitcode", timeout_seconds=PLAN_SECONDS, accept=CHANGES
        )
        return done.stdout if done.returncode == CHANGES else ""

    def resources(self) -> list[str]:
        return self.run("state", "list", timeout_seconds=PLAN_SECONDS).stdout.split()

    def outputs(self) -> dict[str, Any]:
        values = json.loads(self.run("output", "-json", timeout_seconds=PLAN_SECONDS).stdout)
        return {name: output["value"] for name, output in values.items()}

    def run(
        self,
        command: str,
        *arguments: str,
        timeout_seconds: float,
        accept: int = 0,
        on_line: contained.OnLine = lambda _: None,
    ) -> contained.Done:
        program = str(places.program("terraform"))
        try:
            done = contained.run(
                [program, f"-chdir={self.directory}", command, *arguments],
                environment(self.variables),
                timeout_seconds,
                on_line,
            )
        except subprocess.TimeoutExpired as error:
            raise TerraformError(f"terraform {command} did not end within {timeout_seconds:.0f} s") from error
        if done.returncode not in (0, accept):
            raise TerraformError(f"terraform {command} failed:\n{done.stderr.strip() or done.stdout.strip()}")
        return done


def environment(variables: dict[str, str]) -> dict[str, str]:
    """The user's environment without what could send Terraform to a real account, plus `variables`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TF_VAR_", "TF_CLI_ARGS", "TF_LOG", "TF_WORKSPACE", "TF_DATA_DIR"))
    }
    # Memory is cheaper here than garbage collections, as in the Makefile.
    return {"GOGC": "400", **kept, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", **variables}
