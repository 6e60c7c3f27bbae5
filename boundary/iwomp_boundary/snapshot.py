"""The policies of a pipeline as they are applied: read back from the account or the emulator, never from Terraform."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from iwomp_boundary.identities import Identity, document, managed_policy, pages, roles_of, users_of
from iwomp_boundary.pipeline import TREES, Pipeline, iam_prefix
from iwomp_boundary.policy import Document

Client = Callable[[str], Any]
ABSENT = (
    "NoSuchEntity",
    "ParameterNotFound",
    "RepositoryNotFoundException",
    "RepositoryPolicyNotFoundException",
    "ResourceNotFoundException",
)


@dataclass
class Project:
    """What belongs to one project. `image` and `deploy_role` are ARNs, if it has them.

    `boundary` bounds what its deployments make: under `path`, with the policy `boundary_arn`.
    """

    name: str
    role: str
    image: str | None
    deploy_role: str | None
    path: str
    boundary_arn: str
    boundary: Document | None


@dataclass(frozen=True)
class Broker:
    """What there is for a GitHub App: a role and a function with its aliases, and the key in KMS that is the App's."""

    role: str
    function: str
    aliases: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class Own:
    """What a CI's identity is for: topics to publish on, and whose builds and logs it may see, by `publisher.read`."""

    topics: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()  # of these topics
    reads: str | None = None  # status or log


NOTHING = Own()


@dataclass
class Snapshot:
    """A pipeline's principals and things, with every policy document that speaks of them."""

    account: str
    region: str
    partition: str
    config_path: str
    projects: dict[str, Project]
    identities: dict[str, Identity]  # by ARN
    publishers: dict[str, tuple[str, ...]]  # ARN of a CI's identity, and the topics that it is for
    resources: dict[str, Document]  # resource policies by ARN; an empty one where there is none
    topics: tuple[str, ...]
    queues: tuple[str, str]  # of triggers, of dead letters
    key: str
    launcher: str  # its role
    function: str
    notifier: str  # its role
    notifier_function: str
    courier: str  # its role
    courier_function: str
    event_buses: tuple[str, ...]  # where the courier puts events: the platform team's, if there is one
    deliveries: tuple[str, str]  # what the courier is to deliver, and what it gave up
    reports: str  # the topic of what the notifier says
    scheduler: str  # the role of the schedules
    schedules: dict[str, str]  # ARN of each, and of what it is aimed at
    repository: str
    broker: Broker | None = None

    def arn(self, service: str, rest: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{rest}"

    @property
    def functions(self) -> tuple[str, ...]:
        """Every function, and every alias of one."""
        found = (self.function, self.notifier_function, self.courier_function)
        if self.broker is None:
            return found
        return (*found, self.broker.function, *self.broker.aliases)

    @property
    def app_key(self) -> tuple[str, ...]:
        return (self.broker.key,) if self.broker else ()

    @property
    def dashboard(self) -> str:
        """Of all regions, as AWS has it."""
        return f"arn:{self.partition}:cloudwatch::{self.account}:dashboard/{self.iam_prefix}pipeline"

    @property
    def roles(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role"

    @property
    def iam_prefix(self) -> str:
        """What the names of the pipeline's roles and users begin with: IAM is the whole account's."""
        return iam_prefix(self.config_path, self.region)

    def own(self, arn: str) -> Own:
        """What an identity of a CI is for. Terraform says in a policy's name what it shall read."""
        topics = self.publishers.get(arn, ())
        beginning = self.arn("sns", f"{self.config_path}--")
        projects = tuple(topic.removeprefix(beginning) for topic in topics if topic.startswith(beginning))
        levels = (level for level in ("log", "status") if f"read-{level}" in self.identities[arn].policies)
        return Own(topics, projects, next(levels, None))

    def parameters_of(self, project: str, *branches: str) -> list[str]:
        """The names of a project's parameters, with the records of these branches; see contract/src/parameter.rs."""
        names = [f"/{self.config_path}{tree}/{project}" for tree in ("", *(f"-{tree}" for tree in TREES))]
        names.append(f"/{self.config_path}-notify/{project}/slack")
        return names + [f"/{self.config_path}-deployed/{project}/{branch}" for branch in branches]


def read(pipeline: Pipeline, extra_publishers: dict[str, tuple[str, ...]]) -> Snapshot:
    """Reads everything back. `extra_publishers` are CI identities that were made by hand, with their topics."""
    client, cp = pipeline.client, pipeline["config_path"]
    partition, region, account = pipeline["partition"], pipeline["region"], pipeline["account"]
    iam, prefix = client("iam"), pipeline.iam_prefix
    builds = pipeline.projects()
    arns = {name: build["serviceRole"] for name, build in builds.items()}
    functions = [pipeline.description[name]["function"] for name in ("launcher", "notifier", "courier")]
    function, notifier, courier = (function_called(client, name) for name in functions)
    schedules = list(schedules_of(client, cp))
    # One role for all schedules; a second one is nobody's that is known here, and held to the least.
    scheduler = next(schedule["Target"]["RoleArn"] for schedule in schedules)
    topics = list(topics_of(client, {cp, *(f"{cp}--{name}" for name in arns)}))
    reports, key = pipeline["reports_topic_arn"], pipeline["kms_key_arn"]
    broker = broker_of(pipeline)
    ours = [*arns.values(), function["Role"], notifier["Role"], courier["Role"], scheduler]
    ours += [broker.role] if broker else []
    identities = {
        identity.arn: identity
        for identity in (
            *roles_of(iam, prefix, [*ours, *extra_publishers]),
            *users_of(iam, prefix, [*extra_publishers]),
        )
    }
    made = pipeline.publishers()
    named = {arn: (made[each.name],) for arn, each in identities.items() if each.name in made} | extra_publishers
    kinds = ("queue_url", "dead_letter_queue_url", "deliveries_queue_url", "deliveries_dead_letter_queue_url")
    urls = [pipeline[name] for name in kinds]
    queues = [queue_arn(client, url) for url in urls]
    repository = f"arn:{partition}:ecr:{region}:{account}:repository/{cp.lower()}"
    return Snapshot(
        account=account,
        region=region,
        partition=partition,
        config_path=cp,
        projects=projects_of(pipeline, builds),
        identities=identities,
        # Whatever else bears the pipeline's prefix is held to the least: to publish, and on no topic.
        publishers={arn: named.get(arn, ()) for arn in identities if arn not in ours},
        resources={
            **{arn: topic_policy(client, arn) for arn in (*topics, reports)},
            **{arn: queue_policy(client, url) for arn, url in zip(queues, urls, strict=True)},
            key: key_policy(client, key),
            function["FunctionArn"]: function_policy(client, functions[0]),
            notifier["FunctionArn"]: function_policy(client, functions[1]),
            courier["FunctionArn"]: function_policy(client, functions[2]),
            repository: repository_policy(client, cp.lower()),
            **({broker.key: key_policy(client, broker.key)} if broker else {}),
            **({broker.function: function_policy(client, f"{cp}--broker")} if broker else {}),
            **{arn: function_policy(client, arn) for arn in (broker.aliases if broker else ())},
        },
        topics=tuple(topics),
        queues=(queues[0], queues[1]),
        key=key,
        launcher=function["Role"],
        function=function["FunctionArn"],
        notifier=notifier["Role"],
        notifier_function=notifier["FunctionArn"],
        courier=courier["Role"],
        courier_function=courier["FunctionArn"],
        event_buses=tuple(arn for name, arn in courier["Environment"]["Variables"].items() if name == "EVENTBUSARN"),
        deliveries=(queues[2], queues[3]),
        reports=reports,
        scheduler=scheduler,
        schedules={schedule["Arn"]: schedule["Target"]["Arn"] for schedule in schedules},
        repository=repository,
        broker=broker,
    )


def broker_of(pipeline: Pipeline) -> Broker | None:
    described = pipeline.description.get("broker")
    if described is None:
        return None
    function = function_called(pipeline.client, described["function"])
    found = pages(pipeline.client("lambda"), "list_aliases", FunctionName=described["function"])
    aliases = tuple(alias["AliasArn"] for page in found for alias in page["Aliases"])
    return Broker(function["Role"], function["FunctionArn"], aliases, described["key_arn"])


def asked(call: Callable[[], Any]) -> Any:
    """An answer, or None where AWS says that there is no such thing."""
    try:
        return call()
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise


# Things with policies of their own


def topics_of(client: Client, names: set[str]) -> Iterator[str]:
    for page in pages(client("sns"), "list_topics"):
        for topic in page["Topics"]:
            if topic["TopicArn"].rpartition(":")[2] in names:
                yield topic["TopicArn"]


def topic_policy(client: Client, arn: str) -> Document:
    attributes = client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    return document(attributes["Policy"]) if attributes.get("Policy") else default_topic_policy(arn)


def default_topic_policy(arn: str) -> Document:
    """What SNS gives to a topic without a policy: anybody of the account may do nearly anything with it."""
    account = arn.split(":")[4]
    actions = (
        "GetTopicAttributes SetTopicAttributes AddPermission RemovePermission DeleteTopic Subscribe "
        "ListSubscriptionsByTopic Publish"
    )
    return {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in actions.split()],
                "Resource": arn,
                "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
            }
        ],
    }


def queue_arn(client: Client, url: str) -> str:
    return str(client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def queue_policy(client: Client, url: str) -> Document:
    answer = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    return document(answer.get("Attributes", {}).get("Policy") or "{}")


def key_policy(client: Client, arn: str) -> Document:
    return document(client("kms").get_key_policy(KeyId=arn, PolicyName="default")["Policy"])


def function_called(client: Client, name: str) -> dict[str, Any]:
    configuration: dict[str, Any] = client("lambda").get_function(FunctionName=name)["Configuration"]
    return configuration


def function_policy(client: Client, name: str) -> Document:
    answer = asked(lambda: client("lambda").get_policy(FunctionName=name))
    return document(answer["Policy"]) if answer else {}


def repository_policy(client: Client, name: str) -> Document:
    answer = asked(lambda: client("ecr").get_repository_policy(repositoryName=name))
    return document(answer["policyText"]) if answer else {}


# Schedules


def schedules_of(client: Client, group: str) -> Iterator[dict[str, Any]]:
    scheduler = client("scheduler")
    for page in pages(scheduler, "list_schedules", GroupName=group):
        for schedule in page["Schedules"]:
            if schedule["GroupName"] == group:
                yield scheduler.get_schedule(GroupName=group, Name=schedule["Name"])


# Projects


def projects_of(pipeline: Pipeline, builds: dict[str, dict[str, Any]]) -> dict[str, Project]:
    client, found = pipeline.client, {}
    for name, build in builds.items():
        names = pipeline.names(name, build)
        found[name] = Project(
            name,
            names.role_arn,
            image_repository(build["environment"]["image"], pipeline["partition"]),
            deploy_role(client, names.register),
            names.path,
            names.boundary_arn,
            asked(functools.partial(managed_policy, client("iam"), names.boundary_arn)),
        )
    return found


def image_repository(image: str, partition: str) -> str | None:
    host, _, path = image.partition("/")
    parts = host.split(".")
    if parts[1:3] != ["dkr", "ecr"]:
        return None
    return f"arn:{partition}:ecr:{parts[3]}:{parts[0]}:repository/{path.partition('@')[0].partition(':')[0]}"


def deploy_role(client: Client, register: str) -> str | None:
    """What the register entry names, if it can be read without a key."""
    answer = asked(lambda: client("ssm").get_parameter(Name=register))
    if answer is None or answer["Parameter"]["Type"] != "String":
        return None
    try:
        entry = json.loads(answer["Parameter"]["Value"])
    except ValueError:
        return None
    role = entry.get("deployRoleArn") if isinstance(entry, dict) else None
    return role if isinstance(role, str) else None
