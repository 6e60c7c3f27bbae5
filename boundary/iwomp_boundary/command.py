"""The command line: the proof, and the attempts with the CI's key, of a local stack or of an account."""

from __future__ import annotations

import argparse
import functools
import io
import json
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from iwomp_boundary.attempts import Attempt, Harm, Result, attempts, tried
from iwomp_boundary.pipeline import NotVerified, Pipeline
from iwomp_boundary.proof import prove
from iwomp_boundary.report import Report, show_proof, show_results
from iwomp_boundary.snapshot import Snapshot, read
from iwomp_boundary.witness import hearings
from iwomp_boundary.world import things_of

WRONG, INTERRUPTED = 2, 130
SESSION = re.compile(r"arn:(?P<partition>[a-z-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+")
Client = Callable[[str], Any]


def main(arguments: list[str] | None = None) -> int:
    """Verifies a pipeline; the exit status: 0 if the boundary holds, 1 if not, 2 if nothing can be said."""
    options = parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a tick mark shall show a question mark
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = Report(out=sys.stderr if options.json else sys.stdout)
    try:
        holds = verify(options, report)
        if options.json:
            print(json.dumps(report.facts()))
        return 0 if holds else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (NotVerified, BotoCoreError, ClientError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="iwomp verify-boundary", description=__doc__)
    top.add_argument("--config-path", default="iwomp-in-aws", help="name of the pipeline")
    top.add_argument("--local", type=Path, help="folder of a local stack, for whose operator and CI it has the keys")
    top.add_argument("--account", help="the account to try the CI's key in")
    top.add_argument("--ci-profile", help="the AWS profile that holds the CI's key there")
    top.add_argument(
        "--json", action="store_true", help="print what was found as JSON; what people read goes to stderr"
    )
    return top


def verify(options: argparse.Namespace, report: Report) -> bool:
    if options.local:
        stack, ci = (json.loads((options.local / name).read_text()) for name in ("iwomp.json", "ci.json"))
        pipeline = Pipeline.find(client_of(stack, stack), options.config_path)
        return of_stack(pipeline, ci["arn"], client_of(stack, ci), report)
    pipeline = Pipeline.find(boto3.session.Session().client, options.config_path)
    return of_account(pipeline, options.account, options.ci_profile, report)


def client_of(stack: dict[str, Any], keys: dict[str, str]) -> Client:
    """Of a local stack, with somebody's keys."""
    session = boto3.session.Session(
        aws_access_key_id=keys["access_key"], aws_secret_access_key=keys["secret_key"], region_name=stack["region"]
    )
    return functools.partial(session.client, endpoint_url=f"http://127.0.0.1:{stack['port']}")


def of_stack(pipeline: Pipeline, ci_arn: str, ci: Client, report: Report) -> bool:
    """Verifies a local stack; whether all of it holds. What would change something is tried there, too."""
    topics = (pipeline["topic_arn"],) if pipeline.description["shared_topic"] else ()
    snapshot = read(pipeline, {ci_arn: topics})
    offline(snapshot, report)
    calls = show_results(report, "Tried with the CI's key", calls_of(attempts(snapshot, snapshot.own(ci_arn)), ci))
    report.say(f"{calls} calls, all of which had to be denied.")
    return report.verdict()


def of_account(pipeline: Pipeline, account: str | None, ci_profile: str | None, report: Report) -> bool:
    """Verifies an account: its policies, and with its number and a profile of the CI's also what the CI can do."""
    if account is None:
        snapshot = read(pipeline, {})
        offline(snapshot, report)
        second_witness(snapshot, pipeline.client, report)
        report.say("Nothing was tried with the CI's key: that takes --account NUMBER and --ci-profile NAME.")
        return report.verdict()
    if ci_profile is None:
        raise NotVerified("say which AWS profile holds the CI's key: --ci-profile NAME")
    session = boto3.session.Session(profile_name=ci_profile, region_name=pipeline["region"])
    arn = caller(session.client, account)
    made = arn.rpartition("/")[2] in pipeline.publishers()
    shared = pipeline.description["shared_topic"]
    snapshot = read(pipeline, {} if made or not shared else {arn: (pipeline["topic_arn"],)})
    if snapshot.account != account:
        raise NotVerified(f"the pipeline is in account {snapshot.account}, not in {account}: nothing was tried")
    offline(snapshot, report)
    second_witness(snapshot, pipeline.client, report)
    harmless = filter(is_harmless, attempts(snapshot, snapshot.own(arn)))
    calls = show_results(report, f"Tried as {arn}", calls_of(harmless, session.client))
    report.say(f"{calls} calls, all of which had to be denied, and none of which could have changed anything.")
    return report.verdict()


def caller(client: Client, account: str) -> str:
    """The ARN of the CI's identity, if it is one of this account."""
    identity = client("sts").get_caller_identity()
    if identity["Account"] != account:
        raise NotVerified(f"the CI's key is one of account {identity['Account']}, not of {account}: nothing was tried")
    arn = str(identity["Arn"])
    if session := SESSION.fullmatch(arn):
        return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"
    return arn


def calls_of(planned: Iterable[Attempt], client: Client) -> Iterator[Result]:
    """Makes the calls, with one client a service."""
    once = functools.cache(client)
    return (tried(attempt, once) for attempt in planned)


def is_harmless(attempt: Attempt) -> bool:
    return attempt.harm is Harm.NONE


def offline(snapshot: Snapshot, report: Report) -> None:
    show_proof(report, prove(snapshot), sum(map(len, things_of(snapshot).values())))


def second_witness(snapshot: Snapshot, client: Client, report: Report) -> None:
    """AWS's own judges on the same policies."""
    results = (Result(each.what, each.agrees, each.said) for each in hearings(snapshot, client))
    asked = show_results(report, "What IAM's simulator and Access Analyzer say of it", results)
    report.say(f"{asked} questions; where the two differ, one of the judges is wrong.")
