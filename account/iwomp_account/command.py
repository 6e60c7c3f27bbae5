"""The command line: `preflight`, `accept` and `forget`."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from iwomp_account import neighbours, place, preflight
from iwomp_account.accept import remains
from iwomp_account.accept.run import REPOSITORY, Acceptance, Options
from iwomp_account.place import AccountError, one_line

INTERRUPTED = 130
WRONG = 2
ACCOUNT = re.compile(r"[0-9]{12}")
CREDENTIAL_FORMS = "authToken; or basicUsername and basicPassword; or sshPrivateKey and knownHosts"


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0 if all is well, 1 if not, 2 if it was called wrongly."""
    options = parser().parse_args(arguments)
    # A polite end is like Ctrl-C: what was made is taken down on the way out.
    signal.signal(signal.SIGTERM, interrupt)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except AccountError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG
    except (BotoCoreError, ClientError, OSError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1


def interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="iwomp_account", description=__doc__)
    sub = top.add_subparsers(required=True, metavar="COMMAND")
    look = sub.add_parser("preflight", help="what stands in the way of `make deploy`; changes nothing")
    look.set_defaults(run=run_preflight)
    look.add_argument("--account", help="the account that this should be")
    look.add_argument("--config-path", help="of the pipeline; default: that of terraform.tfvars")
    look.add_argument("--json", action="store_true", help="print findings as JSON")
    accept = sub.add_parser("accept", help="deploy a throwaway pipeline into a sandbox account, try it, take it down")
    accept.set_defaults(run=run_accept)
    accept.add_argument("--account", required=True, help="id of the sandbox account; the credentials must be of it")
    accept.add_argument("--git-url", required=True, help="a repository for this, https or ssh, as in the register")
    accept.add_argument("--push-url", help="where to push the run's branches; default: the same")
    accept.add_argument("--credentials", type=Path, help=f"JSON document to fetch with: {CREDENTIAL_FORMS}")
    accept.add_argument("--ca-bundle", type=Path, help="PEM certificates to trust for the repository's host")
    accept.add_argument("--image-tag", help="an image that needs no push; default: build and push worker/Dockerfile")
    accept.add_argument("--scratch", type=Path, default=REPOSITORY / ".accept", help="folder for state and results")
    forget = sub.add_parser("forget", help="remove what was written under the name of a pipeline that is destroyed")
    forget.set_defaults(run=run_forget)
    forget.add_argument("config_path", help="its name")
    return top


def run_forget(options: argparse.Namespace) -> int:
    here, name = place.of_environment(), options.config_path
    if there := neighbours.parts(here, name):
        raise AccountError(
            f"{here} has parts of the pipeline {name}, {'; '.join(there)}: nothing was removed; destroy it first"
        )
    left = remains.remove_written(here, name)
    for item in left:
        print(f"STILL THERE, remove it by hand: {item}", file=sys.stderr)
    for entry in remains.parameters(here, f"/{name}"):
        print(f"{entry} was not written by Terraform, and stays: aws ssm delete-parameter --name {entry}")
    return 1 if left else 0


def run_preflight(options: argparse.Namespace) -> int:
    wanted = preflight.Wanted.of(REPOSITORY / "terraform", dict(os.environ), options.config_path, options.account)
    findings = preflight.look(wanted)
    print(findings.document() if options.json else findings.text())
    return 0 if findings.is_good else 1


def run_accept(options: argparse.Namespace) -> int:
    if not ACCOUNT.fullmatch(options.account):
        raise AccountError("say which sandbox account: make accept ACCOUNT=123456789012 GIT_URL=https://…")
    if not options.git_url:
        raise AccountError("say which repository to push test commits to: GIT_URL=https://… (and PUSH_URL=…)")
    here = place.of_environment()
    if here.account != options.account:
        raise AccountError(
            f"the credentials of the environment are of account {here.account}, and you named {options.account}: "
            "nothing was done"
        )
    missing = [tool for tool in ("terraform", "git") if shutil.which(tool) is None]
    if missing:
        raise AccountError(f"{' and '.join(missing)} must be on the PATH: make preflight says more")
    return Acceptance(
        here,
        Options(
            git_url=options.git_url,
            push_url=options.push_url or options.git_url,
            scratch=options.scratch,
            architecture=os.environ.get("ARCHITECTURE") or "x86_64",
            credentials=credentials(options.credentials) if options.credentials else None,
            ca_bundle=options.ca_bundle.read_text() if options.ca_bundle else None,
            image_tag=options.image_tag,
        ),
    ).run()


def credentials(file: Path) -> dict[str, str]:
    """The document as `iwomp secret set` takes it. Errors do not repeat it."""
    try:
        document = json.loads(file.read_text())
    except ValueError:
        document = None
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()) or not document:
        raise AccountError(f"{file} must hold a JSON object: {CREDENTIAL_FORMS}")
    return document
