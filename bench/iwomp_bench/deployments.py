"""The worker's whole run, from its start to the recorded deployment, beside a bare clone of the same commit's files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from iwomp_bench.run import Run, run
from iwomp_bench.shapes import LIVE, PINNED, SHAPES, Shape, repository
from iwomp_bench.standin import StandIn, stand_in
from iwomp_bench.table import Row, Series, Table
from iwomp_local.certificates import Authority
from iwomp_local.git_server import Anybody, GitServer

GOALS = {  # of the time, of the bytes
    "small": ("<= 1.5 x", ""),
    "medium": ("<= 1.1 x", "<= 2.5 x"),
    "large": ("<= 1.15 x", "<= 2.5 x"),
    "mono": ("<= 1.1 x", "<= 2.5 x"),
}
PART, OF_SHAPE, PART_GOAL = "d7", "mono", "<= 0.1 x"
"""One directory of sixty, and of which shape."""
ONE_COMMIT = ("--depth", "1")
OUTPUT_BYTES = 512 << 20
TRIGGER = "95df01b4-ee98-5cb9-9903-4c221d41eb5e"


@dataclass
class Lab:
    """A Git host, an AWS, and the worker between them."""

    worker: Path
    folder: Path
    bundle: Path
    git: GitServer
    aws: StandIn

    def register(self, url: str, command: str | list[str] = "deploy.sh", **more: object) -> None:
        entry = {"gitUrl": url, "command": command, "caBundle": self.bundle.read_text(), **more}
        self.aws.put(
            {
                "/iwomp-in-aws/demo": json.dumps(entry),
                "/iwomp-in-aws-credentials/demo": json.dumps({"authToken": "a-token-that-is-masked"}),
            }
        )

    def set_live(self, commit: str) -> None:
        record = {"commit": commit, "time": "2026-11-23T06:00:00Z", "build": None, "trigger": None}
        self.aws.put({"/iwomp-in-aws-deployed/demo/main": json.dumps(record)})

    def deploy(self, **more: str) -> Run:
        with self.directory() as place:
            variables = {
                "PATH": os.environ["PATH"],
                "HOME": str(place),
                "TMPDIR": str(place),
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.aws.aws_port}",
                "AWS_REGION": "eu-central-1",
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",
                "CONFIGPATH": "iwomp-in-aws",
                "PROJECTNAME": "demo",
                "GITBRANCH": "main",
                "TRIGGERID": TRIGGER,
                "TIMELIMITSECONDS": "600",
                **more,
            }
            return run([str(self.worker)], variables, place)

    def clone(self, url: str, *depth: str) -> Run:
        with self.directory() as place:
            variables = {
                "PATH": os.environ["PATH"],
                "HOME": str(place),
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_SSL_CAINFO": str(self.bundle),
            }
            clone = ["git", "clone", "--quiet", *depth, "--single-branch", "--branch", "main", url, "clone"]
            return run(clone, variables, place)

    @contextmanager
    def directory(self) -> Iterator[Path]:
        place = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield place
        finally:
            shutil.rmtree(place)

    def counted(self, work: Callable[[], Run]) -> tuple[Run, int]:
        before = self.git.sent_bytes
        return work(), self.git.sent_bytes - before


@contextmanager
def lab(worker: Path, repositories: Path) -> Iterator[Lab]:
    authority = Authority()
    with tempfile.TemporaryDirectory(prefix="iwomp-bench-") as folder:
        bundle = authority.write_bundle(Path(folder) / "ca.pem")
        with GitServer(repositories, authority.server_context()) as git, stand_in({}) as aws:
            yield Lab(worker, Path(folder), bundle, git, aws)


def measure(table: Table, worker: Path, repositories: Path, names: list[str], rounds: int) -> None:
    """Each round runs both, so that a slow moment of the machine meets both; the first is thrown away."""
    with lab(worker, repositories) as here:
        for name in names:
            compare_fetches(table, here, SHAPES[name], repositories, rounds)
        if OF_SHAPE in names:
            compare_part(table, here, SHAPES[OF_SHAPE], repositories, rounds)
        compare_output(table, here, repositories, rounds)


def compare_fetches(table: Table, here: Lab, shape: Shape, repositories: Path, rounds: int) -> None:
    source = repository(shape, repositories)
    url = here.git.serve(source.path.name.removesuffix(".git"), Anybody())
    here.register(url)
    pinned, live = source.git("rev-parse", PINNED), source.git("rev-parse", LIVE)

    def worker() -> Run:
        here.set_live(live)  # what was recorded goes back, too
        return here.deploy(GITCOMMIT=pinned)

    pairs = [(here.counted(worker), here.counted(lambda: here.clone(url, *ONE_COMMIT))) for _ in range(rounds + 1)][1:]
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def row(what: str, unit: str, of: Callable[[tuple[Run, int]], float], goal: str) -> None:
        of_ours = Series("worker", unit, [of(one) for one in ours])
        of_clone = Series("git clone --depth 1", unit, [of(one) for one in theirs])
        table.rows.append(Row(f"{shape.name}: {what}", of_ours, of_clone, goal))

    time_goal, bytes_goal = GOALS[shape.name]
    row("whole run, pinned, with a live record", "ms", lambda one: one[0].seconds * 1000, time_goal)
    row("time of the processors", "ms", lambda one: one[0].cpu_seconds * 1000, "")
    row("bytes from the Git host", "kB", lambda one: one[1] / 1000, bytes_goal)
    row("largest process", "MB", lambda one: one[0].largest_mb, "<= 40 MB" if shape.name == "large" else "")


def compare_part(table: Table, here: Lab, shape: Shape, repositories: Path, rounds: int) -> None:
    """One directory of a monorepo, beside a clone of all of it, and of its head alone."""
    source = repository(shape, repositories)
    url = here.git.serve(source.path.name.removesuffix(".git"), Anybody())
    here.register(url, ["true"], deployDir=PART, sparse=True)
    pinned, live = source.git("rev-parse", PINNED), source.git("rev-parse", LIVE)

    def worker() -> Run:
        here.set_live(live)
        return here.deploy(GITCOMMIT=pinned)

    peers = {"git clone": (), "git clone --depth 1": ONE_COMMIT}
    runs: dict[str, list[tuple[Run, int]]] = {name: [] for name in ("worker", *peers)}
    for _ in range(rounds + 1):
        runs["worker"].append(here.counted(worker))
        for name, depth in peers.items():
            runs[name].append(here.counted(lambda depth=depth: here.clone(url, *depth)))  # type: ignore[misc]
    for peer, depth in peers.items():
        goal = "" if depth else PART_GOAL
        ours, theirs = (
            (
                Series(name, "ms", [one.seconds * 1000 for one, _ in runs[name][1:]]),
                Series(name, "kB", [size / 1000 for _, size in runs[name][1:]]),
            )
            for name in ("worker", peer)
        )
        for what, of_ours, of_theirs in zip(("whole run", "bytes from the Git host"), ours, theirs, strict=True):
            table.rows.append(Row(f"{shape.name}, {PART} of it alone: {what}", of_ours, of_theirs, goal))


def compare_output(table: Table, here: Lab, repositories: Path, rounds: int) -> None:
    """What a command prints, through the mask: the time beyond that of a command that prints nothing."""
    source = repository(SHAPES["small"], repositories)
    url = here.git.serve(source.path.name.removesuffix(".git"), Anybody())
    here.register(url)
    text = here.folder / "output"
    line = b"module.network.aws_subnet.private[3]: Refreshing state... [id=subnet-0123456789abcdef0]\n"
    text.write_bytes(line * (OUTPUT_BYTES // len(line)))
    size_mb = text.stat().st_size / 1e6
    ours, theirs = [], []
    for _ in range(rounds + 1):
        here.set_live(source.git("rev-parse", LIVE))
        nothing = here.deploy().seconds
        here.register(url, ["cat", str(text)])
        printing = here.deploy().seconds
        here.register(url)
        ours.append(size_mb / max(printing - nothing, 1e-3))
        bare = run(["cat", str(text)], {"PATH": os.environ["PATH"]}, here.folder).seconds
        theirs.append(size_mb / bare)
    text.unlink()
    table.rows.append(
        Row(
            "output while masking",
            Series("worker", "MB/s", ours[1:]),
            Series("cat", "MB/s", theirs[1:]),
            ">= 800 MB/s",
        )
    )
