"""What is asked of every run, whatever the case: that it ended as it must, and that nothing leaked."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from hostile_git.case import Case
from hostile_git.clients import Run
from hostile_git.world import Request, World
from iwomp_local.git_server import credential

MAX_LINE_BYTES = 6000
MAX_OUTPUT_BYTES = 300_000
CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Snapshot:
    """The files of a home, with what they hold."""

    files: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, world: World) -> Snapshot:
        paths = sorted(path for path in world.home.rglob("*") if path.is_file() or path.is_symlink())
        return cls(tuple((str(path), path.read_bytes() if path.is_file() else b"") for path in paths))


def outcome_line(run: Run) -> dict[str, Any]:
    lines = run.output.splitlines()
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def objections(case: Case, world: World, run: Run, home: Snapshot) -> list[str]:
    """Everything that is wrong with the worker's run."""
    found = []
    line = outcome_line(run)
    word, kind = line.get("outcome"), line.get("class")
    if run.status is None:
        found.append("the worker had to be killed")
    if word != case.expected.outcome or (case.expected.classes and kind not in case.expected.classes):
        found.append(f"it ended with {word} ({kind}) and not with {case.expected.outcome} {set(case.expected.classes)}")
    if case.expected.says not in str(line.get("reason")):
        found.append(f"its reason is {line.get('reason')!r}, which does not say {case.expected.says!r}")
    if (run.status == 0) is not (case.expected.outcome in {"deployed", "superseded"}):
        found.append(f"its exit status is {run.status}")
    if (marks := world.marks()) != case.expected.marks:
        found.append(f"ran {marks or 'nothing'} and not {set(case.expected.marks) or 'nothing'}")
    # A command that has the credential may ask whom it likes, without it.
    if strays := [stray.path for stray in world.strays if carries_secret(stray, world) or not case.is_lent]:
        found.append(f"other hosts or repositories were asked: {strays}")
    if holds_secret(run.output, world):
        found.append("the output holds the credential")
    if ugly := unprintable(run.output):
        found.append(f"the output holds characters that act on a terminal: {ugly!r}")
    if len(run.output) > MAX_OUTPUT_BYTES or max(map(len, run.output.splitlines()), default=0) > MAX_LINE_BYTES:
        found.append(f"the output is {len(run.output)} bytes, or has a line without end")
    if left := sorted(path.name for path in world.temporary.iterdir()):
        found.append(f"the temporary directory is not empty afterwards: {left}")
    if Snapshot.of(world) != home:
        found.append("the home was written to")
    return found


def damages(case: Case, world: World, run: Run, home: Snapshot) -> list[str]:
    """What the attack did to the naive client. Its token is an argument of git anyway: that is not counted."""
    found = []
    if extra := world.marks() - case.expected.marks:
        found.append("ran what it must not" if extra != {"secret on disk"} else "left its token on disk")
    if any(stray.authorization for stray in world.strays):
        found.append("sent its token to another host or repository")
    elif world.strays:
        found.append("was led to another host or repository")
    if run.status is None:
        found.append("waited without end")
    if unprintable(run.output.replace(b"\r\n", b"\n")):  # ssh itself ends its lines so
        found.append("passed terminal control on to the log")
    if Snapshot.of(world) != home:
        found.append("wrote into the home")
    if is_on_disk(world):
        found.append("left its token on disk")
    return found


def holds_secret(text: bytes, world: World) -> bool:
    encoded = base64.b64encode(f"x-access-token:{world.canary}".encode())
    return world.canary.encode() in text or encoded in text


def carries_secret(request: Request, world: World) -> bool:
    return world.canary in credential(request.authorization)[1]


def is_on_disk(world: World) -> bool:
    own = {world.directory / "canary", world.directory / "key"}
    files = (path for path in world.directory.rglob("*") if path.is_file() and not path.is_symlink())
    try:
        return any(holds_secret(path.read_bytes(), world) for path in files if path not in own)
    except OSError:
        return False  # a path that is too long to be opened: what a hostile tree makes


def unprintable(output: bytes) -> str:
    """The first characters that draw on a terminal or turn text around."""
    if control := CONTROL.search(output):
        return ascii(output[control.start() : control.start() + 20])
    text = output.decode(errors="replace")
    return "".join(sorted({character for character in text if unicodedata.category(character) in {"Cf", "Zl", "Zp"}}))
