"""The launcher's function beside the original article's, under the same Runtime API and the same AWS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iwomp_bench.standin import Seen, StandIn, stand_in
from iwomp_bench.table import Row, Series, Table
from iwomp_local.certificates import Authority

WARM_EVENTS = 200
WAIT_SECONDS = 30.0
TOPIC = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers"
REGISTER = {"gitUrl": "https://git.example/demo.git", "command": "deploy.sh"}
ROOTS = Path("aws/src/lambda/roots.pem")


def event() -> str:
    """One trigger, as it comes out of the queue. NUMBER becomes another number in each: none waits for another."""
    envelope = {
        "Type": "Notification",
        "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41NUMBER",
        "TopicArn": TOPIC,
        "Message": '{"project":"demoNUMBER","branch":"main"}',
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "SignatureVersion": "1",
        "Signature": "c2ln",
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/x.pem",
        "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
        "MessageAttributes": {},
    }
    record = {
        "messageId": "00000000-0000-4000-8000-000000000000",
        "receiptHandle": "handle",
        "body": json.dumps(envelope),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
        "awsRegion": "eu-central-1",
    }
    return json.dumps({"Records": [record]})


@dataclass(frozen=True)
class Launch:
    """Seconds, and MB."""

    ready: float
    first: float
    first_cpu: float
    warm: float
    largest_mb: float


@dataclass(frozen=True)
class Contender:
    name: str
    command: Sequence[str]
    directory: Path


def launch(who: Contender, aws: StandIn, bundle: Path) -> Launch:
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
            seen = wait(aws, child, WARM_EVENTS)
            warm = (seen.answered[WARM_EVENTS - 1] - seen.asked[1]) / (WARM_EVENTS - 1)
            if seen.started < WARM_EVENTS:
                log.seek(0)
                said = log.read()[-1000:].decode(errors="replace")
                raise RuntimeError(f"{who.name} started {seen.started} builds for {WARM_EVENTS} triggers: {said}")
            largest = peak_mb(child.pid)
        finally:
            child.kill()
            child.wait()
    return Launch(ready, first, cpu, warm, largest)


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


def peers(folder: Path, node: Path) -> tuple[list[Contender], str]:
    """The Node launcher, if this machine has Node and npm gets its SDK; or why not."""
    if not (shutil.which("node") and shutil.which("npm")):
        return [], "no node and npm on this machine: the launcher has nothing to be compared with"
    place = folder / "node"
    shutil.copytree(node, place, dirs_exist_ok=True)
    installing = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"],
        cwd=place, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if installing.returncode != 0:
        return [], f"npm did not get the AWS SDK: {installing.stderr.strip()[-300:]}"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return [Contender(f"node {version}, aws-sdk v2", ["node", "launcher.js"], place)], ""


def measure(table: Table, zipped: Path, node: Path, cache: Path, rounds: int) -> str:
    """The rows, and what is to be said if there are none."""
    authority = Authority()
    with tempfile.TemporaryDirectory(prefix="iwomp-bench-") as name:
        folder = Path(name)
        others, why_none = peers(cache, node)
        if not others:
            return why_none
        with zipfile.ZipFile(zipped) as archive:
            program = Path(archive.extract("bootstrap", folder))
        program.chmod(0o755)
        # Amazon's own, as in Lambda, and ours beside them.
        bundle = folder / "bundle.pem"
        bundle.write_text(ROOTS.read_text() + authority.bundle)
        certificate = folder / "server.pem"
        authority.write_certificate(certificate)
        contenders = [Contender("launcher", [str(program)], folder), *others]
        parameters = {f"/iwomp-in-aws/demo{number:04}": json.dumps(REGISTER) for number in range(2 * WARM_EVENTS)}
        with stand_in(parameters, event(), str(certificate)) as aws:
            series: dict[str, list[Launch]] = {who.name: [] for who in contenders}
            for turn in range(rounds + 1):
                for who in contenders:
                    launched = launch(who, aws, bundle)
                    if turn:
                        series[who.name].append(launched)
        ours = series["launcher"]
        for who in others:
            add_rows(table, ours, who.name, series[who.name])
        size = zipped.stat().st_size / 1e6
    return f"{zipped}: {size:.2f} MB (goal: <= 2.2 MB)"


def add_rows(table: Table, ours: list[Launch], peer: str, theirs: list[Launch]) -> None:
    figures: list[tuple[str, str, str, Callable[[Launch], float]]] = [
        ("launcher: start to ready", "ms", ">= 60 x", lambda one: one.ready * 1000),
        ("launcher: start to first event answered, TLS", "ms", ">= 32 x", lambda one: one.first * 1000),
        ("launcher: the same, time of the processor", "ms", ">= 55 x", lambda one: one.first_cpu * 1000),
        ("launcher: warm, one trigger", "ms", ">= 10 x", lambda one: one.warm * 1000),
        ("launcher: peak memory", "MB", ">= 12 x", lambda one: one.largest_mb),
    ]
    for what, unit, goal, of in figures:
        mine = Series("launcher", unit, [of(one) for one in ours])
        table.rows.append(Row(what, mine, Series(peer, unit, [of(one) for one in theirs]), goal, times_better=True))
