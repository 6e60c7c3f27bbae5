"""Kills at random moments: launchers, notifiers, workers, the proxy, the Git host; and lets the local AWS stand still.

The local AWS itself is never killed: its state is memory, so that would not be an outage of AWS, it would be the end of
the account. Standing still (SIGSTOP) is what an outage looks like to those who call it.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from iwomp_local.faults.world import World

OUTAGE_SECONDS = (3.0, 12.0)
AWAY_SECONDS = (0.5, 4.0)  # how long a killed server is missing
PAUSE_SECONDS = (1.0, 6.0)  # between two blows
AT_WORK_SECONDS = 0.2  # within so long after a publication the launcher has it in hands


@dataclass
class Chaos:
    """Strikes until the block ends; `struck` counts what was hit."""

    world: World
    seed: int
    struck: Counter[str] = field(default_factory=Counter)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _failure: BaseException | None = None

    def __enter__(self) -> Chaos:
        self._thread = threading.Thread(target=self._strike, name="chaos")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _strike(self) -> None:
        chance = random.Random(self.seed)  # noqa: S311 (repeatable, that is the point)
        # Every blow in each round, in another order each time.
        blows: list[Callable[[random.Random], None]] = [
            *([self.launcher] * 4), *([self.worker] * 3), self.notifier, self.proxy, self.git_host, self.outage,
        ]  # fmt: skip
        try:
            while True:
                for blow in chance.sample(blows, len(blows)):
                    if self._over.wait(chance.uniform(*PAUSE_SECONDS)):
                        return
                    blow(chance)
        except BaseException as failure:  # raised again by whoever waits for the thread
            self._failure = failure

    def launcher(self, chance: random.Random) -> None:
        """A launcher, most likely with a trigger in hands."""
        self.world.publish(chance.choice(self.world.projects))
        self._over.wait(chance.uniform(0, AT_WORK_SECONDS))
        self._kill(
            "launcher", self._functions(str(self.world.stack.pipeline.outputs["launcher_function_name"])), chance
        )

    def notifier(self, chance: random.Random) -> None:
        name = self.world.stack.pipeline.outputs.get("notifier_function_name")
        self._kill("notifier", self._functions(str(name)) if name else [], chance)

    def worker(self, chance: random.Random) -> None:
        """A worker, which is the end of its build."""
        self._kill("worker", [pid for pid in self._processes() if program(pid) == "iwomp-worker"], chance)

    def proxy(self, chance: random.Random) -> None:
        self.struck["proxy"] += 1
        self.world.proxy.kill()
        self._over.wait(chance.uniform(*AWAY_SECONDS))
        self.world.proxy.start()

    def git_host(self, chance: random.Random) -> None:
        self.struck["git host"] += 1
        self.world.git.kill()
        self._over.wait(chance.uniform(*AWAY_SECONDS))
        self.world.git.start()

    def outage(self, chance: random.Random) -> None:
        """The local AWS stands still; its functions and builds run on, and meet nobody."""
        gateway = self.world.stack.emulator.gateway_pid
        self.struck["outage of the local AWS"] += 1
        os.kill(gateway, signal.SIGSTOP)
        try:
            self._over.wait(chance.uniform(*OUTAGE_SECONDS))
        finally:
            os.kill(gateway, signal.SIGCONT)

    def _kill(self, what: str, pids: list[int], chance: random.Random) -> None:
        if pids:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
                os.kill(chance.choice(pids), signal.SIGKILL)
                self.struck[what] += 1

    def _processes(self) -> list[int]:
        return below(self.world.stack.emulator.keeper_pid)

    def _functions(self, name: str) -> list[int]:
        wanted = f"AWS_LAMBDA_FUNCTION_NAME={name}".encode()
        return [pid for pid in self._processes() if wanted in environment(pid)]


def below(root: int) -> list[int]:
    """Every process that descends from this one: nobody else's can be hit."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        queue += (more := children.get(queue.pop(), []))
        found += more
    return found


def program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return ""


def environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
