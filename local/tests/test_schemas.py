"""The schemas that are published are such, and that of the register refuses nothing that the programs take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from iwomp_local.places import REPOSITORY

SCHEMAS = REPOSITORY / "docs" / "schemas"
# contract/tests/documents.rs, the launcher and `iwomp register lint` are held to the same.
ENTRIES: list[dict[str, Any]] = json.loads((REPOSITORY / "contract" / "tests" / "entries.json").read_text())


@pytest.fixture(scope="module")
def register() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / "register.json").read_text())
    return schema


@pytest.mark.parametrize("schema", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_it_is_a_schema(schema: Path) -> None:
    Draft202012Validator.check_schema(json.loads(schema.read_text()))


@pytest.mark.parametrize("told", ENTRIES, ids=lambda told: told.get("fault", "good"))
def test_an_entry_is_refused_by_the_schema_only_if_the_programs_refuse_it(
    register: dict[str, Any], told: dict[str, Any]
) -> None:
    is_taken = "fault" not in told or told.get("beyond_schema", False)
    faults = [error.message for error in Draft202012Validator(register).iter_errors(told["entry"])]
    assert (faults == []) == is_taken, faults


def test_what_lies_under_all_entries_needs_no_key(register: dict[str, Any]) -> None:
    default = {**register, "$ref": "#/$defs/Part", "required": []}
    assert Draft202012Validator(default).is_valid({"unchanged": "skip"})
    assert not Draft202012Validator(default).is_valid({"unchanged": "never"})
    assert not Draft202012Validator(register).is_valid({"unchanged": "skip"})
