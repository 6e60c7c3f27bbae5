"""The two clients: the real worker, and the naive one. Both see the directories of their world only."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from hostile_git.case import Case, Naive
from hostile_git.world import World
from iwomp_local import places
from iwomp_local.emulator import Emulator

CONFIG_PATH = "hostile-git"
PATH = "/usr/local/bin:/usr/bin:/bin"
AFTER_LIMIT_SECONDS = 60.0
"""The worker ends in order after its time limit, on a machine that has other things to do."""
NAIVE_SECONDS = 180.0
NAIVE_WAITING_SECONDS = 6.0
"""A naive client has no limit of its own; where the host never ends, this is when we believe it."""


@dataclass(frozen=True)
class Run:
    """What a client said, and how it ended."""

    status: int | None
    """None: it had to be killed."""
    output: bytes
    seconds: float


def run_worker(case: Case, world: World, emulator: Emulator) -> Run:
    variables = {
        "PATH": PATH,
        "HOME": str(world.home),
        "TMPDIR": str(world.temporary),
        "CONFIGPATH": CONFIG_PATH,
        "PROJECTNAME": world.key,
        "GITBRANCH": case.branch,
        "TRIGGERID": f"trigger-{world.key}",
        "TIMELIMITSECONDS": str(case.seconds),
        **emulator.variables(),
        **tampered(case, world),
    }
    if case.pin is not None:
        variables["GITCOMMIT"] = world.commits.get(case.pin, case.pin)
    return run([str(places.worker())], world.directory, variables, case.seconds + AFTER_LIMIT_SECONDS)


def run_naive(case: Case, world: World, authority: Path) -> Run:
    """Gets the branch, runs the command, looks at the state of the checkout."""
    checkout = world.directory / "checkout"
    variables = {
        "PATH": PATH,
        "HOME": str(world.home),
        "TMPDIR": str(world.temporary),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_SSL_CAINFO": str(authority),
        "LC_ALL": "C",
        **tampered(case, world),
    }
    if case.is_lent:
        header = f"Authorization: Basic {basic(world)}"
        lent = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_VALUE_0": header}
        variables.update(lent)
    if case.channel.is_ssh:
        variables["GIT_SSH_COMMAND"] = naive_ssh(world)
    end = time.monotonic() + (NAIVE_WAITING_SECONDS if case.waits else NAIVE_SECONDS)
    started, output = time.monotonic(), b""
    status: int | None = 0
    for command, directory in naive_commands(case, world, checkout):
        if not directory.is_dir():
            break
        step = run(command, directory, variables, max(end - time.monotonic(), 0.5))
        output += step.output
        status = step.status
        if status != 0:
            break
    return Run(status, output, time.monotonic() - started)


def naive_commands(case: Case, world: World, checkout: Path) -> list[tuple[list[str], Path]]:
    git = ["git", "-c", f"http.extraHeader=Authorization: Basic {basic(world)}"]
    url = world.places["registered"]
    commands: list[tuple[list[str], Path]] = []
    match case.naive:
        case Naive.FETCH:
            checkout.mkdir()
            commands += [([*git, "init", "--quiet"], checkout), ([*git, "fetch", url, case.branch], checkout)]
            commands.append(([*git, "checkout", "--quiet", "FETCH_HEAD"], checkout))
        case Naive.SUBMODULES:
            clone = [*git, "clone", "--recurse-submodules", "--branch", case.branch, url, str(checkout)]
            commands.append((clone, world.directory))
        case _:
            blind = ["-c", "http.sslVerify=false"] if case.naive is Naive.BLIND else []
            commands.append(([*git, *blind, "clone", "--branch", case.branch, url, str(checkout)], world.directory))
    if case.pin is not None:
        commit = world.commits.get(case.pin, case.pin)
        commands.append(([*git, "fetch", "origin", commit], checkout))
        commands.append(([*git, "checkout", "--quiet", commit], checkout))
    directory = checkout / str(case.register.get("deployDir", "."))
    command = case.register.get("command", "./deploy.sh")
    words = [f"./{command}".replace(".//", "/"), case.branch] if isinstance(command, str) else command
    assert isinstance(words, list)
    commands += [(words, directory), ([*git, "status", "--short"], checkout)]
    return commands


def basic(world: World) -> str:
    return base64.b64encode(f"x-access-token:{world.canary}".encode()).decode()


def naive_ssh(world: World) -> str:
    key = world.directory / "key"
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o ForwardAgent=yes"
    return f"ssh -F /dev/null -i {key} -o IdentitiesOnly=yes {options}"


def tampered(case: Case, world: World) -> dict[str, str]:
    return {} if case.machine is None else case.machine(world)


def run(command: list[str], directory: Path, variables: dict[str, str], seconds: float) -> Run:
    """Runs a program in a session of its own and ends all of it, whatever it left behind."""
    started = time.monotonic()
    output = directory_of_outputs(directory) / f"output-{time.monotonic_ns()}"
    with output.open("wb") as file:
        try:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return Run(126, str(error).encode(), 0.0)
        status: int | None
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    text = output.read_bytes()
    output.unlink()
    return Run(status, text, time.monotonic() - started)


def directory_of_outputs(directory: Path) -> Path:
    """Beside the lab's worlds: what a client says is none of what it leaves behind."""
    lab = next(parent for parent in [directory, *directory.parents] if (parent / "outputs").is_dir())
    return lab / "outputs"
