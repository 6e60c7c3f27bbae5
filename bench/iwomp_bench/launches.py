"""The launcher's function, under a Runtime API and an AWS: beside the article's own, and ten triggers beside one."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from iwomp_bench.share import OF_128_MB, share
from iwomp_bench.standin import Seen, StandIn, stand_in
from iwomp_bench.table import Row, Series, Table
from iwomp_local.certificates import Authority

WARM_EVENTS = 200
BATCH = 10
WARM_BATCHES = 20
LATENCIES_SECONDS = (0.0, 0.02)
"""Of an answer of AWS's."""
WAIT_SECONDS = 30.0
TOPIC = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers"
REGISTER = {"gitUrl": "https://git.example/demo.git", "command": "deploy.sh"}
ROOTS = Path("aws/src/lambda/roots.pem")


def event(triggers: int) -> str:
    """As it comes out of the queue, each trigger for another project. NUMBER becomes another number in each event."""
    return json.dumps({"Records": [record(place) for place in range(triggers)]})


def record(place: int) -> dict[str, object]:
    envelope = {
        "Type": "Notification",
        "MessageId": f"95df01b4-ee98-5cb9-9903-4c221d4NUMBER{place}",
        "TopicArn": TOPIC,
        "Message": json.dumps({"project": f"demoNUMBER{place}", "branch": "main"}),
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "SignatureVersion": "1",
        "Signature": "c2ln",
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/x.pem",
        "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
        "MessageAttributes": {},
    }
    return {
        "messageId": f"00000000-0000-4000-8000-00000000000{place}",
        "receiptHandle": "handle",
        "body": json.dumps(envelope),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
        "awsRegion": "eu-central-1",
    }


@dataclass(frozen=True)
class Launch:
    """Seconds, and MB."""

    ready: float
    first: float
    first_cpu: float
    warm: float
    warm_cpu: float
    largest_mb: float


@dataclass(frozen=True)
class Contender:
    name: str
    command: Sequence[str]
    directory: Path


def launch(who: Contender, aws: StandIn, bundle: Path, events: int, triggers: int = 1) -> Launch:
    aws.seen("anew")
    variables = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{aws.runtime_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_SESSION_TOKEN": "bench",
        "AWS_ENDPOINT_URL": f"https://localhost:{aws.aws_port}",
        "AWS_NODEJS_CONNECTION_REUSE_ENABLED": "1",
        "SSL_CERT_FILE": str(bundle),
        "NODE_EXTRA_CA_CERTS": str(bundle),
        "CONFIGPATH": "iwomp-in-aws",
        "TOPICARN": TOPIC,
        "QUEUEARN": QUEUE,
        "QUEUEURL": "https://localhost/queue",
        "DEADLETTERQUEUEURL": "https://localhost/dead",
        "RETRYSECONDS": "160",
        "VISIBILITYSECONDS": "80",
        "MAXWAITSECONDS": "3600",
        "BUILDSPERHOUR": "100000",
    }
    with tempfile.TemporaryFile() as log:
        began = time.monotonic()
        child = subprocess.Popen(
            who.command, env=variables, cwd=who.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            seen = wait(aws, child, 1)
            cpu = processor_seconds(child.pid)
            ready, first = seen.asked[0] - began, seen.answered[0] - began
            aws.seen(events)
            seen = wait(aws, child, events)
            warm = (seen.answered[-1] - seen.handed[min(1, events - 1)]) / max(1, events - 1)
            warm_cpu = (processor_seconds(child.pid) - cpu) / max(1, events - 1)
            if seen.started < events * triggers:
                log.seek(0)
                said = log.read()[-1000:].decode(errors="replace")
                raise RuntimeError(f"{who.name} started {seen.started} builds in {events} events: {said}")
            largest = peak_mb(child.pid)
        finally:
            child.kill()
            child.wait()
    return Launch(ready, first, cpu, warm, warm_cpu, largest)


def wait(aws: StandIn, child: subprocess.Popen[bytes], count: int) -> Seen:
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end and child.poll() is None:
        seen = aws.seen()
        if len(seen.answered) >= count:
            return seen
        time.sleep(0.01)
    raise TimeoutError(f"{child.args!r} did not answer {count} events")


def processor_seconds(process: int) -> float:
    """By the scheduler's own account, which counts nanoseconds where others count ticks."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def peak_mb(process: int) -> float:
    line = next(line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def bare(aws: StandIn, bundle: Path) -> float:
    """Seconds for the calls of one trigger by a client that knows nothing of AWS, over one connection that is kept."""
    context = ssl.create_default_context(cafile=bundle)
    connection = http.client.HTTPSConnection("localhost", aws.aws_port, context=context)
    calls = {
        "AmazonSSM.GetParameters": {"Names": ["/iwomp-in-aws/demo00000"], "WithDecryption": False},
        "CodeBuild_20161006.StartBuild": {"projectName": "iwomp-in-aws--demo00000"},
    }
    began = 0.0
    for number in range(WARM_EVENTS + 1):
        for operation, asked in calls.items():
            connection.request("POST", "/", json.dumps(asked), {"X-Amz-Target": operation})
            connection.getresponse().read()
        began = began if number else time.monotonic()
    return (time.monotonic() - began) / WARM_EVENTS


def peers(folder: Path, node: Path) -> tuple[list[Contender], str]:
    """The Node launchers, if this machine has Node and npm gets their SDKs; or why not."""
    if not (shutil.which("node") and shutil.which("npm")):
        return [], "no node and npm on this machine: the launcher is not compared with any other"
    place = folder / "node"
    shutil.copytree(node, place, dirs_exist_ok=True)
    for command in (["install", "--no-audit", "--no-fund", "--ignore-scripts"], ["run", "bundle"]):
        done = subprocess.run(["npm", *command, "--silent"], cwd=place, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return [], f"npm {command[0]} of the AWS SDKs failed: {done.stderr.strip()[-300:]}"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    scripts = {"aws-sdk v2": "v2.js", "aws-sdk v3, bundled": "v3.bundle.js"}
    return [Contender(f"node {version}, {sdk}", ["node", script], place) for sdk, script in scripts.items()], ""


@dataclass(frozen=True)
class Lab:
    """Ours, the certificate of its AWS and those that it trusts, and how often everything is measured."""

    ours: Contender
    certificate: Path
    bundle: Path
    rounds: int

    def stand_in(self, numbers: int, triggers: int, latency_seconds: float = 0) -> AbstractContextManager[StandIn]:
        """An AWS with the entries of all the projects that so many events name, of so many triggers each."""
        names = [f"/iwomp-in-aws/demo{number:05}" for number in range(10 * (numbers + 2))]
        register = dict.fromkeys(names, json.dumps(REGISTER))
        return stand_in(register, event(triggers), str(self.certificate), latency_seconds)


def measure(table: Table, zipped: Path, node: Path, cache: Path, rounds: int) -> list[str]:
    """The rows, and what is to be said beside them."""
    authority = Authority()
    with tempfile.TemporaryDirectory(prefix="iwomp-bench-") as name:
        folder = Path(name)
        with zipfile.ZipFile(zipped) as archive:
            program = Path(archive.extract("bootstrap", folder))
        program.chmod(0o755)
        lab = Lab(Contender("launcher", [str(program)], folder), folder / "server.pem", folder / "bundle.pem", rounds)
        # Amazon's own, as in Lambda, and ours beside them.
        lab.bundle.write_text(ROOTS.read_text() + authority.bundle)
        authority.write_certificate(lab.certificate)
        others, why_none = peers(cache, node)
        said = [compare_launchers(table, lab, others) if others else why_none]
        compare_batches(table, lab)
    return [*filter(None, said), f"{zipped}: {zipped.stat().st_size / 1e6:.2f} MB (goal: <= 2.2 MB)"]


def compare_launchers(table: Table, lab: Lab, others: list[Contender]) -> str:
    """Each round runs all of them, so that a slow moment of the machine meets all; the first is thrown away."""
    whole: dict[str, list[Launch]] = {who.name: [] for who in (lab.ours, *others)}
    shared: dict[str, list[Launch]] = {who.name: [] for who in (lab.ours, *others)}
    calls = []
    with lab.stand_in(WARM_EVENTS, 1) as aws, share(OF_128_MB) as prefix:
        for _ in range(lab.rounds + 1):
            for who in (lab.ours, *others):
                whole[who.name].append(launch(who, aws, lab.bundle, WARM_EVENTS))
                if prefix:
                    limited = Contender(who.name, [*prefix, *who.command], who.directory)
                    shared[who.name].append(launch(limited, aws, lab.bundle, 1))
            calls.append(bare(aws, lab.bundle))
    for who in others:
        add_rows(table, whole[lab.ours.name][1:], who.name, whole[who.name][1:], FIGURES)
        if prefix:
            add_rows(table, shared[lab.ours.name][1:], who.name, shared[who.name][1:], FIGURES_OF_SHARE)
    warm = Series("launcher", "ms", [one.warm * 1000 for one in whole[lab.ours.name][1:]])
    peer = Series("bare HTTP calls", "ms", [seconds * 1000 for seconds in calls[1:]])
    table.rows.append(Row("launcher: warm, one trigger", warm, peer))
    return "" if prefix else "this machine limits nobody's processor: the share of 128 MB is not measured"


def compare_batches(table: Table, lab: Lab) -> None:
    """A batch of triggers, each for another project, beside one trigger."""
    for latency in LATENCIES_SECONDS:
        runs: dict[int, list[Launch]] = {BATCH: [], 1: []}
        with ExitStack() as stack:
            servers = {count: stack.enter_context(lab.stand_in(WARM_BATCHES, count, latency)) for count in runs}
            for _ in range(lab.rounds + 1):
                for count, aws in servers.items():
                    runs[count].append(launch(lab.ours, aws, lab.bundle, WARM_BATCHES, count))
        for what, of in FIGURES_OF_BATCH:
            many, one = (
                Series(name, "ms", [of(launched) * 1000 for launched in runs[count][1:]])
                for name, count in (("launcher", BATCH), ("one trigger", 1))
            )
            name = f"launcher: {BATCH} triggers, {latency * 1000:.0f} ms an answer: {what}"
            table.rows.append(Row(name, many, one, "<= 2 x"))


Figure = tuple[str, str, str, Callable[[Launch], float]]
FIGURES: list[Figure] = [
    ("launcher: start to ready", "ms", ">= 60 x", lambda one: one.ready * 1000),
    ("launcher: start to first event answered, TLS", "ms", ">= 32 x", lambda one: one.first * 1000),
    ("launcher: the same, time of the processor", "ms", "", lambda one: one.first_cpu * 1000),
    ("launcher: warm, one trigger", "ms", ">= 10 x", lambda one: one.warm * 1000),
    ("launcher: the same, time of the processor", "ms", "", lambda one: one.warm_cpu * 1000),
    ("launcher: peak memory", "MB", ">= 12 x", lambda one: one.largest_mb),
]
FIGURES_OF_SHARE: list[Figure] = [
    ("launcher: start to first event, processor of 128 MB", "ms", ">= 55 x", lambda one: one.first * 1000),
]
FIGURES_OF_BATCH: list[tuple[str, Callable[[Launch], float]]] = [
    ("start to answered", lambda one: one.first),
    ("the same, time of the processor", lambda one: one.first_cpu),
    ("warm", lambda one: one.warm),
    ("the same, time of the processor", lambda one: one.warm_cpu),
]


def add_rows(table: Table, ours: list[Launch], peer: str, theirs: list[Launch], figures: list[Figure]) -> None:
    """The goals are beside version 2, which is the article's."""
    for what, unit, goal, of in figures:
        mine = Series("launcher", unit, [of(one) for one in ours])
        yours = Series(peer, unit, [of(one) for one in theirs])
        table.rows.append(Row(what, mine, yours, goal if "v2" in peer else "", times_better=True))
