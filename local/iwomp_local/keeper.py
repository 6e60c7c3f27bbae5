"""Runs one command and, when it is over, ends everything that the command has started.

It is the wall around the local AWS and around each local build: what a container's end does at AWS, it does here.
It stops the command when asked to (SIGTERM, SIGINT), or when its standard input closes, which is how it learns that
whoever started it is gone, even by SIGKILL.

It runs as a file of its own (`python -I -S keeper.py`) and imports next to nothing, because every build waits for it.
It must not look at what the command does: no environment, no arguments and no output pass through it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from types import FrameType

GRACE_SECONDS = 10.0  # from the polite SIGTERM to SIGKILL; the worker needs a moment to end its command in order
POLL_SECONDS = 0.02  # how often the leftovers are counted while ending
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CANNOT_EXECUTE = 127  # what a shell reports for a command that is not there

USAGE = "usage: keeper.py [--stays] -- COMMAND [ARGUMENT...]"


def main(arguments: list[str]) -> int:
    """Runs the command of `arguments` and returns its exit status, 128 + N if signal N ended it."""
    stays, command = parse(arguments)
    adopt_orphans()
    wakeups, wakeup_writer = os.pipe()
    for end in (wakeups, wakeup_writer):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wakeup_writer)
    asked_to_stop: list[int] = []

    def on_stop(number: int, _frame: FrameType | None) -> None:
        asked_to_stop.append(number)

    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, on_stop)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # so that set_wakeup_fd hears of it

    child = start(command)
    watched = [wakeups] if stays else [wakeups, sys.stdin.fileno()]
    status = None
    while status is None and not asked_to_stop:
        ready, _, _ = select.select(watched, [], [])
        if wakeups in ready:
            drain(wakeups)
        if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 4096):
            asked_to_stop.append(signal.SIGTERM)
        status = reap(child)
    if status is None:
        status = stop_in_order(child)
    kill_leftovers(child)
    return status


def parse(arguments: list[str]) -> tuple[bool, list[str]]:
    stays = False
    while arguments:
        option, arguments = arguments[0], arguments[1:]
        if option == "--" and arguments:
            return stays, arguments
        if option == "--stays":
            stays = True
        else:
            break
    raise SystemExit(USAGE)


def adopt_orphans() -> None:
    """From now on a descendant whose parent ends becomes our child, so none gets out of sight (Linux only)."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def start(command: list[str]) -> int:
    """Starts the command in a process group of its own, with nothing on its standard input."""
    keeper = os.getpid()
    child = os.fork()
    if child != 0:
        return child
    try:
        os.setpgid(0, 0)
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # the last resort, should the keeper itself be killed
        if os.getppid() != keeper:
            os._exit(CANNOT_EXECUTE)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.execvp(command[0], command)  # noqa: S606 (there is no shell, and there shall be none)
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(CANNOT_EXECUTE)


def reap(child: int) -> int | None:
    """Collects every ended process; returns the exit status of `child` if it was among them."""
    status = None
    while True:
        try:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == child:
            code = os.waitstatus_to_exitcode(wait_status)
            status = code if code >= 0 else 128 - code


def stop_in_order(child: int) -> int:
    """Asks the command's process group to end and waits for everybody, at most the grace."""
    signal_group(child, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    status = None
    while time.monotonic() < deadline:
        ended = reap(child)
        status = ended if ended is not None else status
        if status is not None and not descendants():
            break
        time.sleep(POLL_SECONDS)
    return status if status is not None else 128 + signal.SIGKILL


def kill_leftovers(child: int) -> None:
    """Kills until no child is left: a process may start another between the look and the signal."""
    signal_group(child, signal.SIGKILL)
    deadline = time.monotonic() + GRACE_SECONDS  # a process stuck in the kernel must not hold us for ever
    while time.monotonic() < deadline:
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(POLL_SECONDS)


def descendants() -> list[int]:
    """Everybody below this process, by /proc; nobody where there is no /proc, and the process group must do."""
    children: dict[int, list[int]] = {}
    try:
        entries = os.listdir("/proc")  # noqa: PTH208 (pathlib costs more than this whole program)
    except OSError:
        return []
    for entry in entries:
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:  # noqa: PTH123
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state != b"Z":
            children.setdefault(int(parent), []).append(int(entry))
    found, queue = [], [os.getpid()]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 512):
            pass
    except BlockingIOError:
        return


def prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 (nothing else here needs it)

    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
