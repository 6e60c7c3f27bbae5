"""What `make` starts of this package: a local stack for a while or to stay, and what breaks one on purpose."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from iwomp_local import demo, demo_project, places, standing
from iwomp_local.emulator import EmulatorError
from iwomp_local.faults import run as faults
from iwomp_local.faults import soak
from iwomp_local.faults.run import Size
from iwomp_local.pipeline import PipelineError
from iwomp_local.places import Missing
from iwomp_local.stack import Refused
from iwomp_local.story import Story
from iwomp_local.terraform import TerraformError
from iwomp_local.waiting import NotInTime

INTERRUPTED = 130
STOPS = (signal.SIGINT, signal.SIGTERM)
EXPECTED = (
    PipelineError, EmulatorError, Refused, TerraformError, Missing, NotInTime, ClientError, BotoCoreError, OSError,
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    options = parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a tick mark shall show a question mark
    # A polite end is like Ctrl-C: everything that was started is stopped on the way out.
    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background jobs ignore it
        signal.signal(signal.SIGINT, interrupt)
    run: Callable[[argparse.Namespace], int | None] = options.run
    try:
        return run(options) or 0
    except KeyboardInterrupt:
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)  # Python takes away every other handler before it ends
        print("everything that was started is stopped", file=sys.stderr)
        return INTERRUPTED
    except EXPECTED as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """The way out takes some seconds, and who presses Ctrl-C again meanwhile must not cut it short."""
    for number in STOPS:
        signal.signal(number, lambda *_: None)  # not ignored, which would be inherited
    os.write(sys.stderr.fileno(), b"\ninterrupted: stopping what was started\n")
    raise KeyboardInterrupt


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="iwomp_local", description=__doc__)
    sub = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, summary: str, run: Callable[[argparse.Namespace], int | None]) -> argparse.ArgumentParser:
        made = sub.add_parser(name, help=summary, description=summary)
        made.set_defaults(run=run)
        return made

    command("demo", "the whole pipeline on this machine", lambda _: demo.run(Story()))
    stays = command(
        "up", "a local stack that stays", lambda options: standing.up(places.DEFAULT_STACK, options.project)
    )
    stays.add_argument(
        "project", nargs="?", default=demo_project.NAME, help="with which project; also to one that is up"
    )
    command("account", "an empty local AWS that stays", lambda _: standing.account(places.ACCOUNT))
    command("down", "end what stays", lambda _: standing.down(places.DEFAULT_STACK, places.ACCOUNT))
    broken = command("faults", "many triggers while calls and deliveries go wrong; the figures", break_calls)
    broken.add_argument("--triggers", type=int, default=Size.triggers)
    broken.add_argument("--projects", type=int, default=Size.projects)
    broken.add_argument("--seed", type=int, default=1)
    soaked = command("soak", "a pipeline in use, with kill -9 at random moments; the figures", soak_it)
    soaked.add_argument("--minutes", type=float, default=20.0)
    soaked.add_argument("--seed", type=int, default=1)
    return top


def break_calls(options: argparse.Namespace) -> int:
    size = Size(projects=options.projects, triggers=options.triggers)
    return faults.run(Story(), size, options.seed)


def soak_it(options: argparse.Namespace) -> int:
    return soak.run(Story(), options.minutes, options.seed)
