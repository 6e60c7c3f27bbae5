"""What a pipeline of a name still has in an account. Terraform's destroy knows what it made; this asks AWS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from iwomp_account.place import Place, one_line


@dataclass(frozen=True)
class Kind:
    """One kind of resource: how AWS lists it."""

    what: str
    service: str
    call: str
    answer: str  # the list in the answer
    name: str  # the field of an item; empty if the item is the name


KINDS = (
    Kind("role", "iam", "list_roles", "Roles", "RoleName"),
    Kind("user", "iam", "list_users", "Users", "UserName"),
    Kind("function", "lambda", "list_functions", "Functions", "FunctionName"),
    Kind("log group", "logs", "describe_log_groups", "logGroups", "logGroupName"),
    Kind("queue", "sqs", "list_queues", "QueueUrls", ""),
    Kind("topic", "sns", "list_topics", "Topics", "TopicArn"),
    Kind("build project", "codebuild", "list_projects", "projects", ""),
    Kind("image repository", "ecr", "describe_repositories", "repositories", "repositoryName"),
    Kind("key alias", "kms", "list_aliases", "Aliases", "AliasName"),
    Kind("alarm", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    Kind("event rule", "events", "list_rules", "Rules", "Name"),
    Kind("schedule group", "scheduler", "list_schedule_groups", "ScheduleGroups", "Name"),
    Kind("parameter", "ssm", "describe_parameters", "Parameters", "Name"),
)

# terraform/names.tf: of the trees of parameters all but the register, whose entries are Terraform's, or somebody's own.
TREES = ("credentials", "deployed", "notify", "paused", "reported")


def find(place: Place, name: str) -> list[str]:
    """Everything whose name holds `name`, which is as long and random as to be nobody else's."""
    found: list[str] = []
    for kind in KINDS:
        try:
            found += [f"{kind.what} {item}" for item in names(place, kind) if name in item]
        except (BotoCoreError, ClientError) as error:
            found.append(f"{kind.what}s cannot be listed: {one_line(error)}")
    return sorted(found)


def names(place: Place, kind: Kind) -> Iterator[str]:
    client = place.client(kind.service)
    if client.can_paginate(kind.call):
        pages: Any = client.get_paginator(kind.call).paginate()
    else:
        pages = [getattr(client, kind.call)()]
    for page in pages:
        for item in page.get(kind.answer) or []:
            yield str(item[kind.name]) if kind.name else str(item)


def remove_written(place: Place, config_path: str, more: Iterable[str] = ()) -> list[str]:
    """Deletes what builds, functions and people wrote under the pipeline's names, and what AWS made for their logs.

    Register entries are left to whoever wrote them. Says what could not be removed, and why.
    """
    left: list[str] = []
    ssm, logs = place.client("ssm"), place.client("logs")
    for name in [name for tree in TREES for name in parameters(place, f"/{config_path}-{tree}")] + [*more]:
        try:
            ssm.delete_parameter(Name=name)
        except ssm.exceptions.ParameterNotFound:
            continue
        except ClientError as error:
            left.append(f"parameter {name}: {one_line(error)}")
    # A function or a build that ends after its group was deleted makes it anew.
    for prefix in (f"/aws/lambda/{config_path}--", f"/aws/codebuild/{config_path}--"):
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        for group in [group for page in pages for group in page["logGroups"]]:
            try:
                logs.delete_log_group(logGroupName=group["logGroupName"])
            except logs.exceptions.ResourceNotFoundException:
                continue
            except ClientError as error:
                left.append(f"log group {group['logGroupName']}: {one_line(error)}")
    return left


def parameters(place: Place, path: str) -> list[str]:
    """The names of all parameters below a path."""
    pages = place.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
    return [str(parameter["Name"]) for page in pages for parameter in page["Parameters"]]
