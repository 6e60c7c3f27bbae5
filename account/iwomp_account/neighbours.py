"""Other pipelines of the account, and whether one of them, or its remains, has the name that ours is to have."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from iwomp_account import tools
from iwomp_account.findings import Finding, Grade
from iwomp_account.place import Place

# terraform/names.tf: what follows the config path. IAM's names carry the region, too, since IAM has none.
LAUNCHER, NOTIFIER = "--launcher", "--notifier"


def look(place: Place, config_path: str, own: Callable[[], str | None]) -> list[Finding]:
    """`own` asks which config path Terraform's state here knows; that takes a while, and is seldom needed."""
    if config_path in pipelines(place):
        return [taken(config_path, own())]
    return [leftovers(place, config_path)]


def pipelines(place: Place) -> list[str]:
    """The config paths of this region's pipelines: who has both a launcher and a notifier."""
    names = functions(place)
    launchers = {name.removesuffix(LAUNCHER) for name in names if name.endswith(LAUNCHER)}
    return sorted(launchers & {name.removesuffix(NOTIFIER) for name in names if name.endswith(NOTIFIER)})


def functions(place: Place) -> set[str]:
    """The names of all functions of the region."""
    pages = place.client("lambda").get_paginator("list_functions").paginate()
    return {function["FunctionName"] for page in pages for function in page["Functions"]}


def taken(config_path: str, own: str | None) -> Finding:
    if own == config_path:
        return Finding("name", Grade.GOOD, f"{config_path} is this folder's own pipeline")
    saw = f"a pipeline called {config_path} is here already, and Terraform's state in this folder does not know it"
    do = "deploy with the state that made it (its backend, `terraform init`), or set another config_path"
    return Finding("name", Grade.PROBLEM, saw, do)


def parts(place: Place, config_path: str) -> list[str]:
    """What there still is of a pipeline, so that what was written under its name may be of use yet.

    Queues are not asked for: SQS lists one for a minute after it was deleted.
    """
    builds = [
        name
        for page in place.client("codebuild").get_paginator("list_projects").paginate()
        for name in page["projects"]
    ]
    found = [f"function {name}" for name in sorted(functions(place)) if name.startswith(f"{config_path}--")]
    found += [f"build project {name}" for name in builds if name.startswith(f"{config_path}--")]
    try:
        place.client("ssm").get_parameter(Name=f"/{config_path}/_pipeline")
        found.append(f"parameter /{config_path}/_pipeline")
    except place.client("ssm").exceptions.ParameterNotFound:
        pass
    return found


def leftovers(place: Place, config_path: str) -> Finding:
    """What would make an apply stumble although no pipeline of the name runs here."""
    found = []
    iam, logs, kms = place.client("iam"), place.client("logs"), place.client("kms")
    role, group, alias = (
        f"{config_path}--{place.region}{LAUNCHER}",
        f"/aws/lambda/{config_path}{LAUNCHER}",
        f"alias/{config_path}",
    )
    try:
        iam.get_role(RoleName=role)
        found.append(f"IAM role {role}")
    except iam.exceptions.NoSuchEntityException:
        pass
    groups = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    found += [f"log group {group}" for known in groups if known["logGroupName"] == group]
    pages = kms.get_paginator("list_aliases").paginate()
    found += [f"key {alias}" for page in pages for known in page["Aliases"] if known["AliasName"] == alias]
    if not found:
        return Finding("name", Grade.GOOD, f"{config_path} is free here")
    do = (
        "set another config_path, or remove them if nothing uses them (terraform destroy with the state that made them)"
    )
    return Finding("name", Grade.PROBLEM, f"of the name {config_path} there are: {'; '.join(found)}", do)


def of_state(terraform: Path, run: tools.Run = tools.run) -> str | None:
    """The config path that Terraform's state in this folder knows; None if it knows none or cannot be read."""
    here = ["terraform", f"-chdir={terraform}"]
    said = run([*here, "output", "-json"])
    if said is None:  # a fresh clone: where the state is kept is known after init only
        plugins = os.environ.get("TF_PLUGIN_DIR")
        run([*here, "init", "-input=false", *([f"-plugin-dir={plugins}"] if plugins else [])])
        said = run([*here, "output", "-json"])
    try:
        outputs = json.loads(said or "{}")
    except ValueError:
        return None
    value = outputs.get("config_path", {}).get("value") if isinstance(outputs, dict) else None
    return value if isinstance(value, str) else None
