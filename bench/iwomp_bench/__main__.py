"""`make bench`: a table of ratios, side by side in one run, and the same as JSON beside it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from iwomp_bench import deployments, launches, plans
from iwomp_bench.shapes import SHAPES
from iwomp_bench.table import Table

OURS = Path("target")
WORKER = Path("release/iwomp-worker")
LAUNCHER = Path("lambda/launcher/bootstrap.zip")
NODE = Path("bench/node")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="measured runs of each; one more is thrown away")
    parser.add_argument("--shapes", default=",".join(SHAPES), help="of the repositories: %(default)s")
    parser.add_argument("--only", choices=("worker", "launcher", "plan"), help="one part of it")
    parser.add_argument("--out", type=Path, default=OURS / "bench.json", help="%(default)s")
    asked = parser.parse_args()
    names = asked.shapes.split(",")
    if unknown := set(names) - set(SHAPES):
        parser.error(f"there is no shape {', '.join(sorted(unknown))}")
    cache = OURS / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    table, said, load = Table(), [], os.getloadavg()[0]
    if asked.only in (None, "worker"):
        deployments.measure(table, worker().resolve(), (cache / "repositories").resolve(), names, asked.rounds)
    if asked.only in (None, "launcher"):
        said += launches.measure(table, OURS / LAUNCHER, NODE, cache.resolve(), asked.rounds)
    if asked.only in (None, "plan"):
        plans.measure(table, 1 if asked.only is None else asked.rounds)
    git = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout.strip()
    said.append(
        f"{os.cpu_count()} processors, {platform.machine()}, {git}; load {load:.1f} at the start and "
        f"{os.getloadavg()[0]:.1f} at the end: a ratio over a load of {os.cpu_count()} is not to be trusted far"
    )
    print(table.text(), *said, sep="\n")
    rows = [row.as_json() for row in table.rows]
    asked.out.write_text(json.dumps({"rows": rows, "said": said}, indent=1) + "\n")
    print(f"the single runs are in {asked.out}")


def worker() -> Path:
    """The one that `make build` made, for whichever machine this is."""
    found = [*OURS.glob(f"*/{WORKER}"), OURS / WORKER]
    built = [path for path in found if path.exists()]
    if not built:
        sys.exit("there is no worker: run make build first")
    return max(built, key=lambda path: path.stat().st_mtime)


if __name__ == "__main__":
    main()
