"""What a project with AdministratorAccess cannot do to the pipeline and to other projects, tried on the local AWS.

Each of these went through before there was a boundary: by an action that names nothing of the pipeline, by what the
list of denials had forgotten, or in two hops, by way of a role that the build makes itself.
"""

from __future__ import annotations

import functools
import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_under_test import PipelineUnderTest
from sessions import Client, of_role

from iwomp_boundary.attempts import DENIED
from iwomp_boundary.snapshot import Snapshot
from iwomp_local.emulator import ACCOUNT, REGION

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
BY_THE_ACCOUNT = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
MINE, OTHER = "calm", "token"  # projects of the shared stack


@pytest.fixture
def role(pipeline: PipelineUnderTest) -> Iterator[str]:
    """For a while, a project may do all of AWS. By hand, since the shared stack is judged as applied."""
    arn: str = pipeline.stack.pipeline.outputs["projects"][MINE]["role_arn"]
    iam, name = pipeline.stack.emulator.client("iam"), arn.rpartition("/")[2]
    iam.put_role_policy(RoleName=name, PolicyName="project", PolicyDocument=json.dumps(EVERYTHING))
    yield arn
    iam.delete_role_policy(RoleName=name, PolicyName="project")


@pytest.fixture
def administrator(pipeline: PipelineUnderTest, role: str) -> Client:
    return of_role(pipeline.stack.emulator, role)


def refused(call: Callable[..., Any], /, **arguments: Any) -> bool:
    """Whether IAM denies the call. Any other error says that it was let through."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] in DENIED
    return False


def test_it_maps_no_queue_to_the_launcher_and_leaves_the_launchers_own_mapping(
    pipeline: PipelineUnderTest, administrator: Client, applied: Snapshot
) -> None:
    mappings = administrator("lambda")
    url = administrator("sqs").create_queue(QueueName=f"mine-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    name = url.rpartition("/")[2]
    source = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    for function in (applied.function, applied.function.rpartition(":")[2], applied.notifier_function):
        assert refused(mappings.create_event_source_mapping, EventSourceArn=source, FunctionName=function)
    root = pipeline.stack.emulator.client("lambda")
    (own,) = root.list_event_source_mappings(FunctionName=applied.function)["EventSourceMappings"]
    drop_all = {"Filters": [{"Pattern": json.dumps({"body": ["nothing"]})}]}
    assert refused(mappings.update_event_source_mapping, UUID=own["UUID"], Enabled=False)
    assert refused(mappings.update_event_source_mapping, UUID=own["UUID"], FilterCriteria=drop_all)
    assert refused(mappings.delete_event_source_mapping, UUID=own["UUID"])


def test_an_envelope_in_a_queue_that_somebody_mapped_to_the_launcher_starts_nothing(
    pipeline: PipelineUnderTest, applied: Snapshot
) -> None:
    """As somebody who may map queues, which no project may."""
    emulator = pipeline.stack.emulator
    sqs, mappings = emulator.client("sqs"), emulator.client("lambda")
    name, trigger = f"forged-{uuid.uuid4().hex[:8]}", str(uuid.uuid4())
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    mapping = mappings.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
        FunctionName=applied.function,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    try:
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(envelope(applied.topics[0], trigger)))
        deadline = time.monotonic() + 60
        while waiting(sqs, url) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert waiting(sqs, url) == 0, "a refused message is acknowledged, and does not come back"
        builds = emulator.client("codebuild").list_builds_for_project(projectName=f"{pipeline.config_path}--{OTHER}")
        for build in emulator.client("codebuild").batch_get_builds(ids=builds["ids"] or ["none:1"])["builds"]:
            variables = {entry["name"]: entry["value"] for entry in build["environment"]["environmentVariables"]}
            assert variables.get("TRIGGERID") != trigger
    finally:
        mappings.delete_event_source_mapping(UUID=mapping["UUID"])


def waiting(sqs: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return sum(
        int(count) for count in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()
    )


def envelope(topic: str, trigger: str) -> dict[str, str]:
    return {
        "Type": "Notification",
        "MessageId": trigger,
        "TopicArn": topic,
        "Message": json.dumps({"project": OTHER, "branch": "main"}),
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "SignatureVersion": "1",
        "Signature": "x",
        "SigningCertURL": "https://sns.example/cert.pem",
        "UnsubscribeURL": "https://sns.example/unsubscribe",
    }


def test_it_counts_nothing_in_the_pipelines_namespace(administrator: Client) -> None:
    cloudwatch = administrator("cloudwatch")
    point = [{"MetricName": "Sweeps", "Value": 1}]
    assert refused(cloudwatch.put_metric_data, Namespace="iwomp", MetricData=point)
    assert not refused(cloudwatch.put_metric_data, Namespace="shop", MetricData=point)


def test_it_ends_no_subscription_of_the_pipelines(
    pipeline: PipelineUnderTest, administrator: Client, applied: Snapshot
) -> None:
    root = pipeline.stack.emulator.client("sns")
    for topic in applied.topics:
        for subscription in root.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
            assert refused(administrator("sns").unsubscribe, SubscriptionArn=subscription["SubscriptionArn"])


def test_it_neither_reads_nor_writes_nor_deletes_anothers_build_log(
    pipeline: PipelineUnderTest, administrator: Client
) -> None:
    logs = administrator("logs")
    group = {"logGroupName": f"/aws/codebuild/{pipeline.config_path}--{OTHER}"}
    stream = {**group, "logStreamName": "any"}
    line = [{"timestamp": int(time.time() * 1000), "message": "deployed"}]
    assert refused(logs.filter_log_events, **group)
    assert refused(logs.get_log_events, **stream)
    assert refused(logs.create_log_stream, **stream)
    assert refused(logs.put_log_events, **stream, logEvents=line)
    assert refused(logs.delete_log_group, **group)
    assert refused(logs.put_retention_policy, **group, retentionInDays=1)


def test_it_writes_labels_and_shares_no_parameter_of_anothers_nor_labels_its_own(
    pipeline: PipelineUnderTest, administrator: Client
) -> None:
    ssm, cp = administrator("ssm"), pipeline.config_path
    record = {"Name": f"/{cp}-deployed/{OTHER}/main", "Value": "{}", "Type": "String", "Overwrite": True}
    assert refused(ssm.put_parameter, **record)
    assert refused(ssm.get_parameter, Name=f"/{cp}/{OTHER}")
    for name in (f"/{cp}/{OTHER}", f"/{cp}-deployed/{OTHER}/main", f"/{cp}-deployed/{MINE}/main", f"/{cp}/{MINE}"):
        arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}"
        tag = {"ResourceType": "Parameter", "ResourceId": name}
        assert refused(ssm.label_parameter_version, Name=name, ParameterVersion=1, Labels=["kept"])
        assert refused(ssm.add_tags_to_resource, **tag, Tags=[{"Key": "a", "Value": "b"}])
        assert refused(ssm.put_resource_policy, ResourceArn=arn, Policy="{}"), name


def test_it_changes_no_identity_that_it_has_not_made(
    pipeline: PipelineUnderTest, administrator: Client, applied: Snapshot
) -> None:
    iam = administrator("iam")
    root = pipeline.stack.emulator.client("iam")
    provider = root.create_open_id_connect_provider(
        Url=f"https://ci-{uuid.uuid4().hex[:8]}.example", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 40]
    )["OpenIDConnectProviderArn"]
    boundary = pipeline.stack.pipeline.outputs["projects"][MINE]["boundary_arn"]
    document = json.dumps(EVERYTHING)
    assert refused(iam.delete_open_id_connect_provider, OpenIDConnectProviderArn=provider)
    assert refused(iam.create_policy_version, PolicyArn=boundary, PolicyDocument=document, SetAsDefault=True)
    assert refused(iam.delete_policy, PolicyArn=boundary)
    own = pipeline.stack.pipeline.outputs["projects"][MINE]["role_arn"].rpartition("/")[2]
    launcher = applied.launcher.rpartition("/")[2]
    assert refused(iam.attach_role_policy, RoleName=launcher, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert refused(iam.update_assume_role_policy, RoleName=launcher, PolicyDocument=json.dumps(BY_THE_ACCOUNT))
    assert refused(iam.create_access_key, UserName=pipeline.stack.ci.arn.rpartition("/")[2])
    assert refused(iam.delete_role_permissions_boundary, RoleName=own)


def test_a_role_of_its_own_making_has_the_same_bounds_or_is_not_made(
    pipeline: PipelineUnderTest, administrator: Client
) -> None:
    """The second hop: what it makes, what it passes, what it takes."""
    iam, cp = administrator("iam"), pipeline.config_path
    project = pipeline.stack.pipeline.outputs["projects"][MINE]
    boundary, path = project["boundary_arn"], project["identity_path"]
    made = {"AssumeRolePolicyDocument": json.dumps(BY_THE_ACCOUNT), "RoleName": f"second-{uuid.uuid4().hex[:8]}"}
    other = pipeline.stack.pipeline.outputs["projects"][OTHER]
    assert refused(iam.create_role, **made)
    assert refused(iam.create_role, **made, Path=path)
    assert refused(
        iam.create_role, **made, Path=path, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"
    )
    assert refused(iam.create_role, **made, Path=path, PermissionsBoundary=other["boundary_arn"])
    assert refused(iam.create_role, **made, PermissionsBoundary=boundary)
    assert refused(iam.create_role, **made, Path=other["identity_path"], PermissionsBoundary=boundary)
    second = iam.create_role(**made, Path=path, PermissionsBoundary=boundary)["Role"]
    name = second["RoleName"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    assert refused(iam.delete_role_permissions_boundary, RoleName=name)
    assert refused(
        iam.put_role_permissions_boundary,
        RoleName=name,
        PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess",
    )
    hop = of_role(pipeline.stack.emulator, second["Arn"])
    assert hop("sqs").create_queue(QueueName="of-the-second-hop")["QueueUrl"], "its own policy is there"
    assert refused(hop("codebuild").start_build, projectName=f"{cp}--{OTHER}", buildspecOverride="version: 0.2")
    assert refused(hop("ssm").put_parameter, Name=f"/{cp}/{OTHER}", Value="{}", Type="String", Overwrite=True)
    assert refused(hop("logs").filter_log_events, logGroupName=f"/aws/codebuild/{cp}--{OTHER}")
    assert refused(hop("iam").create_role, **{**made, "RoleName": "third"})
    assert refused(hop("cloudwatch").put_metric_data, Namespace="iwomp", MetricData=[{"MetricName": "a", "Value": 1}])


def test_it_neither_takes_nor_passes_a_role_that_was_there_before(
    pipeline: PipelineUnderTest, administrator: Client, applied: Snapshot
) -> None:
    root = pipeline.stack.emulator.client("iam")
    name = f"administrators-{uuid.uuid4().hex[:8]}"
    there = root.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(BY_THE_ACCOUNT))["Role"]["Arn"]
    root.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    for arn in (there, applied.launcher):
        assert refused(administrator("sts").assume_role, RoleArn=arn, RoleSessionName="second")
        assert refused(
            administrator("lambda").create_function,
            FunctionName="second",
            Runtime="python3.11",
            Handler="a.b",
            Role=arn,
            Code={"ZipFile": empty_zip()},
        )


def test_a_line_that_a_build_prints_counts_nothing_and_one_elsewhere_does(pipeline: PipelineUnderTest) -> None:
    """CloudWatch takes metrics out of any log line of this form, with the right to write that log and no other."""
    name = f"Forged{uuid.uuid4().hex[:8]}"
    directive = {"Namespace": "iwomp", "Dimensions": [[]], "Metrics": [{"Name": name}]}
    line = json.dumps({"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}, name: 1})
    pipeline.repository("nosy").commit("count", {"deploy.sh": f"#!/bin/sh\necho '{line}'\n"})
    result = pipeline.deploy("nosy")
    assert name in result.log
    emulator = pipeline.stack.emulator
    logs, counted = (
        emulator.client("logs"),
        functools.partial(emulator.client("cloudwatch").list_metrics, MetricName=name),
    )
    assert counted()["Metrics"] == []
    elsewhere = {"logGroupName": f"/elsewhere/{name}", "logStreamName": "any"}
    logs.create_log_group(logGroupName=elsewhere["logGroupName"])
    logs.create_log_stream(**elsewhere)
    logs.put_log_events(**elsewhere, logEvents=[{"timestamp": int(time.time() * 1000), "message": line}])
    assert [metric["Namespace"] for metric in counted()["Metrics"]] == ["iwomp"]


def empty_zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a.py", "")
    return held.getvalue()
