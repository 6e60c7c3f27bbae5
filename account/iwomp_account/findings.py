"""What was found, each with what to do about it: lines for people, JSON for programs."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from enum import Enum

WIDTH = 100


class Grade(Enum):
    """How bad a finding is. Only a problem keeps `make deploy` from going on."""

    GOOD = "ok"
    WARNING = "warning"
    UNKNOWN = "unknown"
    PROBLEM = "PROBLEM"


@dataclass(frozen=True)
class Finding:
    """Something that was looked at. `do` is empty where nothing is to be done."""

    name: str
    grade: Grade
    saw: str
    do: str = ""


@dataclass
class Findings:
    """All of them, in the order in which they were looked for."""

    found: list[Finding] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return all(finding.grade is not Grade.PROBLEM for finding in self.found)

    def text(self) -> str:
        lines = []
        for finding in self.found:
            lines += wrapped(f"  {finding.grade.value:<8} {finding.name:<14} {finding.saw}", 26)
            if finding.do:
                lines += wrapped(f"{'':<26}do: {finding.do}", 30)
        problems = sum(finding.grade is Grade.PROBLEM for finding in self.found)
        others = sum(finding.grade in (Grade.WARNING, Grade.UNKNOWN) for finding in self.found)
        lines.append(
            f"  {problems} problems, {others} to look at" if problems or others else "  nothing stands in the way"
        )
        return "\n".join(lines)

    def document(self) -> str:
        findings = [
            {"name": finding.name, "grade": finding.grade.value.lower(), "saw": finding.saw, "do": finding.do}
            for finding in self.found
        ]
        return json.dumps({"good": self.is_good, "findings": findings}, indent=2)


def wrapped(text: str, indent: int) -> list[str]:
    # Commands are to be copied, so no word is cut and no hyphen is a place to break.
    return textwrap.wrap(
        text,
        WIDTH,
        subsequent_indent=" " * indent,
        drop_whitespace=True,
        break_long_words=False,
        break_on_hyphens=False,
    )
