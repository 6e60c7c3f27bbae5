"""What the demo prints: headings, facts with their time, and a count of what held. It only prints and counts."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TextIO

WIDTH = 100
TIME_COLUMN = 86


class Colour(Enum):
    """Terminal colours, by what they mean here."""

    GOOD = "32"
    BAD = "31;1"
    HEADING = "1"
    QUIET = "2"
    COMMAND = "36"


@dataclass
class Stopwatch:
    """Seconds since it was made."""

    begin: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begin


@dataclass
class Story(Stopwatch):
    """Writes to `out`, with colours only if somebody watches and has not said NO_COLOR."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    held: int = 0
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._coloured = self.out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def heading(self, text: str) -> None:
        self.line("\n" + self.paint(text, Colour.HEADING))

    def line(self, text: str = "") -> None:
        clear = "\x1b[K" if self._coloured else ""  # what `progress` may have left
        print(f"{clear}{text}", file=self.out, flush=True)

    def say(self, text: str) -> None:
        """A paragraph."""
        self.line(textwrap.indent(textwrap.fill(text, WIDTH - 4), "  "))

    def quiet(self, text: str, seconds: float | None = None) -> None:
        """A line that was not written by us, such as a build's output; with its time, if that matters."""
        when = " " if seconds is None else f"{seconds:+8.2f} s  "
        self.line(f" {when}" + self.paint(f"│ {text}", Colour.QUIET))

    def progress(self, text: str) -> None:
        """A line that the next one overwrites; only somebody who watches sees it."""
        if self._coloured:
            print(f"  {self.paint(f'… {text}', Colour.QUIET)}\x1b[K", end="\r", file=self.out, flush=True)

    def command(self, text: str) -> None:
        self.line("  " + self.paint(f"$ {text}", Colour.COMMAND))

    def hop(self, seconds: float, text: str) -> None:
        """Something that happened so long after the publish."""
        self.line(f" {seconds:+8.2f} s  {self.paint('●', Colour.COMMAND)} {text}")

    def check(self, holds: bool, text: str, seconds: float | None = None) -> bool:
        """A promise, and whether it holds."""
        mark = self.paint("✓", Colour.GOOD) if holds else self.paint("✗", Colour.BAD)
        took = "" if seconds is None else f"{seconds:8.1f} s"
        self.line(f"  {mark} {text:<{TIME_COLUMN - 4}}{took}".rstrip())
        if holds:
            self.held += 1
        else:
            self.broken.append(text)
        return holds

    def paint(self, text: str, colour: Colour) -> str:
        return f"\x1b[{colour.value}m{text}\x1b[0m" if self._coloured else text
