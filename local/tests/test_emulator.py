"""The local AWS as a process: it starts alone, stops wholly, and its IAM judges what AWS's would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import urllib.parse
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from processes import processes_in

from iwomp_local import emulator as emulator_module
from iwomp_local.emulator import ACCOUNT, REGION, ROOT_KEY, Emulator, EmulatorError, Lifetime, birth
from iwomp_local.waiting import wait_for

LOCAL = Path(emulator_module.__file__).resolve().parents[1]
WAIT_SECONDS = 120.0


def test_two_run_at_once_and_each_keeps_to_itself(emulator: Emulator, tmp_path: Path) -> None:
    with Emulator.start(tmp_path, [], Lifetime.WITH_STARTER) as second:
        assert second.port != emulator.port
        second.client("sqs").create_queue(QueueName="only-here")
        assert not emulator.client("sqs").list_queues(QueueNamePrefix="only-here").get("QueueUrls")
        assert processes_in(tmp_path)
    assert processes_in(tmp_path) == []


def test_a_second_one_in_the_same_directory_is_refused(emulator: Emulator) -> None:
    with pytest.raises(EmulatorError, match="already runs"):
        Emulator.start(emulator.directory, [], Lifetime.WITH_STARTER)


STARTER = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from iwomp_local.emulator import Emulator, Lifetime
    Emulator.start(Path(sys.argv[1]), [], Lifetime[sys.argv[2]])
    print("started", flush=True)
    time.sleep(600)
    """
)


def start_elsewhere(directory: Path, lifetime: Lifetime) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(directory), lifetime.name],
        env={**os.environ, "PYTHONPATH": str(LOCAL)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def test_it_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    starter = start_elsewhere(tmp_path, Lifetime.WITH_STARTER)
    assert processes_in(tmp_path)
    starter.kill()
    starter.communicate()
    wait_for("the end of all", lambda: True if not processes_in(tmp_path) else None, WAIT_SECONDS)


def test_it_stays_if_told_so_until_it_is_stopped(tmp_path: Path) -> None:
    starter = start_elsewhere(tmp_path, Lifetime.STAYS)
    starter.kill()
    starter.communicate()
    running = Emulator.running(tmp_path)
    assert running is not None
    assert running.client("sts").get_caller_identity()["Account"] == ACCOUNT
    running.stop()
    assert processes_in(tmp_path) == []
    assert Emulator.running(tmp_path) is None


def test_even_if_its_keeper_is_killed_nobody_stays(tmp_path: Path) -> None:
    running = Emulator.start(tmp_path, [], Lifetime.WITH_STARTER)
    os.kill(running.keeper_pid, signal.SIGKILL)
    wait_for("the end of all", lambda: True if not processes_in(tmp_path) else None, WAIT_SECONDS)
    running.stop()


def test_a_process_number_that_was_used_again_is_not_taken_for_the_emulator(tmp_path: Path) -> None:
    state = {"port": 1, "keeper_pid": os.getpid(), "born": "1"}
    emulator_module.state_file(tmp_path).write_text(json.dumps(state))
    assert birth(os.getpid()) != "1"
    assert Emulator.running(tmp_path) is None


def test_it_serves_loopback_only(emulator: Emulator) -> None:
    port = f"{emulator.port:04X}"
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path("/proc/net", table).read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port}")}
    assert listening == {f"0100007F:{port}"}


def test_it_inherits_nothing_from_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("AWS_PROFILE", "production")
    with Emulator.start(tmp_path, [], Lifetime.WITH_STARTER):
        for pid in processes_in(tmp_path):
            variables = Path(f"/proc/{pid}/environ").read_text()
            assert "proxy.example" not in variables
            assert "production" not in variables


def test_another_version_of_ministack_is_refused() -> None:
    script = (
        "import importlib.metadata as m; m.version = lambda name: '9.9.9'\n"
        "import runpy; runpy.run_module('iwomp_local.standin', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(LOCAL)},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )
    assert done.returncode == 1
    assert "ministack 9.9.9 is installed" in done.stderr
    assert "requirements.txt" in done.stderr


def test_a_name_that_ministack_no_longer_has_is_told() -> None:
    script = (
        "from pathlib import Path; from iwomp_local.standin import ministack_parts as parts\n"
        "parts.USED = (('services.codebuild', '_gone'),); parts.install('', Path())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(LOCAL)},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )
    assert done.returncode == 1
    assert "ministack.services.codebuild has no _gone" in done.stderr


def test_an_alarm_is_described_with_all_its_fields(emulator: Emulator) -> None:
    cloudwatch = emulator.client("cloudwatch")
    given: dict[str, Any] = {
        "AlarmName": "dead <letters>",
        "AlarmDescription": "something & more",
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": "dead"}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "ActionsEnabled": True,
        "AlarmActions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:somebody"],
    }
    cloudwatch.put_metric_alarm(**given)
    # The query protocol is what Terraform's provider speaks; boto3 may prefer another.
    described = query(emulator, "DescribeAlarms", {"AlarmNames.member.1": "dead <letters>"})
    for text in (
        "<TreatMissingData>notBreaching</TreatMissingData>",
        "<AlarmName>dead &lt;letters&gt;</AlarmName>",
        "<Dimensions><member><Name>QueueName</Name><Value>dead</Value></member></Dimensions>",
        "<ActionsEnabled>true</ActionsEnabled>",
        "<Period>60</Period>",
    ):
        assert text in described


def query(emulator: Emulator, action: str, fields: dict[str, str]) -> str:
    body = urllib.parse.urlencode({"Action": action, "Version": "2010-08-01", **fields})
    request = AWSRequest("POST", emulator.url, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    SigV4Auth(Credentials(ROOT_KEY, ROOT_KEY), "monitoring", REGION).add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def user(emulator: Emulator, *statements: dict[str, Any]) -> tuple[str, str]:
    iam, name = emulator.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement} for statement in statements]}
    iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def denied(error: pytest.ExceptionInfo[ClientError]) -> bool:
    return str(error.value.response["Error"]["Code"]) in ("AccessDenied", "AccessDeniedException", "AuthorizationError")


def test_parameters_are_judged_one_by_one(emulator: Emulator) -> None:
    root = emulator.client("ssm")
    for name in ("/mine/a", "/mine/b", "/other/a"):
        root.put_parameter(Name=name, Value="x", Type="String", Overwrite=True)
    keys = user(
        emulator, {"Action": "ssm:GetParameters", "Resource": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/mine/*"}
    )
    ssm = emulator.client("ssm", *keys)
    assert len(ssm.get_parameters(Names=["/mine/a", "/mine/b"])["Parameters"]) == 2
    with pytest.raises(ClientError) as error:
        ssm.get_parameters(Names=["/mine/a", "/other/a"])
    assert denied(error)


def test_a_path_is_judged_as_it_is_asked_for_and_a_secret_below_it_needs_its_key(emulator: Emulator) -> None:
    key, root = emulator.client("kms").create_key()["KeyMetadata"]["Arn"], emulator.client("ssm")
    root.put_parameter(Name="/mine/secret", Value="hidden", Type="SecureString", KeyId=key, Overwrite=True)
    prefix = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter"
    keys = user(emulator, {"Action": "ssm:GetParametersByPath", "Resource": f"{prefix}/mine/"})
    ssm = emulator.client("ssm", *keys)
    assert ssm.get_parameters_by_path(Path="/mine/") is not None
    for asked in ({"Path": "/other/"}, {"Path": "/mine"}, {"Path": "/"}, {"Path": "/mine/", "WithDecryption": True}):
        with pytest.raises(ClientError) as error:
            ssm.get_parameters_by_path(**asked)
        assert denied(error)


def test_a_secret_needs_its_key_and_the_key_its_encryption_context(emulator: Emulator) -> None:
    kms, root = emulator.client("kms"), emulator.client("ssm")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    for name in ("/secret/mine", "/secret/other"):
        root.put_parameter(Name=name, Value="hidden", Type="SecureString", KeyId=key, Overwrite=True)
    prefix = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/secret"
    read = {"Action": "ssm:GetParameter", "Resource": f"{prefix}/*"}
    decrypt = {
        "Action": "kms:Decrypt",
        "Resource": key,
        "Condition": {"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": f"{prefix}/mine"}},
    }
    without_key = emulator.client("ssm", *user(emulator, read))
    with_key = emulator.client("ssm", *user(emulator, read, decrypt))
    assert without_key.get_parameter(Name="/secret/mine")["Parameter"]["Type"] == "SecureString"
    with pytest.raises(ClientError) as error:
        without_key.get_parameter(Name="/secret/mine", WithDecryption=True)
    assert denied(error)
    assert with_key.get_parameter(Name="/secret/mine", WithDecryption=True)["Parameter"]["Value"] == "hidden"
    with pytest.raises(ClientError) as error:
        with_key.get_parameter(Name="/secret/other", WithDecryption=True)
    assert denied(error)


def test_builds_are_judged_on_their_project(emulator: Emulator) -> None:
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/mine-*"
    codebuild = emulator.client("codebuild", *user(emulator, {"Action": "codebuild:BatchGetBuilds", "Resource": arn}))
    assert codebuild.batch_get_builds(ids=["mine-1:x"])["buildsNotFound"] == ["mine-1:x"]
    with pytest.raises(ClientError) as error:
        codebuild.batch_get_builds(ids=["mine-1:x", "other:x"])
    assert denied(error)


def test_log_lines_are_judged_on_their_stream(emulator: Emulator) -> None:
    root = emulator.client("logs")
    root.create_log_group(logGroupName="/judged")
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/judged:*"
    logs = emulator.client("logs", *user(emulator, {"Action": "logs:CreateLogStream", "Resource": arn}))
    logs.create_log_stream(logGroupName="/judged", logStreamName="one")
    with pytest.raises(ClientError) as error:
        logs.put_log_events(
            logGroupName="/judged", logStreamName="one", logEvents=[{"timestamp": 1_700_000_000_000, "message": "x"}]
        )
    assert denied(error)


def test_overrides_of_a_build_are_judged_by_their_condition_keys(emulator: Emulator) -> None:
    right = {
        "Action": "codebuild:StartBuild",
        "Resource": "*",
        "Condition": {
            "Null": {"codebuild:source.buildspec": "true"},
            "ForAllValues:StringEquals": {"codebuild:environment.environmentVariables.name": ["GITBRANCH"]},
        },
    }
    codebuild = emulator.client("codebuild", *user(emulator, right))
    forbidden: tuple[dict[str, Any], ...] = (
        {"buildspecOverride": "version: 0.2"},
        {"environmentVariablesOverride": [{"name": "GITBRANCH", "value": "x"}, {"name": "PATH", "value": "y"}]},
    )
    for overrides in forbidden:
        with pytest.raises(ClientError) as error:
            codebuild.start_build(projectName="no-such-project", **overrides)
        assert denied(error)
    with pytest.raises(codebuild.exceptions.ResourceNotFoundException):
        codebuild.start_build(
            projectName="no-such-project", environmentVariablesOverride=[{"name": "GITBRANCH", "value": "x"}]
        )


def test_the_principal_of_a_session_is_its_role(emulator: Emulator) -> None:
    iam, name = emulator.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [root]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    right = {
        "Effect": "Allow",
        "Action": "sqs:ListQueues",
        "Resource": "*",
        "Condition": {"ArnEquals": {"aws:PrincipalArn": arn}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [right]})
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=document)
    keys = emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="somebody")["Credentials"]
    session = boto3.session.Session(
        keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=REGION
    )
    session.client("sqs", endpoint_url=emulator.url).list_queues()
