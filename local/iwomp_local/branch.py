"""The form in which a branch stands in names of AWS. `contract/src/branch.rs` says it, and why no two share one."""

from __future__ import annotations

import re

ENCODED = re.compile(r"\.\.([0-9a-f]{2})")
NOT_IN_NAMES = re.compile(r"[#+@(),]")


def encoded(branch: str) -> str:
    return NOT_IN_NAMES.sub(lambda letter: f"..{ord(letter[0]):02x}", branch)


def decoded(name: str) -> str:
    """The branch of the last part of a parameter's name. Of three dots, the first is one of the branch's own."""
    return ENCODED.sub(lambda digits: chr(int(digits[1], 16)), name)
