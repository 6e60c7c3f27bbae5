"""`make demo` leaves nothing behind, and what it prints is for who watches."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import processes_in

from iwomp_local import places
from iwomp_local.story import Story
from iwomp_local.waiting import wait_for

WAIT_SECONDS = 120.0


def test_colours_are_for_who_watches_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    for out, no_color, coloured in ((Terminal(), "", True), (Terminal(), "1", False), (io.StringIO(), "", False)):
        monkeypatch.setenv("NO_COLOR", no_color)
        Story(out=out).check(True, "it holds")
        assert ("\x1b[" in out.getvalue()) == coloured


def test_a_promise_that_does_not_hold_is_counted() -> None:
    story = Story(out=io.StringIO())
    story.check(True, "one")
    story.check(False, "two")
    assert (story.held, story.broken) == (1, ["two"])


DEMO = ["-m", "iwomp_local", "demo"]


def start(scratch: Path, *arguments: str) -> subprocess.Popen[str]:
    """Starts a command of `make` as from a terminal, and returns once Terraform runs."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(places.REPOSITORY / "local"), "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell ignores it in what it starts in the background, tests included, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert started.stdout is not None
    for line in started.stdout:
        if line.strip().startswith("terraform apply"):
            break
    time.sleep(2)  # Terraform runs now
    assert processes_in(scratch)
    return started


def assert_nothing_left(scratch: Path) -> None:
    wait_for("the end of all", lambda: True if not processes_in(scratch) else None, WAIT_SECONDS)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_demo_leaves_no_process(tmp_path: Path, number: int, status: int) -> None:
    demo = start(tmp_path, *DEMO)
    demo.send_signal(number)
    assert demo.wait(WAIT_SECONDS) == status
    assert_nothing_left(tmp_path)
    if number != signal.SIGKILL:
        assert list(tmp_path.glob("iwomp-demo-*")) == []


# As `make up`, with the stack in another place than this checkout's own.
UP = "import sys, pathlib; from iwomp_local import cli, places; places.DEFAULT_STACK = pathlib.Path(sys.argv[1])"


@pytest.mark.parametrize("command", ["demo", "up"])
def test_who_presses_ctrl_c_again_and_again_leaves_nothing_behind(tmp_path: Path, command: str) -> None:
    stack = tmp_path / "stack"
    up = ["-c", f"{UP}; sys.exit(cli.main(['up']))", str(stack)]
    started = start(tmp_path, *(DEMO if command == "demo" else up))
    # As a terminal does: to all that runs in it.
    while started.poll() is None:
        os.killpg(started.pid, signal.SIGINT)
        time.sleep(0.3)
    assert started.returncode == 130
    assert_nothing_left(tmp_path)
    assert list(tmp_path.glob("iwomp-demo-*")) == []
    assert not stack.exists()
