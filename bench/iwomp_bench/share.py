"""A part of a processor, as a small Lambda function gets it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OF_128_MB = 128 / 1769
"""Of one processor: Lambda gives a function of 1,769 MB a whole one."""
PERIOD_MICROSECONDS = 20_000
HOME = Path("/sys/fs/cgroup")


@contextmanager
def share(part: float) -> Iterator[list[str]]:
    """What a command has to begin with to get no more than this part; nothing where this machine limits nobody."""
    quota = int(part * PERIOD_MICROSECONDS)
    versions = (
        (HOME / "cpu", {"cpu.cfs_period_us": f"{PERIOD_MICROSECONDS}", "cpu.cfs_quota_us": f"{quota}"}),
        (HOME, {"cpu.max": f"{quota} {PERIOD_MICROSECONDS}"}),
    )
    for home, limits in versions:
        group = home / f"iwomp-bench-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if all((group / name).exists() for name in limits):
                for name, value in limits.items():
                    (group / name).write_text(value)
                yield ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(group / "cgroup.procs")]
                return
        finally:
            group.rmdir()
    yield []
