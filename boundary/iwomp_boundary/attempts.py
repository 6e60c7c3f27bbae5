"""Tries, with the CI's credentials, what they must not be able to do.

In an account only what could change nothing even if it were allowed: reads, dry runs, sessions of a few minutes, and a
message that is no trigger. The local AWS gets the changes too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError

from iwomp_boundary.pipeline import DESCRIPTION
from iwomp_boundary.snapshot import NOTHING, Own, Snapshot

Client = Callable[[str], Any]
DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException")
NOT_THERE = "x-not-there"
EMPTY_POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})


class Harm(Enum):
    """What a call could do if it were allowed."""

    NONE = "none"
    CHANGE = "change"


@dataclass(frozen=True)
class Attempt:
    """A call that has to be denied."""

    what: str
    harm: Harm
    service: str
    operation: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """What became of an attempt. `said` is AWS's error code, or what went through."""

    what: str
    held: bool
    said: str


def attempts(snapshot: Snapshot, own: Own = NOTHING) -> Iterator[Attempt]:
    """What a thief of the CI's key would try."""
    for project in snapshot.projects:
        reads = own.reads if project in own.projects else None
        build = f"{snapshot.config_path}--{project}"
        yield from on_parameters(snapshot, project)
        yield from on_builds(build)
        if reads is None:
            yield safe(f"list builds of {build}", "codebuild", "list_builds_for_project", projectName=build)
            yield safe(f"read a build of {build}", "codebuild", "batch_get_builds", ids=[f"{build}:{NOT_THERE}"])
        if reads != "log":
            stream = {"logGroupName": f"/aws/codebuild/{build}", "logStreamName": NOT_THERE}
            yield safe(f"read a log of {build}", "logs", "get_log_events", **stream)
    for topic in snapshot.topics:
        yield from on_topic(snapshot, topic)
        if topic not in own.topics:
            # No trigger of anything: even if it were taken, it would be refused.
            yield safe(f"publish on topic {last(topic)}", "sns", "publish", TopicArn=topic, Message="x")
    yield from on_topic(snapshot, snapshot.reports)
    yield safe("publish a report", "sns", "publish", TopicArn=snapshot.reports, Message="x")
    yield from on_queues(snapshot)
    yield from on_identities(snapshot)
    yield from on_function("launcher", last(snapshot.function))
    yield from on_function("notifier", last(snapshot.notifier_function))
    yield from on_function("courier", last(snapshot.courier_function))
    yield from on_broker(snapshot)
    yield from on_schedules(snapshot)
    yield from on_events(snapshot)
    yield from on_key_and_images(snapshot)
    yield from on_the_account(snapshot)


def on_parameters(snapshot: Snapshot, project: str) -> Iterator[Attempt]:
    for path in (*snapshot.parameters_of(project, "main"), f"/{snapshot.config_path}/{DESCRIPTION}"):
        yield safe(f"read {path}", "ssm", "get_parameter", Name=path)
        yield safe(f"decrypt {path}", "ssm", "get_parameter", Name=path, WithDecryption=True)
        yield safe(f"versions of {path}", "ssm", "get_parameter_history", Name=path)
        written = {"Name": path, "Value": "{}", "Type": "String", "Overwrite": True}
        yield change(f"write {path}", "ssm", "put_parameter", **written)
        yield change(f"delete {path}", "ssm", "delete_parameter", Name=path)


def on_builds(build: str) -> Iterator[Attempt]:
    mine = {"projectName": build, "buildspecOverride": "version: 0.2"}
    yield change(f"start {build}", "codebuild", "start_build", projectName=build)
    yield change(f"start {build}, own buildspec", "codebuild", "start_build", **mine)
    yield change(f"stop a build of {build}", "codebuild", "stop_build", id=f"{build}:{NOT_THERE}")
    yield safe(f"search the logs of {build}", "logs", "filter_log_events", logGroupName=f"/aws/codebuild/{build}")
    yield safe(f"read build project {build}", "codebuild", "batch_get_projects", names=[build])


def on_topic(snapshot: Snapshot, topic: str) -> Iterator[Attempt]:
    name, queue = last(topic), snapshot.arn("sqs", NOT_THERE)
    renamed = {"AttributeName": "DisplayName", "AttributeValue": "x"}
    opened = {"Label": "x", "AWSAccountId": [snapshot.account], "ActionName": ["Publish"]}
    yield safe(f"attributes of topic {name}", "sns", "get_topic_attributes", TopicArn=topic)
    yield safe(f"subscriptions of topic {name}", "sns", "list_subscriptions_by_topic", TopicArn=topic)
    yield change(f"subscribe to topic {name}", "sns", "subscribe", TopicArn=topic, Protocol="sqs", Endpoint=queue)
    yield change(f"change topic {name}", "sns", "set_topic_attributes", TopicArn=topic, **renamed)
    yield change(f"open topic {name} to others", "sns", "add_permission", TopicArn=topic, **opened)
    yield change(f"delete topic {name}", "sns", "delete_topic", TopicArn=topic)


def on_queues(snapshot: Snapshot) -> Iterator[Attempt]:
    for arn in (*snapshot.queues, *snapshot.deliveries):
        name = last(arn)
        # In an account its URL; the local AWS goes by the path.
        url = f"https://sqs.{snapshot.region}.amazonaws.com/{snapshot.account}/{name}"
        yield change(f"send to {name}", "sqs", "send_message", QueueUrl=url, MessageBody="{}")
        yield change(f"receive from {name}", "sqs", "receive_message", QueueUrl=url)
        yield change(f"empty {name}", "sqs", "purge_queue", QueueUrl=url)
        yield change(f"change {name}", "sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": ""})
        yield safe(f"attributes of {name}", "sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])


def on_identities(snapshot: Snapshot) -> Iterator[Attempt]:
    for arn in [*snapshot.identities, f"{snapshot.roles}/{NOT_THERE}"]:
        name = arn.rpartition("/")[2]
        if ":role/" in arn:
            policy = {"PolicyName": "x", "PolicyDocument": EMPTY_POLICY}
            yield safe(f"take role {name}", "sts", "assume_role", RoleArn=arn, RoleSessionName="verify")
            yield safe(f"read role {name}", "iam", "get_role", RoleName=name)
            yield change(f"give role {name} a policy", "iam", "put_role_policy", RoleName=name, **policy)
        else:
            yield change(f"make a key of user {name}", "iam", "create_access_key", UserName=name)


def on_function(what: str, name: str) -> Iterator[Attempt]:
    none: dict[str, Any] = {"Variables": {}}
    yield change(f"invoke the {what}", "lambda", "invoke", FunctionName=name, Payload=b"{}")
    group = {"logGroupName": f"/aws/lambda/{name}"}
    yield safe(f"read the {what}'s log", "logs", "get_log_events", **group, logStreamName=NOT_THERE)
    yield safe(f"dry-run the {what}", "lambda", "invoke", FunctionName=name, InvocationType="DryRun")
    yield safe(f"read the {what}'s code", "lambda", "get_function", FunctionName=name)
    variables = {"FunctionName": name, "Environment": none}
    yield change(f"change the {what}'s variables", "lambda", "update_function_configuration", **variables)


def on_broker(snapshot: Snapshot) -> Iterator[Attempt]:
    if snapshot.broker is None:
        return
    name, key = last(snapshot.broker.function), snapshot.broker.key
    yield from on_function("broker", name)
    for qualifier in (*map(last, snapshot.broker.aliases), "$LATEST"):
        asked = {"FunctionName": name, "Qualifier": qualifier}
        yield safe(f"dry-run broker {qualifier}", "lambda", "invoke", InvocationType="DryRun", **asked)
        yield change(f"ask broker {qualifier} for a token", "lambda", "invoke", Payload=b"{}", **asked)
    for alias in map(last, snapshot.broker.aliases):
        moved = {"FunctionName": name, "Name": alias, "FunctionVersion": "1"}
        yield change(f"move broker {alias}", "lambda", "update_alias", **moved)
    made = {"FunctionName": name, "Name": f"fetch-{NOT_THERE}", "FunctionVersion": "$LATEST"}
    yield change("make an alias of the broker", "lambda", "create_alias", **made)
    signed = {"Message": b"x", "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"}
    yield safe("sign as the App", "kms", "sign", KeyId=key, **signed)
    yield safe("read the App key's policy", "kms", "get_key_policy", KeyId=key, PolicyName="default")
    yield change("end the App's key", "kms", "schedule_key_deletion", KeyId=key)


def on_schedules(snapshot: Snapshot) -> Iterator[Attempt]:
    cp = snapshot.config_path
    mine = {
        "GroupName": cp,
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": snapshot.topics[0], "RoleArn": snapshot.scheduler, "Input": "{}"},
    }
    yield safe("list schedules", "scheduler", "list_schedules", GroupName=cp)
    yield change("make a schedule", "scheduler", "create_schedule", Name=NOT_THERE, **mine)
    for arn in snapshot.schedules:
        name = arn.rpartition("/")[2]
        yield safe(f"read schedule {name}", "scheduler", "get_schedule", GroupName=cp, Name=name)
        yield change(f"change schedule {name}", "scheduler", "update_schedule", Name=name, **mine)
        yield change(f"delete schedule {name}", "scheduler", "delete_schedule", GroupName=cp, Name=name)


def on_events(snapshot: Snapshot) -> Iterator[Attempt]:
    event = {"Source": NOT_THERE, "DetailType": "x", "Detail": "{}"}
    # Harmless to the pipeline; but who knows which rules the account has?
    yield change("say something as an event", "events", "put_events", Entries=[event])
    for name in (f"{snapshot.config_path}--build-changed", f"{snapshot.config_path}--register-changed"):
        yield safe(f"read rule {name}", "events", "describe_rule", Name=name)
        yield change(f"disable rule {name}", "events", "disable_rule", Name=name)
        yield change(f"end rule {name}", "events", "remove_targets", Rule=name, Ids=["notifier"])


def on_key_and_images(snapshot: Snapshot) -> Iterator[Attempt]:
    key, repository = snapshot.key, snapshot.repository.rpartition("/")[2]
    yield safe("read the key's policy", "kms", "get_key_policy", KeyId=key, PolicyName="default")
    yield safe("encrypt with the key", "kms", "encrypt", KeyId=key, Plaintext=b"x")
    yield safe("make a data key", "kms", "generate_data_key", KeyId=key, KeySpec="AES_256")
    yield change("disable the key", "kms", "disable_key", KeyId=key)
    yield safe("log in to the registry", "ecr", "get_authorization_token")
    yield safe("list images", "ecr", "list_images", repositoryName=repository)


def on_the_account(snapshot: Snapshot) -> Iterator[Attempt]:
    cp = snapshot.config_path
    entry, other = f"/{cp}/{NOT_THERE}", snapshot.arn("sns", f"{cp}--{NOT_THERE}")
    yield change("register a project", "ssm", "put_parameter", Name=entry, Value="{}", Type="String")
    yield safe("list the register", "ssm", "get_parameters_by_path", Path=f"/{cp}", Recursive=True)
    yield change("make a topic", "sns", "create_topic", Name=f"{cp}--{NOT_THERE}")
    yield safe("publish on a topic that is not there", "sns", "publish", TopicArn=other, Message="x")
    yield safe("read the settings of text messages", "sns", "get_sms_attributes")
    yield safe("list roles", "iam", "list_roles")
    yield safe("list users", "iam", "list_users")
    yield change("make a user", "iam", "create_user", UserName=NOT_THERE)
    yield safe("list log groups", "logs", "describe_log_groups")
    yield safe("list the account's builds", "codebuild", "list_builds")
    yield safe("list buckets", "s3", "list_buckets")
    yield safe("list secrets", "secretsmanager", "list_secrets")


def safe(what: str, service: str, operation: str, /, **arguments: Any) -> Attempt:
    return Attempt(what, Harm.NONE, service, operation, arguments)


def change(what: str, service: str, operation: str, /, **arguments: Any) -> Attempt:
    return Attempt(what, Harm.CHANGE, service, operation, arguments)


def last(arn: str) -> str:
    return arn.rpartition(":")[2]


def tried(attempt: Attempt, client: Client) -> Result:
    """Makes the call. Only a denial counts: any other error says that the call was let through."""
    try:
        getattr(client(attempt.service), attempt.operation)(**attempt.arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return Result(attempt.what, code in DENIED, code)
    return Result(attempt.what, False, "went through")
