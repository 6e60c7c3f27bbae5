"""Runs one test, and tells a test that fails from one that cannot be run: only the first is proof of a defence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from iwomp_local.defences.listed import Command, Defect, test_file
from iwomp_local.defences.tree import Tree

BUILD_SECONDS = 3600
# Terraform takes half a minute for a whole file. A test that does not end because a defence is off has failed.
TEST_SECONDS = 180
FAILED = "test result: FAILED"
NOT_REFUSED = "Missing expected failure"


class Verdict(Enum):
    PASSED = "passed"
    FAILED = "failed"
    HUNG = "did not end"


@dataclass(frozen=True)
class Ended:
    """What a program left; no exit status if its time was over."""

    status: int | None
    text: str


class Judge:
    def __init__(self, tree: Tree, target: Path) -> None:
        self._tree = tree
        self._environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_TERM_COLOR": "never", "GOGC": "400"}

    def prepare(self) -> None:
        """What Terraform wants before it tests: its provider, and the modules of the tests."""
        plugins = self._environment.get("TF_PLUGIN_DIR")
        words = ["terraform", "init", "-backend=false", "-input=false"]
        ended = self._run([*words, *([f"-plugin-dir={plugins}"] if plugins else [])], "terraform", BUILD_SECONDS)
        if ended.status != 0:
            raise Defect(f"terraform init failed:\n{ended.text}")

    def verdict(self, command: Command, names: set[str]) -> Verdict:
        """Whether the tests with these names all pass."""
        return self._of_cargo(command, names) if command[0] == "cargo" else self._of_terraform(command, names)

    def _of_cargo(self, command: Command, names: set[str]) -> Verdict:
        words = [*command, "--locked"]
        built = self._run([*words, "--no-run"], ".", BUILD_SECONDS)
        if built.status != 0:
            raise Defect(f"it does not compile:\n{built.text}")
        ended = self._run([*words, "--", "--exact", *self._with_modules(words, names)], ".", TEST_SECONDS)
        if ended.status is None:
            return Verdict.HUNG
        if ended.status == 0:
            return Verdict.PASSED
        if FAILED not in ended.text:
            raise Defect(f"{' '.join(words)} ended with {ended.status}, but no test failed:\n{ended.text}")
        return Verdict.FAILED

    def _with_modules(self, words: list[str], names: set[str]) -> list[str]:
        """The tests as libtest knows them; more than one for a name, if it is called so in several modules."""
        listed = self._run([*words, "--", "--list"], ".", TEST_SECONDS)
        known = [line.removesuffix(": test") for line in listed.text.splitlines() if line.endswith(": test")]
        if missing := names - {whole.rpartition("::")[2] for whole in known}:
            raise Defect(f"{' '.join(words)} has no test {', '.join(sorted(missing))}")
        return [whole for whole in known if whole.rpartition("::")[2] in names]

    def _of_terraform(self, command: Command, names: set[str]) -> Verdict:
        with self._tree.only_runs(test_file(command), names):
            ended = self._run([*command, "-json"], "terraform", TEST_SECONDS)
        if ended.status is None:
            return Verdict.HUNG
        said = [json.loads(line) for line in ended.text.splitlines() if line.startswith("{")]
        runs = [line["test_run"] for line in said if line.get("type") == "test_run" and "status" in line["test_run"]]
        if ended.status == 0 and {run["run"] for run in runs if run["status"] == "pass"} == names:
            return Verdict.PASSED
        problems = [line["diagnostic"] for line in said if line.get("type") == "diagnostic"]
        # A validation that lets something pass is an error to Terraform, and not a failure.
        refused_nothing = any(problem["summary"] == NOT_REFUSED for problem in problems)
        if refused_nothing or any(run["status"] == "fail" for run in runs):
            return Verdict.FAILED
        details = "\n".join(f"{problem['summary']}: {problem['detail']}" for problem in problems)
        raise Defect(f"{', '.join(sorted(names))} neither passed nor failed:\n{details or ended.text}")

    def _run(self, words: list[str], directory: str, seconds: float) -> Ended:
        """In a group of its own, which is gone afterwards: a test whose defence is off may leave processes.

        Its words go to a file, since what left the group could keep a pipe open for long.
        """
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(
                words,
                cwd=self._tree.root / directory,
                env=self._environment,
                # Not /dev/null, which is what some tests want to see a child have.
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                status: int | None = process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                end_group(process)
            said.seek(0)
            return Ended(status, said.read().decode(errors="replace"))


def end_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
