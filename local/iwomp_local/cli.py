"""The commands of the Makefile. `up`, `down` and `demo` are about this machine; the others serve any pipeline."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from iwomp_local import commands, demo, places, standing
from iwomp_local.boundary import command as boundary
from iwomp_local.emulator import EmulatorError
from iwomp_local.faults import run as faults
from iwomp_local.faults import soak
from iwomp_local.faults.run import Size
from iwomp_local.pipeline import Pipeline, PipelineError
from iwomp_local.places import Missing
from iwomp_local.stack import Stack
from iwomp_local.story import Story
from iwomp_local.terraform import TerraformError
from iwomp_local.waiting import NotInTime

INTERRUPTED = 130
OUTPUT_SECONDS = 60.0
EXPECTED = (
    PipelineError, EmulatorError, TerraformError, Missing, NotInTime, ClientError, BotoCoreError, OSError,
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    options = parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a tick mark shall show a question mark
    # A polite end is like Ctrl-C: everything that was started is stopped on the way out.
    signal.signal(signal.SIGTERM, interrupt)
    run: Callable[[argparse.Namespace], int | None] = options.run
    try:
        return run(options) or 0
    except KeyboardInterrupt:
        print("interrupted; everything that was started is stopped", file=sys.stderr)
        return INTERRUPTED
    except EXPECTED as error:
        said = "\n".join(commands.printable(line) for line in str(error).splitlines())
        print(f"error: {said}", file=sys.stderr)
        return 1


def interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="iwomp_local", description=__doc__)
    sub = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, summary: str, run: Callable[[argparse.Namespace], int | None]) -> argparse.ArgumentParser:
        made = sub.add_parser(name, help=summary, description=summary)
        made.set_defaults(run=run)
        return made

    command("demo", "the whole pipeline on this machine", lambda _: demo.run(Story()))
    command("up", "a local stack that stays", lambda _: standing.up(places.DEFAULT_STACK))
    command("down", "end the local stack", lambda _: standing.down(places.DEFAULT_STACK))
    trigger = command(
        "trigger",
        "publish a trigger",
        lambda options: commands.trigger(pipeline(), options.project, options.branch, options.commit),
    )
    trigger.add_argument("project")
    trigger.add_argument("branch")
    trigger.add_argument("--commit")
    rollback = command(
        "rollback",
        "deploy a commit that is older than what is live, or not related to it, and hold what is newer",
        lambda options: commands.rollback(
            pipeline(), options.project, options.branch, options.commit, wait=options.wait
        ),
    )
    for name in ("project", "branch", "commit"):
        rollback.add_argument(name)
    rollback.add_argument("--wait", action="store_true", help="until no build of the project runs")
    release = command(
        "release",
        "let what was rolled back from be deployed again",
        lambda options: commands.release(pipeline(), options.project, options.branch),
    )
    release.add_argument("project")
    release.add_argument("branch")
    logs = command("logs", "the newest build's log", lambda options: commands.logs(pipeline(), options.project))
    logs.add_argument("project")
    stop = command("stop", "end a project's running build", lambda options: commands.stop(pipeline(), options.project))
    stop.add_argument("project")
    pause = command(
        "pause",
        "keep a project's triggers in the queue",
        lambda options: commands.pause(pipeline(), options.project, options.reason),
    )
    pause.add_argument("project")
    pause.add_argument("--reason", default="")
    resume = command(
        "resume", "let a paused project deploy again", lambda options: commands.resume(pipeline(), options.project)
    )
    resume.add_argument("project")
    command("status", "what is paused, what is live, what ran, what waits", lambda _: commands.status(pipeline()))
    secret = command(
        "secret",
        "store a project's Git credentials, from standard input or a file",
        lambda options: commands.secret(pipeline(), options.project, options.file),
    )
    secret.add_argument("project")
    secret.add_argument("--file", type=Path)
    command("redrive", "send the dead letters through the checks again", lambda _: commands.redrive(pipeline()))
    broken = command("faults", "many triggers while calls and deliveries go wrong; the figures", break_calls)
    broken.add_argument("--triggers", type=int, default=Size.triggers)
    broken.add_argument("--of-article", type=int, default=Size.of_article, help="of the original article's design")
    broken.add_argument("--projects", type=int, default=Size.projects)
    broken.add_argument("--seed", type=int, default=1)
    soaked = command("soak", "a pipeline in use, with kill -9 at random moments; the figures", soak_it)
    soaked.add_argument("--minutes", type=float, default=20.0)
    soaked.add_argument("--seed", type=int, default=1)
    verify = command("verify-boundary", "what each principal can do, and what the CI's key must not", verify_boundary)
    verify.add_argument("--account", help="the account to try the CI's key in, for a pipeline that is not local")
    verify.add_argument("--ci-profile", help="the AWS profile that holds the CI's key there")
    command("next-steps", "what to do after a deployment", lambda _: commands.next_steps(applied()))
    return top


def break_calls(options: argparse.Namespace) -> int:
    size = Size(projects=options.projects, triggers=options.triggers, of_article=options.of_article)
    return faults.run(Story(), size, options.seed)


def soak_it(options: argparse.Namespace) -> int:
    return soak.run(Story(), options.minutes, options.seed)


def verify_boundary(options: argparse.Namespace) -> int:
    """Of the local stack if one is up; of an account if it is named, or if no stack is up."""
    stack = None if options.account else Stack.running(places.DEFAULT_STACK)
    if stack is not None:
        return 0 if boundary.of_stack(stack, Story()) else 1
    return 0 if boundary.of_account(applied(), options.account, options.ci_profile, Story()) else 1


def pipeline() -> Pipeline:
    """The local stack's if one is up, else what terraform/ was applied to, in the account of the environment."""
    stack = Stack.running(places.DEFAULT_STACK)
    if stack is not None:
        print(f"(the local stack at {stack.emulator.url}; make down ends it)", file=sys.stderr)
        return stack.pipeline
    return applied()


def applied() -> Pipeline:
    """What terraform/ was applied to, in the account of the environment."""
    try:
        done = subprocess.run(
            [str(places.program("terraform")), f"-chdir={places.TERRAFORM}", "output", "-json"],
            capture_output=True,
            text=True,
            check=True,
            timeout=OUTPUT_SECONDS,
            env={**os.environ, "TF_IN_AUTOMATION": "1"},
        )
    except subprocess.CalledProcessError as error:
        raise PipelineError(f"the outputs of terraform/ cannot be read:\n{error.stderr.strip()}") from error
    except subprocess.TimeoutExpired as error:
        raise PipelineError(f"terraform output did not answer within {OUTPUT_SECONDS:.0f} s") from error
    outputs = {name: output["value"] for name, output in json.loads(done.stdout).items()}
    if "config_path" not in outputs:
        raise PipelineError(
            "no pipeline: neither is a local stack up (make up) nor is terraform/ applied (make deploy)"
        )
    region = outputs["kms_key_arn"].split(":")[3]
    return Pipeline(outputs, boto3.session.Session(region_name=region).client)
