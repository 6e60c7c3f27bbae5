"""The repository's Terraform in a folder of its own, with a state of its own, and its own child's end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iwomp_account.place import AccountError

INIT_SECONDS = 600.0
APPLY_SECONDS = 1800.0
GIVE_UP_SECONDS = 300.0  # for Terraform to write its state down after it was interrupted
CHANGES = 2  # `plan -detailed-exitcode`
# What is the operator's and not the module's: state, variables, where the state is kept.
LEFT_BEHIND = (
    ".terraform", ".terraform.lock.hcl", "*.tfstate*", "*.tfvars*", "*.tfplan", "backend.tf", "*override.tf*", "tests",
    "crash.log",
)  # fmt: skip
FOREIGN = ("TF_VAR_", "TF_CLI_ARGS", "TF_LOG", "TF_WORKSPACE", "TF_DATA_DIR")


@dataclass
class Terraform:
    """A copy of the module in `directory`. Its calls come one after another, whoever makes them."""

    directory: Path
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def copy(cls, source: Path, directory: Path, variables: Mapping[str, str], values: dict[str, Any]) -> Terraform:
        shutil.copytree(source, directory, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        (directory / "accept.auto.tfvars.json").write_text(json.dumps(values, indent=2))
        return cls(directory, variables)

    def set(self, **values: Any) -> None:
        file = self.directory / "accept.auto.tfvars.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}, indent=2))

    def init(self) -> None:
        plugins = self.variables.get("TF_PLUGIN_DIR")
        self._run("init", "-input=false", *([f"-plugin-dir={plugins}"] if plugins else []), seconds=INIT_SECONDS)

    def apply(self, *options: str) -> None:
        self._run("apply", "-input=false", "-auto-approve", *options, seconds=APPLY_SECONDS)

    def destroy(self) -> None:
        self._run("destroy", "-input=false", "-auto-approve", "-refresh=false", seconds=APPLY_SECONDS)

    def pending_changes(self) -> str:
        """What a plan would change; empty if nothing."""
        status, said = self._run("plan", "-input=false", "-lock=false", "-detailed-exitcode", accept=(0, CHANGES))
        return said if status == CHANGES else ""

    def outputs(self) -> dict[str, Any]:
        found = json.loads(self._run("output", "-json")[1])
        return {name: output["value"] for name, output in found.items()}

    def resources(self) -> list[str]:
        if not self.state.exists():
            return []
        return [line for line in self._run("state", "list")[1].splitlines() if not line.startswith("data.")]

    @property
    def state(self) -> Path:
        return self.directory / "terraform.tfstate"

    def _run(
        self, command: str, *arguments: str, seconds: float = APPLY_SECONDS, accept: tuple[int, ...] = (0,)
    ) -> tuple[int, str]:
        colour = () if command == "output" else ("-no-color",)
        with self._one_at_a_time:
            process = subprocess.Popen(
                ["terraform", f"-chdir={self.directory}", command, *colour, *arguments]
                if command != "state"
                else ["terraform", f"-chdir={self.directory}", command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**self.variables, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"},
                start_new_session=True,  # Ctrl-C is ours to hand on, once
            )
            try:
                said, complained = process.communicate(timeout=seconds)
            except BaseException:
                end(process)
                raise
        if process.returncode not in accept:
            raise AccountError(f"terraform {command} failed: {complained.strip() or said.strip()}")
        return process.returncode, said


def end(process: subprocess.Popen[str]) -> None:
    """Interrupts Terraform as a person would, so that it writes down what it has made."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=GIVE_UP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def environment(region: str) -> dict[str, str]:
    """The user's environment without what would change the module, and with one region for every tool."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}
