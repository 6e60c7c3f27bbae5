"""Prints figures: what has to be zero, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping

from iwomp_local.faults.accounting import HAVE_TO_BE_ZERO, Figures
from iwomp_local.story import Colour, Story

SHOWN = 8  # of each kind of fault, by id
NAME_COLUMN, COLUMN = 40, 16


def figures(story: Story, found: Figures) -> None:
    story.line()
    fates = {f"  {fate}": found.fates[fate] for fate in sorted(set(found.fates) - {"lost"})}
    rows = {
        "triggers accepted": found.triggers,
        "builds": found.builds,
        "builds per trigger": f"{found.builds_per_trigger:.2f}",
        **fates,
        "reports to people": found.reports,
        "longest wait, s": f"{found.longest_wait_seconds:.1f}",
    }
    for name, value in rows.items():
        story.line(f"  {name:<{NAME_COLUMN}}{value!s:>{COLUMN}}")


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
