"""Prints figures: what has to be zero, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping

from iwomp_local.faults.accounting import HAVE_TO_BE_ZERO, Figures
from iwomp_local.story import Colour, Story

SHOWN = 8  # of each kind of fault, by id
NAME_COLUMN, COLUMN = 40, 16


def columns(story: Story, what: str, figures: Mapping[str, Figures]) -> None:
    """A column for each design."""
    story.line("\n" + row(what, figures.keys()))
    story.line(row("triggers accepted", (one.triggers for one in figures.values())))
    story.line(row("builds", (one.builds for one in figures.values())))
    story.line(row("builds per trigger", (f"{one.builds_per_trigger:.2f}" for one in figures.values())))
    for fate in sorted({fate for one in figures.values() for fate in one.fates} - {"lost"}):
        story.line(row(f"  {fate}", (one.fates[fate] for one in figures.values())))
    story.line(row("reports to people", (one.reports for one in figures.values())))
    story.line(row("longest wait, s", (f"{one.longest_wait_seconds:.1f}" for one in figures.values())))
    for name in HAVE_TO_BE_ZERO:
        story.line(row(name, (len(getattr(one, name)) for one in figures.values())))


def row(name: str, values: object) -> str:
    return f"  {name:<{NAME_COLUMN}}" + "".join(f"{value!s:>{COLUMN}}" for value in values)  # type: ignore[attr-defined]


def counts(story: Story, what: str, counted: Mapping[str, int]) -> None:
    """What was done, and how often."""
    told = ", ".join(f"{name} {number}" for name, number in sorted(counted.items())) or "nothing"
    story.say(f"{what}: {told}")


def verdict(story: Story, figures: Figures) -> bool:
    """Says whether all that has to be zero is, and names what is not."""
    for name, meaning in HAVE_TO_BE_ZERO.items():
        found = getattr(figures, name)
        story.check(not found, f"{name}: {len(found)} ({meaning})")
        for text in found[:SHOWN]:
            story.line("      " + story.paint(text, Colour.BAD))
    return figures.wrong == 0
