"""Triggers as many teams make them: commits and publications at random, alone and in bursts, some of them pinned."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from iwomp_local.faults.world import World

PUBLISHERS = 3
NEW_COMMIT, BURST = 0.5, 0.3  # shares of the steps
BURST_TRIGGERS = 8
PINNED_TO_HEAD, PINNED_TO_OLD = 0.15, 0.15
OLD_COMMITS = 6  # how far back an old commit lies at most


@dataclass
class Traffic:
    """What is published, the same for the same seed but for the interleaving of its publishers."""

    world: World
    seed: int
    per_second: float
    stopped: threading.Event = field(default_factory=threading.Event)

    def publish(self, triggers: int) -> None:
        """At least so many triggers; returns when they are published, or when it is stopped."""
        begin, until = time.monotonic(), len(self.world.accepted) + triggers
        before = len(self.world.accepted)

        def publisher(number: int) -> None:
            chance = random.Random(f"{self.seed} {number}")  # noqa: S311 (repeatable, that is the point)
            while (done := len(self.world.accepted)) < until and not self.stopped.is_set():
                ahead = begin + (done - before) / self.per_second - time.monotonic()
                if ahead > 0:
                    self.stopped.wait(ahead)
                self.step(chance)

        with ThreadPoolExecutor(PUBLISHERS) as pool:
            for done in [pool.submit(publisher, number) for number in range(PUBLISHERS)]:
                done.result()

    def step(self, chance: random.Random) -> None:
        """One team's doing."""
        world, project = self.world, chance.choice(self.world.projects)
        if chance.random() < NEW_COMMIT:
            world.push(project)
        for _ in range(chance.randint(2, BURST_TRIGGERS) if chance.random() < BURST else 1):
            kind = chance.random()
            if kind < PINNED_TO_HEAD:
                world.publish(project, world.repository(project).head())
            elif kind < PINNED_TO_HEAD + PINNED_TO_OLD:
                world.publish(project, chance.choice(world.commits(project)[-OLD_COMMITS:]))
            else:
                world.publish(project)
