"""`make preflight`: what stands in the way of a deployment, before anything is made. It changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from iwomp_account import neighbours, place, quotas, tools, trail
from iwomp_account.findings import Finding, Findings, Grade
from iwomp_account.place import AccountError, Place, one_line

DEFAULT_NAME = "iwomp-in-aws"  # of terraform/variables.tf
DEFAULT_COMPUTE_TYPE = "BUILD_GENERAL1_SMALL"
TFVARS = ("*.tfvars", "*.tfvars.json")
CONFIG_PATH = re.compile(r'^\s*"?config_path"?\s*[=:]\s*"([^"]+)"', re.MULTILINE)
COMPUTE_TYPE = re.compile(r'^\s*"?compute_type"?\s*[=:]\s*"([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Wanted:
    """What is to be deployed, as far as preflight must know."""

    terraform: Path
    config_path: str
    compute_types: frozenset[str]
    architecture: str
    account: str | None

    @classmethod
    def of(
        cls, terraform: Path, variables: Mapping[str, str], config_path: str | None = None, account: str | None = None
    ) -> Wanted:
        """Reads the two values that it needs out of the variable files; Terraform itself is not ready yet."""
        texts = [file.read_text() for pattern in TFVARS for file in sorted(terraform.glob(pattern))]
        named = [found for text in texts for found in CONFIG_PATH.findall(text)]
        architecture = variables.get("ARCHITECTURE") or "x86_64"
        if architecture not in tools.TRIPLES:
            raise AccountError(f"ARCHITECTURE is x86_64 or arm64, not {architecture!r}")
        return cls(
            terraform,
            config_path or variables.get("TF_VAR_config_path") or next(iter(named), DEFAULT_NAME),
            frozenset([DEFAULT_COMPUTE_TYPE, *(found for text in texts for found in COMPUTE_TYPE.findall(text))]),
            architecture,
            account or variables.get("ACCOUNT") or None,
        )


def look(wanted: Wanted) -> Findings:
    """Everything that can be looked at; what cannot is `unknown`, and keeps nobody from deploying."""
    found = Findings(tools.look(wanted.terraform.parent, wanted.architecture))
    try:
        here = place.of_environment()
    except AccountError as error:
        found.found.append(Finding("credentials", Grade.PROBLEM, "there are none that work", str(error)))
        return found
    found.found += who(here, wanted.account)
    for name, call in checks(here, wanted).items():
        found.found += guarded(name, call)
    return found


def checks(here: Place, wanted: Wanted) -> dict[str, Callable[[], list[Finding]]]:
    return {
        "builds": lambda: quotas.builds(here, wanted.compute_types, wanted.architecture),
        "functions": lambda: quotas.functions(here),
        "trail": lambda: trail.look(here),
        "name": lambda: neighbours.look(here, wanted.config_path, lambda: neighbours.of_state(wanted.terraform)),
        "architecture": lambda: processor(here, wanted),
    }


def who(here: Place, account: str | None) -> list[Finding]:
    found = [Finding("region", Grade.GOOD, here.region)]
    if account is not None and account != here.account:
        saw = f"they are of account {here.account}, and ACCOUNT is {account}"
        return [*found, Finding("credentials", Grade.PROBLEM, saw, "sign in to the other account")]
    if here.caller.endswith(":root"):
        do = "use a role: what root does, no policy bounds"
        return [*found, Finding("credentials", Grade.WARNING, f"{here.caller}: the account's root", do)]
    return [*found, Finding("credentials", Grade.GOOD, here.caller)]


def processor(here: Place, wanted: Wanted) -> list[Finding]:
    """An image of the one kind under builds of the other could not start."""
    functions = here.client("lambda")
    name = f"{wanted.config_path}{neighbours.LAUNCHER}"
    try:
        known = functions.get_function_configuration(FunctionName=name)["Architectures"][0]
    except functions.exceptions.ResourceNotFoundException:
        return []
    if known == wanted.architecture:
        return [Finding("architecture", Grade.GOOD, f"{known}, as deployed")]
    saw = (
        f"deployed is {known}, ARCHITECTURE is {wanted.architecture}: all images of projects must be of that kind, too"
    )
    return [Finding("architecture", Grade.WARNING, saw, f"if that is not meant: ARCHITECTURE={known}")]


def guarded(name: str, call: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return call()
    except (BotoCoreError, ClientError) as error:
        do = "look yourself, or use credentials that may read it; deploying can succeed all the same"
        return [Finding(name, Grade.UNKNOWN, f"AWS did not say: {one_line(error)}", do)]
