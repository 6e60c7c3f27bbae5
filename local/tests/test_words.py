"""Python and Terraform look for no word that no program says. contract/tests/words.rs holds words.json to the types."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from iwomp_local.places import REPOSITORY
from iwomp_local.words import CLASSES, EVENTS, OUTCOMES

SAID = re.compile(r"""\[['"](outcome|class|event)['"]\]|\.get\(['"](outcome|class|event)['"]|\bending\b.*\.word\b""")
RUNS = {
    "in progress",
    "IN_PROGRESS",
    "SUCCEEDED",
    "FAILED",
}  # CodeBuild's words, and one for a build that has not ended
FILTER = re.compile(r'"(outcome|class)" ?: ?"(\w+)"|\b(outcome|class) += "(\w+)"')
KNOWN = {"outcome": OUTCOMES, "class": CLASSES}


def compared(file: Path) -> Iterator[tuple[int, str]]:
    """Each word with which a file compares an outcome, a class or an event."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Compare) or not SAID.search(ast.unparse(node)):
            continue
        keys = {sub.slice for sub in ast.walk(node) if isinstance(sub, ast.Subscript)}
        calls = {argument for sub in ast.walk(node) if isinstance(sub, ast.Call) for argument in sub.args}
        for constant in ast.walk(node):
            match constant:
                case ast.Constant(value=str(word)) if constant not in keys | calls:
                    yield node.lineno, word


def test_python_compares_with_no_word_that_nobody_says() -> None:
    known = OUTCOMES | CLASSES | EVENTS | RUNS
    files = [file for part in ("local", "account") for file in sorted((REPOSITORY / part).rglob("*.py"))]
    found = [(file, line, word) for file in files for line, word in compared(file)]
    assert {"refused", "deployed", "misconfigured"} <= {word for _, _, word in found}, (
        "comparisons are not found any more"
    )
    assert [f"{file}:{line}: {word}" for file, line, word in found if word not in known] == []


def test_alarms_count_and_name_words_that_are_said() -> None:
    found = [
        (key or other, word or name)
        for key, word, other, name in FILTER.findall((REPOSITORY / "terraform" / "alarms.tf").read_text())
    ]
    assert {("outcome", "refused"), ("class", "hourly_cap")} <= set(found), "words are not found any more"
    assert [(key, word) for key, word in found if word not in KNOWN[key]] == []
