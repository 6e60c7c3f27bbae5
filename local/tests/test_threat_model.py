"""docs/threat-model.md names a test for each defence: this shows that each of them is there."""

from __future__ import annotations

import re

from documents import texts

from iwomp_local.places import REPOSITORY

# Three words or more in back quotes, joined by underscores: the name of a test, and of nothing else in that document.
NAMED = re.compile(r"`([a-z0-9]+(?:_[a-z0-9]+){2,})`")
DEFINED = re.compile(r'^\s*(?:async )?fn ([a-z0-9_]+)\(|^def ([a-z0-9_]+)\(|^run "([a-z0-9_]+)"', re.MULTILINE)
SOURCES = (
    "aws/**/*.rs",
    "cli/**/*.rs",
    "contract/**/*.rs",
    "lambdas/**/*.rs",
    "worker/**/*.rs",
    "account/tests/**/*.py",
    "boundary/tests/**/*.py",
    "worker/tests/**/*.py",
    "local/tests/**/*.py",
    "terraform/**/*.tftest.hcl",
    "examples/**/*.tftest.hcl",
)


def named() -> set[str]:
    return set(NAMED.findall((REPOSITORY / "docs" / "threat-model.md").read_text()))


def defined() -> set[str]:
    return {next(filter(None, match)) for text in texts(SOURCES) for match in DEFINED.findall(text)}


def test_every_test_that_the_threat_model_names_exists() -> None:
    names = named()
    assert len(names) > 60, "the names are not found any more"
    assert sorted(names - defined()) == []
