"""What a Terraform module takes and gives, as tables of Markdown: read from its variables.tf and outputs.tf."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2

BEGIN = "<!-- By a test, from variables.tf and outputs.tf: see CONTRIBUTING.md. -->"
END = "<!-- To here. -->"
FILES = ("variables.tf", "outputs.tf")


def with_tables(document: str, module: Path) -> str:
    """The document with the module's tables between the two marks."""
    before, found, rest = document.partition(BEGIN)
    _, ended, after = rest.partition(END)
    assert found and ended, f"there is no place for the tables: {BEGIN} and {END}"
    return f"{before}{BEGIN}\n\n{tables(module)}\n{END}{after}"


def tables(module: Path) -> str:
    inputs = [
        f"| `{name}` | {code(kind(told['type']))} | {default(told)} | {prose(told)} |\n"
        for name, told in blocks(module, "variable")
    ]
    outputs = [f"| `{name}` | {prose(told)} |\n" for name, told in blocks(module, "output")]
    return (
        "| input | type | default | |\n|---|---|---|---|\n"
        + "".join(inputs)
        + "\n| output | |\n|---|---|\n"
        + "".join(outputs)
    )


def blocks(module: Path, kind_of_block: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in FILES:
        with (module / file).open() as opened:
            for block in hcl2.load(opened).get(kind_of_block, []):
                for name, told in block.items():
                    yield json.loads(name), told


def calls(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The modules that a piece of Terraform calls: what each is given, and its source without quotes."""
    for block in hcl2.loads(text).get("module", []):
        for name, given in block.items():
            told = {key: value for key, value in given.items() if not key.startswith("__")}
            yield json.loads(name), {**told, "source": json.loads(told["source"])}


def kind(expression: str) -> str:
    return re.sub(r"^\$\{(.*)\}$", r"\1", expression).replace("{", "{ ").replace("}", " }")


def default(told: dict[str, Any]) -> str:
    if "default" not in told:
        return "required"
    # A text comes as it is written, in its quotes.
    found = told["default"]
    return code(found if isinstance(found, str) else json.dumps(found).replace('\\"', "").replace("{}", "{ }"))


def code(text: str) -> str:
    return f"`{text}`".replace("|", r"\|")


def prose(told: dict[str, Any]) -> str:
    """A description, of which Markdown shall take nothing for a tag or for the end of a cell."""
    text = str(json.loads(told["description"])).replace("|", r"\|")
    return "`".join(part if place % 2 else part.replace("<", r"\<") for place, part in enumerate(text.split("`")))
