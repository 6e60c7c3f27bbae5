"""`make soak`: a pipeline in use, with kill -9 and outages at random moments; then each trigger is accounted for.

The rate is such that no project reaches its cap of builds an hour: a capped project waits for the next hour, by design.
"""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from iwomp_local.faults import table
from iwomp_local.faults import world as worlds
from iwomp_local.faults.accounting import account
from iwomp_local.faults.chaos import Chaos
from iwomp_local.faults.plan import all_over
from iwomp_local.faults.run import DELIVERIES, QUIET_SECONDS
from iwomp_local.faults.traffic import Traffic
from iwomp_local.faults.world import World
from iwomp_local.story import Story

PROJECTS = 12
PER_SECOND = 0.6
COMMAND_SECONDS = 1.5  # long enough that there is nearly always a worker to kill
SHARE = 0.004  # of the calls, for each kind of fault, besides what the kills do
MANY = 1_000_000  # more triggers than a soak can publish


def run(story: Story, minutes: float, seed: int) -> int:
    """Runs it; returns the exit status."""
    story.heading(f"{minutes:g} minutes of triggers of {PROJECTS} projects, with kill -9 meanwhile (seed {seed})")
    deliveries = {"seed": seed, **DELIVERIES}
    with (
        tempfile.TemporaryDirectory(prefix="iwomp-soak-") as scratch,
        worlds.running(Path(scratch) / "world", PROJECTS, deliveries, COMMAND_SECONDS) as world,
    ):
        struck = disturb(world, story, minutes * 60, seed)
        story.say("quiet from now on: what waits is let through, then one more commit and trigger for each project")
        world.last_round(QUIET_SECONDS)
        evidence = world.evidence()
        figures = account(evidence)
        table.counts(story, "killed", struck)
        table.counts(story, "calls that went wrong besides", world.proxy.injected())
        table.counts(story, "deliveries", world.deliveries())
        table.counts(story, "builds", statuses(evidence.builds))
    table.figures(story, figures)
    story.line()
    return 0 if table.verdict(story, figures) else 1


def disturb(world: World, story: Story, seconds: float, seed: int) -> dict[str, int]:
    world.disturb(all_over(seed, SHARE))
    traffic = Traffic(world, seed, PER_SECOND)
    publisher = threading.Thread(target=traffic.publish, args=(MANY,), name="traffic")
    end = time.monotonic() + seconds
    with Chaos(world, seed) as chaos:
        publisher.start()
        while (left := end - time.monotonic()) > 0 and publisher.is_alive():
            story.progress(f"{len(world.accepted)} triggers, {sum(chaos.struck.values())} blows, {left:.0f} s to go")
            time.sleep(min(1.0, left))
        died = left > 0
        traffic.stopped.set()
        publisher.join()
    if died:
        raise RuntimeError("the publishers ended early")
    return dict(chaos.struck)


def statuses(builds: object) -> dict[str, int]:
    counted: dict[str, int] = {}
    for build in builds:  # type: ignore[attr-defined]
        counted[build.status] = counted.get(build.status, 0) + 1
    return counted
