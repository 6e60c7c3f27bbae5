"""Preflight's judgements, without an account and without the tools that it looks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from iwomp_account import neighbours, place, quotas, tools, trail
from iwomp_account.findings import Finding, Findings, Grade
from iwomp_account.place import AccountError
from iwomp_account.preflight import Wanted
from iwomp_local.places import REPOSITORY

NAME = quotas.quota_name("BUILD_GENERAL1_SMALL", "x86_64")


@pytest.mark.parametrize(
    ("value", "grade"),
    [(0, Grade.PROBLEM), (1, Grade.WARNING), (2, Grade.GOOD), (60, Grade.GOOD)],
)
def test_the_quota_of_builds_says_what_becomes_of_projects(value: int, grade: Grade) -> None:
    found = quotas.of_builds(NAME, {NAME: {"QuotaName": NAME, "QuotaCode": "L-9D07B6EF", "Value": float(value)}})
    assert found.grade is grade
    assert (grade is Grade.GOOD) or "--quota-code L-9D07B6EF" in found.do


def test_a_quota_that_is_not_listed_is_unknown_and_keeps_nobody_from_deploying() -> None:
    found = quotas.of_builds(NAME, {})
    assert found.grade is Grade.UNKNOWN
    assert Findings([found]).is_good


def test_the_quota_is_that_of_the_machine_and_its_processor() -> None:
    assert NAME == "Concurrently running builds for Linux/Small environment"
    assert quotas.quota_name("BUILD_GENERAL1_2XLARGE", "arm64").endswith("ARM/2XLarge environment")


def fake(answers: dict[str, str]) -> tools.Run:
    """Programs that say this, by the beginning of their command."""

    def run(command: Sequence[str]) -> str | None:
        text = " ".join(command)
        return next((answer for beginning, answer in answers.items() if beginning in text), None)

    return run


GOOD = {
    "terraform version": "Terraform v1.11.4\non linux_amd64",
    "cargo --version": "cargo 1.95.0 (abc 2026-05-01)",
    "cargo lambda": "cargo-lambda 1.9.2",
    "git --version": "git version 2.47.3",
    "aws --version": "aws-cli/2.23.6 Python/3.13",
    "image.sh tool": "podman\n",
    "image.sh tag": "0123456789abcdef\n",
}


def grades(answers: dict[str, str], architecture: str = "x86_64") -> dict[str, Grade]:
    return {finding.name: finding.grade for finding in tools.look(REPOSITORY, architecture, fake(answers))}


def test_tools_that_are_there_and_new_enough_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert set(grades(GOOD).values()) == {Grade.GOOD}


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"terraform version": "Terraform v1.10.5"}, "terraform"),
        ({"cargo --version": "cargo 1.94.0 (abc)"}, "cargo"),
        ({"git --version": "git version 2.20.1"}, "git"),
        ({"image.sh tool": ""}, "container tool"),
        ({"rustup target": "x86_64-apple-darwin"}, "rust target"),
        ({"podman image inspect": "arm64\n"}, "image"),
    ],
)
def test_a_tool_that_is_missing_or_too_old_is_a_problem_with_its_name(changed: dict[str, str], name: str) -> None:
    assert grades(GOOD | changed)[name] is Grade.PROBLEM


def test_an_image_for_another_processor_needs_an_emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(tools, "EMULATORS", tmp_path)
    assert grades(GOOD, "arm64")["platform"] is Grade.PROBLEM
    (tmp_path / "qemu-aarch64").touch()
    assert grades(GOOD, "arm64")["platform"] is Grade.WARNING


def test_what_is_wanted_is_read_from_the_variable_files_and_the_environment(tmp_path: Path) -> None:
    assert Wanted.of(tmp_path, {}).config_path == "iwomp-in-aws"
    (tmp_path / "terraform.tfvars").write_text(
        '# config_path = "no"\n  config_path = "ours"\na = {\n  compute_type = "BUILD_GENERAL1_LARGE"\n}\n'
    )
    wanted = Wanted.of(tmp_path, {"ARCHITECTURE": "arm64"})
    assert (wanted.config_path, wanted.architecture) == ("ours", "arm64")
    assert wanted.compute_types == {"BUILD_GENERAL1_SMALL", "BUILD_GENERAL1_LARGE"}
    assert Wanted.of(tmp_path, {"TF_VAR_config_path": "other"}).config_path == "other"
    with pytest.raises(AccountError, match="x86_64 or arm64"):
        Wanted.of(tmp_path, {"ARCHITECTURE": "riscv"})


def test_two_regions_in_the_environment_are_refused_since_tools_differ_in_whom_they_obey() -> None:
    class Session:
        region_name = "us-east-1"

    assert place.region_of(Session(), {}) == "us-east-1"
    assert place.region_of(Session(), {"AWS_REGION": "eu-central-1"}) == "eu-central-1"
    both = {"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1"}
    assert place.region_of(Session(), both) == "eu-central-1"
    with pytest.raises(AccountError, match="name two regions"):
        place.region_of(Session(), {"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "us-east-1"})


@pytest.mark.parametrize(
    ("selectors", "records"),
    [
        ({"EventSelectors": [{"IncludeManagementEvents": True, "ReadWriteType": "All"}]}, True),
        ({"EventSelectors": [{"IncludeManagementEvents": True, "ReadWriteType": "ReadOnly"}]}, False),
        ({"EventSelectors": [{"IncludeManagementEvents": False, "ReadWriteType": "All"}]}, False),
        (
            {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]},
            True,
        ),
        (
            {
                "AdvancedEventSelectors": [
                    {
                        "FieldSelectors": [
                            {"Field": "eventCategory", "Equals": ["Management"]},
                            {"Field": "readOnly", "Equals": ["true"]},
                        ]
                    }
                ]
            },
            False,
        ),
        ({"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]}, False),
    ],
)
def test_a_trail_counts_if_it_records_what_changes_the_register(selectors: dict[str, object], records: bool) -> None:
    assert trail.takes_writes(selectors) is records


@pytest.mark.parametrize(("own", "grade"), [("ours", Grade.GOOD), ("other", Grade.PROBLEM), (None, Grade.PROBLEM)])
def test_a_name_in_use_is_a_problem_unless_it_is_this_folders_own(own: str | None, grade: Grade) -> None:
    assert neighbours.taken("ours", own).grade is grade


def test_the_state_of_this_folder_says_which_pipeline_is_its_own() -> None:
    asked = fake({"output -json": '{"config_path": {"value": "ours"}}'})
    assert neighbours.of_state(REPOSITORY / "terraform", asked) == "ours"
    assert neighbours.of_state(REPOSITORY / "terraform", fake({})) is None
    assert neighbours.of_state(REPOSITORY / "terraform", fake({"output -json": "no JSON"})) is None


def test_each_finding_says_what_to_do_and_problems_are_counted() -> None:
    found = Findings([Finding("git", Grade.GOOD, "2.47"), Finding("builds", Grade.PROBLEM, "0", "ask for more")])
    assert "PROBLEM  builds         0" in found.text()
    assert "do: ask for more" in found.text()
    assert "1 problems, 0 to look at" in found.text()
    assert not found.is_good
