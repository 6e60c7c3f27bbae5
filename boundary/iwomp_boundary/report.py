"""What `iwomp verify-boundary` prints: who may do what, what was tried, and a count of what held."""

from __future__ import annotations

import os
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TextIO

from iwomp_boundary.attempts import Result
from iwomp_boundary.catalogue import catalogue
from iwomp_boundary.proof import Verdict

NAME_COLUMN, ACTIONS_SHOWN = 46, 3
WIDTH = 100


@dataclass
class Report:
    """Writes to `out`, with colours only if somebody watches and has not said NO_COLOR."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    held: int = 0
    broken: list[str] = field(default_factory=list)
    # The same for programs: `iwomp verify-boundary --json` reads it, see cli/src/commands/verify_boundary.rs.
    principals: list[dict[str, Any]] = field(default_factory=list)
    tried: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._coloured = self.out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def line(self, text: str) -> None:
        print(text, file=self.out, flush=True)

    def heading(self, text: str) -> None:
        self.line("\n" + self.paint(text, "1"))

    def say(self, text: str) -> None:
        """A paragraph."""
        self.line(textwrap.indent(textwrap.fill(text, WIDTH - 4), "  "))

    def quiet(self, text: str) -> None:
        """More about the line before."""
        self.line(" " + self.paint(f"│ {text}", "2"))

    def check(self, holds: bool, text: str) -> None:
        """A promise, and whether it holds."""
        self.line(f"  {self.paint('✓', '32') if holds else self.paint('✗', '31;1')} {text}")
        if holds:
            self.held += 1
        else:
            self.broken.append(text)

    def verdict(self) -> bool:
        """The last word: whether all of it holds."""
        self.heading("Verdict")
        if self.broken:
            self.line("  " + self.paint(f"{len(self.broken)} of the checks above do not hold", "31;1"))
            return False
        self.line("  " + self.paint(f"the boundary holds: {self.held} checks", "32"))
        return True

    def facts(self) -> dict[str, Any]:
        return {"holds": not self.broken, "principals": self.principals, "tried": self.tried}

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured else text


def show_proof(report: Report, verdicts: list[Verdict], things: int) -> None:
    """A line a principal, with its rights in numbers; what is wrong below it."""
    version = catalogue().version
    report.heading(f"What the policies allow, over {len(catalogue().actions):,} actions of AWS (as of {version})")
    report.line(f"    {'principal':<{NAME_COLUMN}}{'judged':>10}{'may':>5}  which")
    idle = [verdict for verdict in verdicts if not verdict.findings and not verdict.rights and is_service(verdict)]
    for verdict in verdicts:
        report.principals.append(
            {
                "principal": verdict.subject,
                "who": verdict.who,
                "judged": verdict.requests,
                "may": list(verdict.granted),
                "findings": [finding.what for finding in verdict.findings],
            }
        )
        if verdict not in idle:
            report.check(not verdict.findings, line(verdict.subject, verdict))
            for finding in verdict.findings:
                report.quiet(finding.what)
    if idle:
        together = Verdict(f"{len(idle)} other services of AWS", "", sum(verdict.requests for verdict in idle))
        report.check(True, line(together.subject, together))
    hidden = sum((Counter(verdict.hidden) for verdict in verdicts), Counter[str]())
    if hidden:
        counted = ", ".join(f"{number:,} {why}" for why, number in sorted(hidden.items()))
        report.say(f"Not judged on things of the pipeline, for whoever a project can be: {counted}.")
    total = sum(verdict.requests for verdict in verdicts)
    report.say(
        f"{total:,} requests judged: {len(verdicts)} principals, {things} things of the pipeline, foreign ones beside."
    )


def is_service(verdict: Verdict) -> bool:
    return verdict.subject.endswith(".amazonaws.com")


def line(name: str, verdict: Verdict) -> str:
    shown = ", ".join(verdict.granted[:ACTIONS_SHOWN])
    more = len(verdict.granted) - ACTIONS_SHOWN
    which = f"{shown} and {more} more" if more > 0 else shown or "nothing"
    return f"{shortened(name):<{NAME_COLUMN}}{verdict.requests:>10,}{len(verdict.granted):>5}  {which}"


def shortened(name: str) -> str:
    short = name.rpartition(":")[2] if name.startswith("arn:") else name
    return short if len(short) < NAME_COLUMN else f"{short[: NAME_COLUMN - 3]}…"


def show_results(report: Report, heading: str, results: Iterable[Result]) -> int:
    """A line an attempt; returns how many there were."""
    report.heading(heading)
    count = 0
    for result in results:
        count += 1
        report.tried.append({"by": heading, "what": result.what, "held": result.held, "said": result.said})
        report.check(result.held, f"{shortened(result.what):<{NAME_COLUMN}}  {result.said}")
    return count
