"""IAM's wildcards: `*` for any number of characters, `?` for exactly one."""

from __future__ import annotations

import functools
import re

VARIABLE = re.compile(r"\$\{[^}]*\}")


@functools.cache
def glob(*patterns: str) -> re.Pattern[str]:
    """Matches what is as any of the patterns says, and nothing if there is none."""
    return re.compile("|".join(map(expression, patterns)) if patterns else "(?!)", re.DOTALL)


def expression(pattern: str) -> str:
    parts = {"*": ".*", "?": "."}
    return "".join(parts.get(character) or re.escape(character) for character in pattern)


def like(text: str, pattern: str) -> bool:
    """Whether the whole text is as the pattern says, letter by letter."""
    return glob(pattern).fullmatch(text) is not None


def has_wildcard(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern or "${" in pattern


def filled(pattern: str, filling: str) -> str:
    """A text that the pattern matches, with `filling` for whatever is open."""
    return VARIABLE.sub("*", pattern).replace("*", filling).replace("?", "x")
