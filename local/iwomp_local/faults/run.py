"""`make faults-local`: many triggers through the whole local AWS while calls and deliveries go wrong, and the figures.

That such a world breaks a lesser design is shown in simulated time, where many more triggers meet the same kinds of
faults: lambdas/launcher/tests/faults.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from iwomp_local.faults import table, traffic
from iwomp_local.faults import world as worlds
from iwomp_local.faults.accounting import Figures, account
from iwomp_local.faults.plan import NOTHING, account_limit_reached, all_over
from iwomp_local.faults.world import World
from iwomp_local.story import Story

QUIET_SECONDS = 600.0
OUTAGE_SECONDS = 10.0
DELIVERIES = {"twice": 0.05, "late": 0.15, "seconds": 4.0}


@dataclass(frozen=True)
class Size:
    """How much is done."""

    projects: int = 20
    triggers: int = 1000
    per_second: float = 6.0
    share: float = 0.015  # of the calls, for each kind of fault


def run(story: Story, size: Size, seed: int) -> int:
    """Runs it; returns the exit status."""
    story.heading(f"{size.triggers} triggers of {size.projects} projects through a local AWS that breaks (seed {seed})")
    with (
        tempfile.TemporaryDirectory(prefix="iwomp-faults-") as scratch,
        worlds.running(Path(scratch) / "world", size.projects, {"seed": seed, **DELIVERIES}) as world,
    ):
        ours = run_ours(world, size, seed)
        table.counts(story, "calls that went wrong", world.proxy.injected())
        table.counts(story, "deliveries", world.deliveries())
    table.figures(story, ours)
    story.line()
    return 0 if table.verdict(story, ours) else 1


def run_ours(world: World, size: Size, seed: int) -> Figures:
    with weather(world, seed, size.share):
        traffic.Traffic(world, seed, size.per_second).publish(size.triggers)
    world.last_round(QUIET_SECONDS)
    return account(world.evidence())


@contextmanager
def weather(world: World, seed: int, share: float) -> Iterator[None]:
    """Faults all the time, and every now and then a while in which the account may start no build at all."""
    plan, over = all_over(seed, share), threading.Event()

    def change() -> None:
        while not over.wait(OUTAGE_SECONDS):  # soon enough for the short run of the tests
            world.disturb(account_limit_reached(seed))
            over.wait(OUTAGE_SECONDS)
            world.disturb(plan)
            over.wait(2 * OUTAGE_SECONDS)

    world.disturb(plan)
    thread = threading.Thread(target=change, name="weather")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        world.disturb(NOTHING)
