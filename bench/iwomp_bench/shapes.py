"""Repositories of four shapes, generated: the same on every machine, and nothing is fetched from outside."""

from __future__ import annotations

import base64
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from iwomp_local.repository import Repository

SEED = 1
BEGAN = 1_700_000_000  # the first commit's date; each is a minute after the one before
PINNED, LIVE = "main~3", "main~40"
SCRIPT = b"#!/bin/sh\nexit 0\n"
WHO = "Ada Example <ada@example.com>"


@dataclass(frozen=True)
class Shape:
    """`changes` files are written anew in each commit after the first."""

    name: str
    files: int
    commits: int
    changes: int
    file_bytes: int
    tags: int = 0


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("small", files=26, commits=60, changes=2, file_bytes=2000),
        Shape("medium", files=1300, commits=1500, changes=8, file_bytes=1700),
        Shape("large", files=5500, commits=12_000, changes=15, file_bytes=1650, tags=468),
        Shape("mono", files=12_300, commits=3000, changes=10, file_bytes=1500),
    )
}


def repository(shape: Shape, root: Path) -> Repository:
    """The repository of this shape below `root`: made the first time, found there later."""
    place = root / f"{shape.name}-{SEED}.git"
    made = place / "made"
    if made.exists():
        return Repository(place)
    if place.exists():
        raise FileExistsError(f"{place} was left half made: remove it")
    new = Repository.create(place)
    with subprocess.Popen(
        ["git", "--git-dir", str(place), "fast-import", "--quiet"], stdin=subprocess.PIPE
    ) as importing:
        assert importing.stdin is not None  # noqa: S101 (it was asked for)
        write(shape, importing.stdin)
        importing.stdin.close()
    if importing.returncode != 0:
        raise RuntimeError(f"git fast-import of {shape.name} ended with {importing.returncode}")
    new.git("repack", "-a", "-d", "-q", "--write-bitmap-index", "--window=0")
    made.touch()
    return new


def write(shape: Shape, stream: IO[bytes]) -> None:
    dice = random.Random(SEED)  # noqa: S311 (a repeatable choice, no secret)
    names = [f"d{number % 60}/e{number % 7}/f{number}.txt" for number in range(shape.files)]
    for number in range(shape.commits):
        subject = f"commit {number}\n".encode()
        date = BEGAN + number * 60
        stream.write(f"commit refs/heads/main\nmark :{number + 1}\ncommitter {WHO} {date} +0000\n".encode())
        stream.write(data(subject))
        if number:
            stream.write(f"from :{number}\n".encode())
        else:
            stream.write(b"M 100755 inline deploy.sh\n" + data(SCRIPT))
        for name in names if number == 0 else dice.sample(names, shape.changes):
            stream.write(f"M 100644 inline {name}\n".encode() + data(text(dice, shape.file_bytes)))
    for tag in range(shape.tags):
        at = 1 + tag * shape.commits // shape.tags
        stream.write(f"reset refs/tags/v{tag}\nfrom :{at}\n\n".encode())


def data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def text(dice: random.Random, size: int) -> bytes:
    """Lines that compress to three quarters, as source code does to less."""
    return b"\n".join(lines(base64.b64encode(dice.randbytes(size * 3 // 4))))


def lines(whole: bytes) -> Iterator[bytes]:
    return (whole[start : start + 76] for start in range(0, len(whole), 76))
