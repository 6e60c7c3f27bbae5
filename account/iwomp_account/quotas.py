"""The account's limits that a new account meets first: concurrent builds, and concurrent functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from iwomp_account.findings import Finding, Grade
from iwomp_account.place import Place

# CodeBuild's quotas are called by machine: "Concurrently running builds for Linux/Small environment".
SIZES = {"SMALL": "Small", "MEDIUM": "Medium", "LARGE": "Large", "XLARGE": "XLarge", "2XLARGE": "2XLarge"}
SYSTEMS = {"x86_64": "Linux", "arm64": "ARM"}
ENOUGH_BUILDS = 2
FUNCTIONS = 3  # two launchers, which is the least, and a notifier
RAISE = (
    "aws service-quotas request-service-quota-increase --service-code codebuild --quota-code {code} --desired-value 10 "
    "(free of charge; minutes to days)"
)


def quota_name(compute_type: str, architecture: str) -> str:
    """Of the quota that bounds builds of this compute type, such as BUILD_GENERAL1_SMALL."""
    size = SIZES.get(compute_type.rpartition("_")[2], compute_type)
    return f"Concurrently running builds for {SYSTEMS[architecture]}/{size} environment"


def builds(place: Place, compute_types: Iterable[str], architecture: str) -> list[Finding]:
    pages = place.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="codebuild")
    quotas = {quota["QuotaName"]: quota for page in pages for quota in page["Quotas"]}
    return [of_builds(quota_name(kind, architecture), quotas) for kind in sorted(set(compute_types))]


def of_builds(name: str, quotas: dict[str, dict[str, Any]]) -> Finding:
    quota = quotas.get(name)
    if quota is None:
        do = "aws service-quotas list-service-quotas --service-code codebuild, and look for it"
        return Finding("builds", Grade.UNKNOWN, f"the account shows no quota called {name!r}", do)
    value, do = int(quota["Value"]), RAISE.format(code=quota["QuotaCode"])
    if value < 1:
        return Finding("builds", Grade.PROBLEM, f"{name}: {value}, so that nothing can be built", do)
    if value < ENOUGH_BUILDS:
        return Finding("builds", Grade.WARNING, f"{name}: {value}, so that all projects take turns (account_limit)", do)
    # AWS holds some new accounts at 0 whatever their quota says, and shows that nowhere.
    return Finding("builds", Grade.GOOD, f"{name}: {value}")


def functions(place: Place) -> list[Finding]:
    limit = place.client("lambda").get_account_settings()["AccountLimit"]
    free, all_ = int(limit["UnreservedConcurrentExecutions"]), int(limit["ConcurrentExecutions"])
    saw = f"{free} of {all_} concurrent executions of functions are not reserved"
    if free < FUNCTIONS:
        do = f"reserve fewer for other functions, or ask for more: launcher and notifier need {FUNCTIONS}"
        return [Finding("functions", Grade.PROBLEM, saw, do)]
    return [Finding("functions", Grade.GOOD, saw)]
