"""The repository's own files, for the tests that hold them to each other."""

from __future__ import annotations

import re
from collections.abc import Iterable

from iwomp_local.places import REPOSITORY


def texts(patterns: Iterable[str]) -> list[str]:
    """What stands in all files of these patterns."""
    return [file.read_text() for pattern in patterns for file in sorted(REPOSITORY.glob(pattern))]


def anchors(text: str) -> set[str]:
    """The headings as GitHub names them in a link: lower case, hyphens for spaces, no other punctuation."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in found}
