"""Ways to weaken a pipeline by a whole document. Each yields what it did, where, and the document to put there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from iwomp_boundary.identities import Identity
from iwomp_boundary.policy import Document
from iwomp_boundary.snapshot import Broker, Snapshot, default_topic_policy
from iwomp_boundary.subjects import FENCE, FOREIGN_ACCOUNT, is_deploy, listed
from place import Place

MANAGED = {
    "AdministratorAccess": {"Effect": "Allow", "Action": "*", "Resource": "*"},
    "PowerUserAccess": {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
    "AmazonSNSFullAccess": {"Effect": "Allow", "Action": "sns:*", "Resource": "*"},
    "AmazonSQSFullAccess": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
    "AmazonSSMFullAccess": {"Effect": "Allow", "Action": "ssm:*", "Resource": "*"},
    "AWSCodeBuildDeveloperAccess": {"Effect": "Allow", "Action": ["codebuild:StartBuild", "ssm:Put*"], "Resource": "*"},
    "AWSLambda_FullAccess": {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"},
}
GRANTS = {
    "PassRole": ("iam:PassRole", "*"),
    "AssumeRole": ("sts:AssumeRole", "*"),
    "StartBuild": ("codebuild:StartBuild", "*"),
    "Decrypt": ("kms:Decrypt", "*"),
    "Invoke": ("lambda:InvokeFunction", "*"),
    "PutParameter": ("ssm:PutParameter", "*"),
    "ReadSecrets": ("secretsmanager:GetSecretValue", "*"),
}


def the_broker(snapshot: Snapshot) -> Broker:
    assert snapshot.broker is not None, "the pipeline that is weakened has a GitHub App"
    return snapshot.broker


Enlarge = Callable[[Snapshot], Iterator[tuple[str, Place, Document]]]
PIPELINES: dict[str, Enlarge] = {}


def of_pipeline(enlarge: Enlarge) -> Enlarge:
    PIPELINES[enlarge.__name__] = enlarge
    return enlarge


def one_of_each(snapshot: Snapshot) -> Iterator[Identity]:
    project = next(iter(snapshot.projects.values()), None)
    programs = (snapshot.launcher, snapshot.notifier, snapshot.courier, snapshot.scheduler, the_broker(snapshot).role)
    for arn in (*programs, *snapshot.publishers, *([project.role] if project else [])):
        yield snapshot.identities[arn]


@of_pipeline
def managed_policy_attached(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    for identity in one_of_each(snapshot):
        for name, statement in MANAGED.items():
            place = Place("identity", identity.arn, f"arn:aws:iam::aws:policy/{name}")
            # These change nothing for a project's role: its boundary and its fence are there for them.
            if FENCE not in identity.policies:
                yield f"{identity.name} / {name}", place, {"Statement": statement}


@of_pipeline
def right_added(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    for identity in one_of_each(snapshot):
        for name, (action, resource) in GRANTS.items():
            place = Place("identity", identity.arn, "added")
            statement = {"Effect": "Allow", "Action": action, "Resource": resource}
            yield f"{identity.name} / {name}", place, {"Statement": statement}


@of_pipeline
def another_projects_things(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """Every document of one project that names it, with the other's name in place of its own."""
    if len(snapshot.projects) == 1:
        return  # there is nobody else whose things it could be
    one, other = list(snapshot.projects)[:2]
    cp, role = snapshot.config_path, snapshot.projects[one].role
    identity = snapshot.identities[role]
    for place in (
        *(Place("identity", role, name) for name in identity.policies if name != FENCE),
        Place("trust", role),
    ):
        text = json.dumps(place.of(snapshot))
        for own in (f"{cp}/{one}", f"{cp}--{one}", f"{cp}-credentials/{one}", f"{cp}-deployed/{one}"):
            if own in text and not is_deploy(place.name):
                theirs = text.replace(own, own.removesuffix(one) + other)
                yield f"{place} / {own}", place, json.loads(theirs)


@of_pipeline
def no_explicit_topic_policy(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    for topic in (*snapshot.topics, snapshot.reports):
        yield topic, Place("resource", topic), default_topic_policy(topic)


@of_pipeline
def topic_for_everybody(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    for topic in (*snapshot.topics, snapshot.reports):
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": topic}
        yield topic, Place("resource", topic), {"Statement": statement}


@of_pipeline
def topic_denies_nobody_from_outside(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """With the Deny turned round: to drop it alone opens nothing, since nothing is allowed there."""
    for topic in (*snapshot.topics, snapshot.reports):
        text = json.dumps(snapshot.resources[topic]).replace('"Deny"', '"Allow"')
        yield topic, Place("resource", topic), json.loads(text)


@of_pipeline
def publisher_of_another_topic(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    for arn in snapshot.publishers:
        place = Place("identity", arn, "added")
        topic = snapshot.arn("sns", f"{snapshot.config_path}--another")
        statement = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}
        yield arn, place, {"Statement": statement}


@of_pipeline
def publisher_reads_further(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """It waits for its own project's builds, if it reads at all: it is to see nothing else, and to change nothing."""
    cp, arn, parameters = snapshot.config_path, snapshot.arn, snapshot.arn("ssm", "parameter")
    for identity in snapshot.publishers:
        own = snapshot.own(identity)
        (name,) = own.projects or ("x",)
        build, group = arn("codebuild", f"project/{cp}--{name}"), arn("logs", f"log-group:/aws/codebuild/{cp}--{name}")
        asked_for = {None: (), "status": (0, 1), "log": (0, 1, 2)}[own.reads]
        reads = (
            ("codebuild:BatchGetBuilds", build),
            ("codebuild:ListBuildsForProject", build),
            ("logs:GetLogEvents", f"{group}:log-stream:*"),
        )
        for action, resource in (
            *(read for number, read in enumerate(reads) if number not in asked_for or not own.projects),
            ("codebuild:BatchGetBuilds", arn("codebuild", f"project/{cp}--*")),
            ("codebuild:BatchGetBuilds", f"{build}*"),
            ("codebuild:ListBuildsForProject", arn("codebuild", "project/*")),
            ("codebuild:ListBuilds", "*"),
            ("codebuild:BatchGetProjects", build),
            ("codebuild:StartBuild", build),
            ("codebuild:StopBuild", build),
            ("codebuild:RetryBuild", build),
            ("logs:GetLogEvents", arn("logs", f"log-group:/aws/codebuild/{cp}--*")),
            ("logs:GetLogEvents", f"{group}*"),
            ("logs:GetLogEvents", arn("logs", f"log-group:/aws/lambda/{cp}--launcher:*")),
            ("logs:FilterLogEvents", group),
            ("logs:PutLogEvents", f"{group}:log-stream:*"),
            ("logs:StartLiveTail", group),
            ("ssm:GetParameter", f"{parameters}/{cp}/{name}"),
            ("ssm:GetParameter", f"{parameters}/{cp}-deployed/{name}/*"),
            ("ssm:GetParameter", f"{parameters}/{cp}-credentials/{name}"),
            ("ssm:GetParameter", f"{parameters}/{cp}/_pipeline"),
        ):
            statement = {"Effect": "Allow", "Action": action, "Resource": resource}
            what = f"{identity.rpartition('/')[2]} / {action} on {resource.rpartition(':')[2]}"
            yield what, Place("identity", identity, "added"), {"Statement": statement}


@of_pipeline
def publisher_reads_anothers(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """A policy for reading that names another project."""
    for identity in snapshot.publishers:
        own = snapshot.own(identity)
        if own.reads:
            place = Place("identity", identity, f"read-{own.reads}")
            mine, theirs = (f"{snapshot.config_path}--{name}" for name in (own.projects[0], "another"))
            yield identity, place, json.loads(json.dumps(place.of(snapshot)).replace(mine, theirs))


@of_pipeline
def usual_key_policy(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    root = f"arn:{snapshot.partition}:iam::{snapshot.account}:root"
    for actions in ("kms:*", ["kms:Decrypt"], ["kms:CreateGrant"], ["kms:ReEncryptFrom"]):
        statement = {"Effect": "Allow", "Principal": {"AWS": root}, "Action": actions, "Resource": "*"}
        document = snapshot.resources[snapshot.key]
        made = {**document, "Statement": [*listed(document), statement]}
        yield f"{actions}", Place("resource", snapshot.key), made


@of_pipeline
def thing_opened(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """A policy on what has none, or beside the one that it has."""
    for arn, action in (
        (snapshot.function, "lambda:InvokeFunction"),
        (snapshot.function, "lambda:UpdateFunctionCode"),
        (snapshot.notifier_function, "lambda:InvokeFunction"),
        (snapshot.notifier_function, "lambda:UpdateFunctionConfiguration"),
        (snapshot.repository, "ecr:PutImage"),
        (snapshot.courier_function, "lambda:InvokeFunction"),
        *((arn, "lambda:InvokeFunction") for arn in (the_broker(snapshot).function, *the_broker(snapshot).aliases[:2])),
        *(
            (queue, action)
            # But not the queue of deliveries: whoever may send there, it denies that by itself.
            for queue in (*snapshot.queues, snapshot.deliveries[1])
            for action in ("sqs:SendMessage", "sqs:ReceiveMessage")
        ),
    ):
        document = snapshot.resources[arn]
        for principal in ("*", {"AWS": FOREIGN_ACCOUNT}, {"Service": "s3.amazonaws.com"}):
            statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": arn}
            made = {**document, "Statement": [*listed(document), statement]}
            yield f"{arn.rpartition(':')[2]} / {action} / {principal}", Place("resource", arn), made


@of_pipeline
def reports_of_others(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """Everybody who may publish on anything could make one up, were it not denied on the topic itself."""
    yield from spoken_by_others(snapshot, snapshot.reports, "sns:Publish")


@of_pipeline
def news_of_others(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """And everybody who may send to any queue could have the courier say anything."""
    yield from spoken_by_others(snapshot, snapshot.deliveries[0], "sqs:SendMessage")


def spoken_by_others(snapshot: Snapshot, thing: str, action: str) -> Iterator[tuple[str, Place, Document]]:
    document = snapshot.resources[thing]
    deny = next(statement for statement in listed(document) if statement["Action"] == action)
    rest = [statement for statement in listed(document) if statement is not deny]
    role = snapshot.notifier
    for what, condition in (
        ("not denied", None),
        ("denied outside only", {"StringNotEquals": {"aws:PrincipalAccount": [snapshot.account]}}),
        ("any role of the pipeline", {"ArnNotLike": {"aws:PrincipalArn": role.replace("notifier", "*")}}),
        ("any role at all", {"ArnNotLike": {"aws:PrincipalArn": f"{snapshot.roles}/*"}}),
        ("denied to the notifier only", {"ArnEquals": {"aws:PrincipalArn": role}}),
        ("denied to services only", {"Bool": {"aws:PrincipalIsAWSService": "true"}}),
    ):
        changed = [] if condition is None else [{**deny, "Condition": condition}]
        yield what, Place("resource", thing), {**document, "Statement": [*changed, *rest]}


@of_pipeline
def notifier_reaches_further(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """Rights that somebody may think it needs: it is to learn no secret, and to write nothing but its marks."""
    cp, arn, parameters = snapshot.config_path, snapshot.arn, snapshot.arn("ssm", "parameter")
    for action, resource in (
        ("kms:Decrypt", snapshot.key),
        ("kms:GenerateDataKey", snapshot.key),
        ("codebuild:StartBuild", arn("codebuild", f"project/{cp}--*")),
        ("codebuild:StopBuild", arn("codebuild", f"project/{cp}--*")),
        ("codebuild:BatchGetProjects", arn("codebuild", f"project/{cp}--*")),
        ("sns:Publish", arn("sns", f"{cp}--*")),
        *(("sns:Publish", topic) for topic in snapshot.topics[:2]),
        ("sns:Subscribe", snapshot.reports),
        ("ssm:GetParameter", f"{parameters}/{cp}/*"),
        ("ssm:GetParameter", f"{parameters}/{cp}-credentials/*"),
        ("ssm:GetParametersByPath", f"{parameters}/{cp}-credentials"),
        ("ssm:GetParametersByPath", f"{parameters}/*"),
        ("ssm:GetParameterHistory", f"{parameters}/{cp}/*"),
        ("ssm:PutParameter", f"{parameters}/{cp}-deployed/*"),
        ("ssm:PutParameter", f"{parameters}/{cp}-paused/*"),
        ("ssm:DeleteParameter", f"{parameters}/{cp}-reported/*"),
        ("ssm:DeleteParameter", f"{parameters}/{cp}-paused/*"),
        ("ssm:DeleteParameter", f"{parameters}/{cp}-*/*"),
        ("ssm:DeleteParameters", f"{parameters}/{cp}-deployed/*/*"),
        ("sqs:ReceiveMessage", snapshot.queues[0]),
        ("sqs:SendMessage", snapshot.queues[1]),
        ("scheduler:UpdateSchedule", arn("scheduler", f"schedule/{cp}/*")),
        ("events:PutTargets", arn("events", f"rule/{cp}--*")),
    ):
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        place = Place("identity", snapshot.notifier, "added")
        yield f"{action} on {resource.rpartition(':')[2]}", place, {"Statement": statement}


@of_pipeline
def courier_reaches_further(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """It talks to hosts that projects choose: of the pipeline it is to have no more than their targets' secrets."""
    cp, arn, parameters = snapshot.config_path, snapshot.arn, snapshot.arn("ssm", "parameter")
    for action, resource in (
        ("kms:Decrypt", snapshot.key),
        ("codebuild:StartBuild", arn("codebuild", f"project/{cp}--*")),
        ("codebuild:BatchGetBuilds", arn("codebuild", f"project/{cp}--*")),
        *(("sns:Publish", topic) for topic in snapshot.topics[:2]),
        ("ssm:GetParameter", f"{parameters}/{cp}/*"),
        ("ssm:GetParameter", f"{parameters}/{cp}-*"),
        ("ssm:GetParameter", f"{parameters}/{cp}-credentials/*"),
        ("ssm:GetParameters", f"{parameters}/{cp}-notify/*"),
        ("ssm:PutParameter", f"{parameters}/{cp}-notify/*"),
        ("ssm:PutParameter", f"{parameters}/{cp}/*"),
        ("sqs:SendMessage", snapshot.queues[0]),
        ("sqs:ReceiveMessage", snapshot.deliveries[1]),
    ):
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        place = Place("identity", snapshot.courier, "added")
        yield f"{action} on {resource.rpartition(':')[2]}", place, {"Statement": statement}


@of_pipeline
def broker_reaches_further(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """It reads entries and signs. Neither a secret nor another's alias is anything to it."""
    cp, arn, parameters = snapshot.config_path, snapshot.arn, snapshot.arn("ssm", "parameter")
    broker = the_broker(snapshot)
    for action, resource in (
        ("kms:PutKeyPolicy", broker.key),
        ("kms:Decrypt", snapshot.key),
        ("ssm:PutParameter", f"{parameters}/{cp}/*"),
        ("ssm:GetParameter", f"{parameters}/{cp}-credentials/*"),
        ("ssm:GetParameter", f"{parameters}/{cp}-notify/*"),
        ("lambda:InvokeFunction", broker.aliases[0]),
        ("codebuild:StartBuild", arn("codebuild", f"project/{cp}--*")),
    ):
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        yield f"{action} on {resource}", Place("identity", broker.role, "added"), {"Statement": statement}


@of_pipeline
def app_key_opened(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """Its policy is what keeps everybody else from signing, whatever their own policies say."""
    key = the_broker(snapshot).key
    document = snapshot.resources[key]
    root = {"AWS": f"arn:{snapshot.partition}:iam::{snapshot.account}:root"}
    for action in ("kms:*", "kms:Sign", "kms:CreateGrant"):
        statement = {"Effect": "Allow", "Principal": root, "Action": action, "Resource": "*"}
        yield action, Place("resource", key), {**document, "Statement": [*listed(document), statement]}


@of_pipeline
def app_key_left_to_builds(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """A key that no fence knows yet, or no longer, has only its own policy."""
    key = the_broker(snapshot).key
    document = snapshot.resources[key]
    deny = next(statement for statement in listed(document) if statement["Effect"] == "Deny")
    rest = [statement for statement in listed(document) if statement is not deny]
    yield "not denied", Place("resource", key), {**document, "Statement": rest}
    patterns = deny["Condition"]["ArnLike"]["aws:PrincipalArn"]
    for name in patterns:
        others = {"ArnLike": {"aws:PrincipalArn": [other for other in patterns if other != name]}}
        yield (
            f"not to {name}",
            Place("resource", key),
            {**document, "Statement": [*rest, {**deny, "Condition": others}]},
        )
    for action in ("kms:PutKeyPolicy", "kms:GetParametersForImport", "kms:ScheduleKeyDeletion"):
        fewer = {**deny, "NotAction": ["kms:Sign", action]}
        yield f"but for {action}", Place("resource", key), {**document, "Statement": [*rest, fewer]}


@of_pipeline
def others_ask_the_broker(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """A right on the function, on the aliases of others, or on those of another purpose."""
    function = the_broker(snapshot).function
    project = next(iter(snapshot.projects.values()))
    for role, name in ((snapshot.courier, "courier"), (project.role, "worker")):
        for resource in (function, f"{function}:*", f"{function}:fetch-x-other", f"{function}:$LATEST"):
            statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": resource}
            document = snapshot.identities[role].policies[name]
            made = {**document, "Statement": [*listed(document), statement]}
            yield f"{name} / {resource}", Place("identity", role, name), made


@of_pipeline
def scheduler_reaches_further(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """It publishes where there is a schedule, and calls the notifier. The reports' topic keeps it off by itself."""
    cp, arn = snapshot.config_path, snapshot.arn
    for action, resource in (
        ("sns:Publish", arn("sns", f"{cp}--*")),
        ("sns:Publish", f"{arn('sns', cp)}*"),
        ("sns:Publish", arn("sns", f"{cp}--not-scheduled")),
        ("lambda:InvokeFunction", snapshot.function),
        ("lambda:InvokeFunction", arn("lambda", f"function:{cp}--*")),
        ("codebuild:StartBuild", arn("codebuild", f"project/{cp}--*")),
        ("sqs:SendMessage", snapshot.queues[0]),
        ("iam:PassRole", snapshot.scheduler),
    ):
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        place = Place("identity", snapshot.scheduler, "added")
        yield f"{action} on {resource.rpartition(':')[2]}", place, {"Statement": statement}


@of_pipeline
def scheduler_of_others(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """A trust that lets in schedules of another group or account."""
    group = snapshot.arn("scheduler", f"schedule-group/{snapshot.config_path}")
    account = {"aws:SourceAccount": snapshot.account}
    for what, condition in (
        ("no condition", {}),
        ("any schedule of the account", {"StringEquals": account}),
        ("a group of this name in any account", {"ArnLike": {"aws:SourceArn": group.replace(snapshot.account, "*")}}),
        ("any group", {"StringEquals": account, "ArnLike": {"aws:SourceArn": group.rpartition("/")[0] + "/*"}}),
        ("groups that begin so", {"StringEquals": account, "ArnLike": {"aws:SourceArn": f"{group}*"}}),
    ):
        service = {"Service": "scheduler.amazonaws.com"}
        statement = {"Effect": "Allow", "Principal": service, "Action": "sts:AssumeRole", "Condition": condition}
        yield what, Place("trust", snapshot.scheduler), {"Statement": statement}


@of_pipeline
def unknown_role_of_the_pipeline(snapshot: Snapshot) -> Iterator[tuple[str, Place, Document]]:
    """A role with the pipeline's prefix that nothing is stated of may do nothing."""
    arn = f"{snapshot.roles}/{snapshot.iam_prefix}x"
    grant: Document = {"Statement": {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}}
    yield arn, Place("identity", arn, "x"), grant
