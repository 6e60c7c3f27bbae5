"""All cases, in one list."""

from __future__ import annotations

from collections import Counter

from hostile_git import (
    large_files,
    lent,
    pinned,
    redirects,
    refs,
    reported,
    side_by_side,
    sparse,
    surroundings,
    trees,
    trust,
    wire,
)
from hostile_git.case import Case

TABLES = (large_files, lent, refs, pinned, redirects, reported, wire, trust, trees, surroundings, side_by_side, sparse)


def cases() -> list[Case]:
    listed = [case for table in TABLES for case in table.cases()]
    twice = [name for name, count in Counter(case.name for case in listed).items() if count > 1]
    if twice:
        raise ValueError(f"two cases have the same name: {twice}")
    return listed
