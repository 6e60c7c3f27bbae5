"""The folders of examples/, for the tests that hold them to what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hcl2
from hcl2.utils import SerializationOptions

from iwomp_local.places import REPOSITORY

EXAMPLES = REPOSITORY / "examples"


def projects(file: Path) -> dict[str, dict[str, Any]]:
    """The entries of a file of variables."""
    plain = SerializationOptions(strip_string_quotes=True, preserve_heredocs=False)
    with file.open() as opened:
        return dict(hcl2.load(opened, serialization_options=plain)["projects"])


def rights(example: str) -> list[dict[str, Any]]:
    """The statements of its one project's `policy_json`."""
    (entry,) = projects(EXAMPLES / example / "projects.tfvars").values()
    # Its quotes are those of a text yet.
    policy = json.loads(json.loads(f'"{entry["policy_json"]}"', strict=False))
    return list(policy["Statement"])


def repository(example: str, folder: str) -> dict[str, str]:
    """The files of the repository that it deploys, as they would stand in a folder."""
    root = EXAMPLES / example / "repository"
    return {f"{folder}/{file.relative_to(root)}": file.read_text() for file in root.rglob("*") if file.is_file()}
