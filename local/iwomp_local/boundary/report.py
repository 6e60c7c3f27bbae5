"""What `make verify-boundary` prints: who may do what, which weakened policies were caught, and what was tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from iwomp_local.boundary.attempts import Result
from iwomp_local.boundary.catalogue import catalogue
from iwomp_local.boundary.proof import Finding, Verdict
from iwomp_local.boundary.weakened import Weakening
from iwomp_local.story import Story

NAME_COLUMN, ACTIONS_SHOWN = 46, 3


def show_proof(story: Story, verdicts: list[Verdict], things: int) -> None:
    """A line a principal, with its rights in numbers; what is wrong below it."""
    version = catalogue().version
    story.heading(f"What the policies allow, over {len(catalogue().actions):,} actions of AWS (as of {version})")
    story.line(f"    {'principal':<{NAME_COLUMN}}{'judged':>10}{'may':>5}  which")
    idle = [verdict for verdict in verdicts if not verdict.findings and not verdict.rights and is_service(verdict)]
    for verdict in verdicts:
        if verdict not in idle:
            story.check(not verdict.findings, line(verdict.subject, verdict))
            for finding in verdict.findings:
                story.quiet(finding.what)
    if idle:
        together = Verdict(f"{len(idle)} other services of AWS", "", sum(verdict.requests for verdict in idle))
        story.check(True, line(together.subject, together))
    hidden = sum((Counter(verdict.hidden) for verdict in verdicts), Counter[str]())
    if hidden:
        counted = ", ".join(f"{number:,} {why}" for why, number in sorted(hidden.items()))
        story.say(f"Not judged on things of the pipeline, for whoever a project can be: {counted}.")
    total = sum(verdict.requests for verdict in verdicts)
    story.say(
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


def show_weakened(story: Story, results: Iterable[tuple[Weakening, Finding | None]]) -> None:
    """A line a way to weaken, with how often it was done and noticed."""
    story.heading("Weakened policies, each of which the proof has to notice")
    done: Counter[str] = Counter()
    missed: dict[str, list[str]] = {}
    for weakening, finding in results:
        done[weakening.how] += 1
        if finding is None:
            missed.setdefault(weakening.how, []).append(weakening.where)
    for how, number in done.items():
        gone = missed.get(how, [])
        story.check(not gone, f"{how.replace('_', ' '):<{NAME_COLUMN}}{number - len(gone):>5} of {number:>3} noticed")
        for where in gone:
            story.quiet(f"not noticed: {where}")
    total = done.total()
    story.say(f"{total - sum(map(len, missed.values()))} of {total} weakened policies noticed, in {len(done)} ways.")


def show_results(story: Story, heading: str, results: Iterable[Result]) -> int:
    """A line an attempt; returns how many there were."""
    story.heading(heading)
    count = 0
    for result in results:
        count += 1
        story.check(result.held, f"{shortened(result.what):<{NAME_COLUMN}}  {result.said}")
    return count
