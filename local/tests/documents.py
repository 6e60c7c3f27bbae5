"""The repository's own files, for the tests that hold them to each other."""

from __future__ import annotations

from collections.abc import Iterable

from iwomp_local.places import REPOSITORY


def texts(patterns: Iterable[str]) -> list[str]:
    """What stands in all files of these patterns."""
    return [file.read_text() for pattern in patterns for file in sorted(REPOSITORY.glob(pattern))]
