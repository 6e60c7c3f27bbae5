"""A branch is written and read in names of AWS as the worker does it."""

from __future__ import annotations

import pytest

from iwomp_local.branch import decoded, encoded


@pytest.mark.parametrize(
    ("branch", "name"),
    [
        ("main", "main"),
        ("release/1.2", "release/1.2"),
        ("fix/#12", "fix/..2312"),
        ("a.#b", "a...23b"),
        ("x/@+(),", "x/..40..2b..28..29..2c"),
    ],
)
def test_a_branch_stands_in_a_name_of_aws_as_the_contract_says(branch: str, name: str) -> None:
    assert encoded(branch) == name
    assert decoded(name) == branch
