"""The lab: its hosts, its worlds, and the two clients at work in all of them, side by side."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hostile_git import clients, judge
from hostile_git.case import Case
from hostile_git.clients import CONFIG_PATH
from hostile_git.doors import Doors
from hostile_git.server import Behaviour, with_token
from hostile_git.world import World
from iwomp_local.emulator import Emulator

AT_WORK = 6
"""Clients at a time. Two cores are busy with four; two more cover for those that wait."""
WAITING = 24
"""Clients at a time that do little but wait for a host."""
PROCESS_SECONDS = 0.1
"""Between two looks at all processes of the machine."""


CANARY = re.compile(rb"canary-[0-9a-f]{24}")
ENCODED_CANARY = re.compile(base64.b64encode(b"x-access-token:") + rb"([A-Za-z0-9+/]{42}[A-Za-z0-9+/=]{2})")
"""As HTTP's basic authentication writes it: the user name is a multiple of three bytes long, so it stands by itself."""

BITES_FILE = Path(__file__).with_name("bites.json")
BITES = frozenset(json.loads(BITES_FILE.read_text()))
"""Cases in which the naive client came to harm. In the others nobody learns anything from trying it again."""
TRY_ALL = bool(os.environ.get("HOSTILE_TRY_ALL"))
"""To write that list anew, after cases were added or changed."""


@dataclass(frozen=True)
class Finding:
    """What came of one case."""

    objections: list[str]
    damages: list[str]
    is_tried: bool
    """Whether the naive client was tried as well: where it is known to come to harm."""
    worker_output: str
    naive_output: str


@dataclass
class Lab:
    """Runs cases as they are handed in; `finding` waits for one."""

    directory: Path
    emulator: Emulator
    doors: Doors
    worlds: dict[str, tuple[World, Behaviour]]
    watcher: Watcher
    _busy: ThreadPoolExecutor
    _waiting: ThreadPoolExecutor
    _findings: dict[str, tuple[Future[list[str]], Future[list[str]] | None]] = field(default_factory=dict)
    _outputs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ssm = self.emulator.client("ssm")

    def hand_in(self, cases: Iterable[Case]) -> None:
        for number, case in enumerate(cases):
            pool = self._waiting if case.waits else self._busy
            worker = pool.submit(self._worker, case, f"w{number:03}")
            is_tried = case.naive is not None and (TRY_ALL or case.name in BITES)
            naive = pool.submit(self._naive, case, f"n{number:03}") if is_tried else None
            self._findings[case.name] = (worker, naive)

    def has(self, case: Case) -> bool:
        return case.name in self._findings

    def finding(self, case: Case) -> Finding:
        worker, naive = self._findings[case.name]
        objections = worker.result()
        damages = naive.result() if naive is not None else []
        said = (self._outputs.get(f"{who} {case.name}", "") for who in ("worker", "naive"))
        return Finding(objections, damages, naive is not None, *said)

    def keys_left(self) -> list[Path]:
        """SSH keys that the worker put into memory for one of our hosts, and did not take away again."""
        ports = [f":{port} " for port in self.doors.ssh_ports()]
        found = []
        for known_hosts in Path("/dev/shm").glob("iwomp-*/known_hosts"):  # noqa: S108 (the worker's own choice)
            with contextlib.suppress(OSError):
                if any(port in known_hosts.read_text() for port in ports):
                    found.append(known_hosts)
        return found

    def _worker(self, case: Case, key: str) -> list[str]:
        world = self._world(case, key)
        self._register(case, world)
        home = judge.Snapshot.of(world)
        run = clients.run_worker(case, world, self.emulator)
        self._outputs[f"worker {case.name}"] = run.output.decode(errors="backslashreplace")
        found = judge.objections(case, world, run, home)
        if world.canary in self.watcher.seen:
            found.append("the credential stood in an argument or a variable of a process")
        self._forget(world)
        return found

    def _naive(self, case: Case, key: str) -> list[str]:
        world = self._world(case, key)
        home = judge.Snapshot.of(world)
        run = clients.run_naive(case, world, self.doors.authority_file)
        self._outputs[f"naive {case.name}"] = run.output.decode(errors="backslashreplace")
        found = judge.damages(case, world, run, home)
        self._forget(world)
        return found

    def _world(self, case: Case, key: str) -> World:
        directory = self.directory / key
        world = World(key, directory, case.branch, f"canary-{secrets.token_hex(12)}", is_lent=case.is_lent)
        for part in (directory, world.home, world.temporary, world.marks_directory):
            part.mkdir()
        world.marks_directory.chmod(0o777)  # the command may run as another user than the worker
        (directory / "canary").write_text(world.canary)
        world.places = self.doors.places(case.channel, key)
        case.content(world)
        self.doors.hostile_ssh.cases[key] = case
        self.worlds[key] = (world, case.host if case.is_public else with_token(case.host))
        self.doors.open(case, world)
        if case.machine is not None:
            case.machine(world)  # whatever it writes into the home is there before the home is looked at
        return world

    def _register(self, case: Case, world: World) -> None:
        entry: dict[str, object] = {"gitUrl": world.places["registered"], "command": "deploy.sh"}
        if not case.channel.is_ssh and case.trusts_authority:
            entry["caBundle"] = self.doors.authority
        if case.branch not in {"main", "master"}:
            entry["branches"] = [case.branch]
        self._put(f"/{CONFIG_PATH}/{world.key}", entry | dict(case.register), "String")
        if (stored := self.doors.credentials(case, world)) is not None:
            self._put(f"/{CONFIG_PATH}-credentials/{world.key}", stored, "SecureString")
        if case.live is not None:
            live = {"commit": world.commits.get(case.live, case.live), "time": "2026-01-01T00:00:00Z"}
            self._put(f"/{CONFIG_PATH}-deployed/{world.key}/{case.branch}", live, "String")

    def _put(self, name: str, value: object, kind: str) -> None:
        self._ssm.put_parameter(Name=name, Value=json.dumps(value), Type=kind, Overwrite=True)

    def _forget(self, world: World) -> None:
        self.doors.close(world)
        del self.worlds[world.key]
        shutil.rmtree(world.directory, ignore_errors=True)


class Watcher:
    """Looks at the arguments and variables of all processes, over and over, for anybody's canary."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.looks = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        own = str(os.getpid())
        while not self._end.wait(PROCESS_SECONDS):
            self.looks += 1
            for process in Path("/proc").iterdir():
                if process.name.isdigit() and process.name != own:
                    self._look(process)

    def _look(self, process: Path) -> None:
        text = b""
        for part in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                text += (process / part).read_bytes()
        self.seen.update(found_canaries(text))


def found_canaries(text: bytes) -> Iterator[str]:
    yield from (found.decode() for found in CANARY.findall(text))
    yield from (base64.b64decode(found).decode(errors="replace") for found in ENCODED_CANARY.findall(text))


def summary(findings: Mapping[str, Finding]) -> str:
    """What all of it came to, for people."""
    every = findings.values()
    held = sum(1 for finding in every if not finding.objections)
    harmed = sum(1 for finding in every if finding.damages)
    tried = sum(1 for finding in every if finding.is_tried)
    lines = [f"{len(findings)} cases: the worker held in {held}; of {tried} naive clients {harmed} came to harm:"]
    damages = Counter(damage for finding in every for damage in set(finding.damages))
    return "\n".join(lines + [f"{count:6} {damage}" for damage, count in damages.most_common()])


@contextmanager
def running(emulator: Emulator) -> Iterator[Lab]:
    # Not pytest's directory, which nobody else may enter: the command may run as another user.
    directory = Path(tempfile.mkdtemp(prefix="hostile-git-"))
    directory.chmod(0o755)
    (directory / "outputs").mkdir()
    worlds: dict[str, tuple[World, Any]] = {}
    try:
        with (
            Doors.opened(directory, worlds) as doors,
            Watcher() as watcher,
            ThreadPoolExecutor(AT_WORK) as busy,
            ThreadPoolExecutor(WAITING) as waiting,
        ):
            try:
                yield Lab(directory, emulator, doors, worlds, watcher, busy, waiting)
            finally:
                busy.shutdown(cancel_futures=True)
                waiting.shutdown(cancel_futures=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
