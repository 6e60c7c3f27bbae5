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


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_demo_leaves_no_process(tmp_path: Path, number: int, status: int) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "iwomp_local", "demo"],
        env={**os.environ, "PYTHONPATH": str(places.REPOSITORY / "local"), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell ignores it in what it starts in the background, tests included, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.strip().startswith("terraform apply"):
            break
    time.sleep(2)  # Terraform runs now
    assert processes_in(tmp_path)
    demo.send_signal(number)
    assert demo.wait(WAIT_SECONDS) == status
    wait_for("the end of all", lambda: True if not processes_in(tmp_path) else None, WAIT_SECONDS)
    if number != signal.SIGKILL:
        assert list(tmp_path.glob("iwomp-demo-*")) == []
