"""The CodeBuild stand-in, through boto3 over the real HTTP API: CodeBuild's rules, one by one."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sessions import with_variables

from iwomp_local.emulator import ACCOUNT, REGION, Emulator, Lifetime
from iwomp_local.standin.codebuild import TOKEN_SECONDS, ApiError, CodeBuild
from iwomp_local.waiting import wait_for

WAIT_SECONDS = 120.0
LOG_RIGHTS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")


@dataclass
class Project:
    """A CodeBuild project with a role of its own."""

    emulator: Emulator
    name: str
    role_arn: str

    def __post_init__(self) -> None:
        self.api = self.emulator.client("codebuild")

    def start(self, variables: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        overrides = [{"name": key, "value": value} for key, value in (variables or {}).items()]
        build: dict[str, Any] = self.api.start_build(
            projectName=self.name, environmentVariablesOverride=overrides, **fields
        )["build"]
        return build

    def build(self, build_id: str) -> dict[str, Any]:
        build: dict[str, Any] = self.api.batch_get_builds(ids=[build_id])["builds"][0]
        return build

    def finished(self, build_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            build = self.build(build_id)
            return build if build["buildComplete"] else None

        return wait_for(f"the end of {build_id}", look, WAIT_SECONDS)

    def log(self, build: dict[str, Any]) -> str:
        events = self.emulator.client("logs").get_log_events(
            logGroupName=build["logs"]["groupName"], logStreamName=build["logs"]["streamName"], startFromHead=True
        )["events"]
        return "".join(event["message"] for event in events)

    def run(self, variables: dict[str, str] | None = None, **fields: Any) -> tuple[dict[str, Any], str]:
        build = self.finished(self.start(variables, **fields)["id"])
        return build, self.log(build)


def role(emulator: Emulator, *rights: str, service: str = "codebuild.amazonaws.com") -> str:
    iam, name = emulator.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy(trust)))["Role"]["Arn"]
    if rights:
        statement = {"Effect": "Allow", "Action": list(rights), "Resource": "*"}
        iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(policy(statement)))
    return arn


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def spec(*commands: str) -> str:
    return json.dumps({"version": "0.2", "phases": {"build": {"commands": list(commands)}}})


def project(emulator: Emulator, buildspec: str, role_arn: str | None = None, **fields: Any) -> Project:
    name = f"project-{uuid.uuid4().hex[:8]}"
    role_arn = role_arn or role(emulator, *LOG_RIGHTS)
    emulator.client("codebuild").create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": buildspec},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "an/image:1",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "FROM_PROJECT", "value": "project"}],
        },
        serviceRole=role_arn,
        **fields,
    )
    return Project(emulator, name, role_arn)


# As CreateProject takes it, but for its name.
PROJECT: dict[str, Any] = {
    "source": {"type": "NO_SOURCE", "buildspec": spec("true")},
    "environment": {"image": "an/image"},
    "artifacts": {"type": "NO_ARTIFACTS"},
    "serviceRole": "arn:aws:iam::123456789012:role/demo",
}


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_project_keeps_every_field_it_was_given(emulator: Emulator) -> None:
    given: dict[str, Any] = {
        "concurrentBuildLimit": 1,
        "queuedTimeoutInMinutes": 30,
        "timeoutInMinutes": 20,
        "logsConfig": {"cloudWatchLogs": {"status": "ENABLED", "groupName": "/some/group"}},
        "cache": {"type": "NO_CACHE"},
        "tags": [{"key": "part", "value": "test"}],
    }
    made = project(emulator, spec("true"), **given)
    kept = made.api.batch_get_projects(names=[made.name])["projects"][0]
    assert {key: kept[key] for key in given} == given


def test_an_update_takes_the_limit_away_with_minus_one(emulator: Emulator) -> None:
    made = project(emulator, spec("true"), concurrentBuildLimit=1)
    made.api.update_project(name=made.name, concurrentBuildLimit=-1, description="changed")
    kept = made.api.batch_get_projects(names=[made.name])["projects"][0]
    assert "concurrentBuildLimit" not in kept
    assert kept["description"] == "changed"


def test_a_project_is_deleted_by_name_or_arn_and_deleting_it_again_succeeds(emulator: Emulator) -> None:
    made, other = project(emulator, spec("true")), project(emulator, spec("true"))
    made.api.delete_project(name=made.name)
    made.api.delete_project(name=made.name)
    made.api.delete_project(name=f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{other.name}")
    assert made.api.batch_get_projects(names=[made.name, other.name])["projects"] == []


def test_a_role_that_does_not_trust_codebuild_is_refused(emulator: Emulator) -> None:
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        project(emulator, spec("true"), role(emulator, *LOG_RIGHTS, service="lambda.amazonaws.com"))


def test_a_trust_policy_may_demand_the_project_as_source(emulator: Emulator) -> None:
    iam, name = emulator.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "codebuild.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:codebuild:*:{ACCOUNT}:project/another"}},
    }
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy(trust)))["Role"]["Arn"]
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        project(emulator, spec("true"), arn)


def test_overrides_reach_the_build_and_its_record(emulator: Emulator) -> None:
    made = project(emulator, spec('echo "$FROM_PROJECT $TRIGGER"'))
    build, log = made.run({"TRIGGER": "t-1"})
    assert "\nproject t-1\n" in log
    variables = {item["name"]: item["value"] for item in build["environment"]["environmentVariables"]}
    assert variables == {"FROM_PROJECT": "project", "TRIGGER": "t-1"}


def test_an_override_replaces_the_projects_variable(emulator: Emulator) -> None:
    _, log = project(emulator, spec('echo "is $FROM_PROJECT"')).run({"FROM_PROJECT": "override"})
    assert "\nis override\n" in log


def test_an_override_that_the_stand_in_does_not_know_is_refused(emulator: Emulator) -> None:
    with pytest.raises(ClientError, match="privilegedModeOverride") as error:
        project(emulator, spec("true")).start(privilegedModeOverride=True)
    assert code(error) == "InvalidInputException"


def test_a_build_over_the_limit_is_an_error_and_not_a_queue(emulator: Emulator) -> None:
    made = project(emulator, spec("sleep 600"), concurrentBuildLimit=1)
    running = made.start()
    with pytest.raises(ClientError) as error:
        made.start()
    assert code(error) == "AccountLimitExceededException"
    made.api.stop_build(id=running["id"])
    made.api.stop_build(id=made.start()["id"])


def test_an_account_that_has_no_build_to_spare_says_so_in_its_own_words() -> None:
    running: list[Any] = []

    class Busy(FakeHost):
        def launch(self, run: Any) -> None:
            running.append(run)

        def prepare(self, build: dict[str, Any], timeout_seconds: float, on_end: Any) -> Any:
            return BuildUnderWay()

    class BuildUnderWay:
        ended = threading.Event()

    api = CodeBuild(Busy(), account_limit=1)
    for name in ("one", "other"):
        api.call("CreateProject", PROJECT | {"name": name, "concurrentBuildLimit": 1})
    api.call("StartBuild", {"projectName": "one"})
    for name, whose in (("one", "for the project: one"), ("other", "for the account")):
        with pytest.raises(ApiError, match=f"Cannot have more than 1 builds in queue {whose}") as error:
            api.call("StartBuild", {"projectName": name})
        assert error.value.code == "AccountLimitExceededException"
    assert len(running) == 1


def test_an_account_may_have_no_builds_at_all(tmp_path: Path) -> None:
    more = {"IWOMP_BUILDS_OF_ACCOUNT": "0"}
    with Emulator.start(tmp_path, [Path("/usr/bin")], Lifetime.WITH_STARTER, more) as emulator:
        made = project(emulator, spec("true"))
        with pytest.raises(ClientError, match="Cannot have more than 0 builds in queue for the account") as error:
            made.start()
        assert code(error) == "AccountLimitExceededException"


def test_of_many_calls_at_once_the_limit_lets_one_through(emulator: Emulator) -> None:
    made = project(emulator, spec("sleep 600"), concurrentBuildLimit=1)

    def attempt(_: int) -> str:
        try:
            return str(made.start()["id"])
        except ClientError as error:
            return str(error.response["Error"]["Code"])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(8)))
    assert answers.count("AccountLimitExceededException") == 7
    made.api.stop_build(id=made.api.list_builds_for_project(projectName=made.name)["ids"][0])


def test_the_same_token_with_the_same_request_gets_the_same_build(emulator: Emulator) -> None:
    made = project(emulator, spec("true"), concurrentBuildLimit=1)
    first = made.start({"TRIGGER": "t-1"}, idempotencyToken="token-1")
    second = made.start({"TRIGGER": "t-1"}, idempotencyToken="token-1")
    assert first["id"] == second["id"]
    assert made.api.list_builds_for_project(projectName=made.name)["ids"] == [first["id"]]


def test_the_same_token_with_another_request_is_refused(emulator: Emulator) -> None:
    made = project(emulator, spec("true"))
    made.start({"TRIGGER": "t-1"}, idempotencyToken="token-1")
    with pytest.raises(ClientError, match="different parameters") as error:
        made.start({"TRIGGER": "t-2"}, idempotencyToken="token-1")
    assert code(error) == "InvalidInputException"


class FakeHost:
    """A host without an emulator, for what would take minutes of real time."""

    def __init__(self) -> None:
        self.projects: MutableMapping[str, dict[str, Any]] = {}
        self.builds: MutableMapping[str, dict[str, Any]] = {}

    def arn(self, resource: str) -> str:
        return f"arn:aws:codebuild:{REGION}:{ACCOUNT}:{resource}"

    def caller(self) -> str:
        return "tester"

    def check_role(self, role_arn: str, project_arn: str) -> None: ...

    def publish(self, build: dict[str, Any]) -> None: ...

    def prepare(self, build: dict[str, Any], timeout_seconds: float, on_end: Any) -> Any:
        return on_end, build

    def launch(self, run: Any) -> None:
        on_end, build = run
        on_end(build)


def test_a_token_is_forgotten_after_five_minutes() -> None:
    clock = [0.0]
    api = CodeBuild(FakeHost(), clock=lambda: clock[0])
    api.call("CreateProject", PROJECT | {"name": "demo"})
    start = {"projectName": "demo", "idempotencyToken": "token-1"}
    first = api.call("StartBuild", start)["build"]["id"]
    clock[0] = TOKEN_SECONDS - 1
    assert api.call("StartBuild", start)["build"]["id"] == first
    clock[0] = TOKEN_SECONDS + 1
    assert api.call("StartBuild", start)["build"]["id"] != first


def test_an_action_that_the_stand_in_does_not_know_is_refused() -> None:
    with pytest.raises(ApiError, match="RetryBuild"):
        CodeBuild(FakeHost()).call("RetryBuild", {})


def test_the_exit_status_decides_and_is_told_in_the_phase(emulator: Emulator) -> None:
    build, log = project(emulator, spec("echo before", "exit 3", "echo after")).run()
    assert build["buildStatus"] == "FAILED"
    phase = next(phase for phase in build["phases"] if phase["phaseType"] == "BUILD")
    assert phase["phaseStatus"] == "FAILED"
    assert phase["contexts"][0]["statusCode"] == "COMMAND_EXECUTION_ERROR"
    assert "exit status 3" in phase["contexts"][0]["message"]
    assert "before" in log
    assert "\nafter\n" not in log


def test_a_build_has_the_phases_of_codebuild(emulator: Emulator) -> None:
    build, _ = project(emulator, spec("false", "true")).run()
    assert build["buildStatus"] == "FAILED"
    assert [phase["phaseType"] for phase in build["phases"]] == [
        "SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "BUILD",
        "UPLOAD_ARTIFACTS", "FINALIZING", "COMPLETED",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("phases: [", "not YAML"),
        (json.dumps({"version": "0.1", "phases": {"build": {"commands": ["true"]}}}), "version must be 0.2"),
        (json.dumps({"version": "0.2", "phases": {"deploy": {"commands": ["true"]}}}), "deploy"),
        (json.dumps({"version": "0.2", "phases": {"post_build": {"commands": ["true"]}}}), "post_build"),
        (json.dumps({"version": "0.2", "run-as": "nobody", "phases": {"build": {"commands": ["true"]}}}), "run-as"),
        (json.dumps({"version": "0.2", "batch": {}, "phases": {"build": {"commands": ["true"]}}}), "batch"),
        (json.dumps({"version": "0.2", "phases": {"build": {"commands": "true"}}}), "must be a list"),
    ],
)
def test_a_buildspec_that_is_not_understood_fails_the_build(emulator: Emulator, text: str, complaint: str) -> None:
    build, log = project(emulator, text).run()
    assert build["buildStatus"] == "FAILED"
    context = next(phase for phase in build["phases"] if phase["phaseStatus"] == "FAILED")["contexts"][0]
    assert context["statusCode"] == "YAML_FILE_ERROR"
    assert complaint in context["message"]
    assert complaint in log


def test_a_build_holds_the_projects_role_and_no_inherited_environment(emulator: Emulator) -> None:
    made = project(emulator, spec("env"))
    _, log = made.run()
    variables = dict(line.split("=", 1) for line in log.splitlines() if "=" in line and not line.startswith("["))
    expected = {
        "PATH", "HOME", "TMPDIR", "PWD", "CI", "LANG", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
        "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "FROM_PROJECT",
    }  # fmt: skip
    assert {name for name in variables if not name.startswith("CODEBUILD_")} - {"_", "OLDPWD", "SHLVL"} == expected
    assert variables["AWS_ACCESS_KEY_ID"].startswith("ASIA")


def test_a_build_may_do_what_its_role_may_and_nothing_else(emulator: Emulator) -> None:
    emulator.client("ssm").put_parameter(Name="/readable", Value="plain", Type="String", Overwrite=True)
    made = project(emulator, spec("env"), role(emulator, *LOG_RIGHTS, "ssm:GetParameter"))
    _, log = made.run()
    ssm = with_variables(emulator, dict(line.split("=", 1) for line in log.splitlines() if "=" in line))("ssm")
    assert ssm.get_parameter(Name="/readable")["Parameter"]["Value"] == "plain"
    with pytest.raises(ClientError, match="AccessDenied"):
        ssm.delete_parameter(Name="/readable")


def test_a_role_that_may_not_write_its_log_fails_the_build_as_at_aws(emulator: Emulator) -> None:
    made = project(emulator, spec("true"), role(emulator))
    build = made.finished(made.start()["id"])
    context = next(phase for phase in build["phases"] if phase["phaseStatus"] == "FAILED")["contexts"][0]
    assert build["buildStatus"] == "FAILED"
    assert context["statusCode"] == "ACCESS_DENIED"
    assert "log streams" in context["message"]


def test_the_log_can_be_followed_while_the_build_runs(emulator: Emulator) -> None:
    made = project(emulator, spec("echo early", "sleep 600"))
    build = made.start()

    def seen() -> str | None:
        try:
            log = made.log(made.build(build["id"]))
        except ClientError:
            return None
        return log if "\nearly\n" in log else None

    wait_for("the first line", seen, WAIT_SECONDS)
    assert not made.build(build["id"])["buildComplete"]
    made.api.stop_build(id=build["id"])


def test_a_log_group_of_the_project_is_used(emulator: Emulator) -> None:
    group = f"/group/{uuid.uuid4().hex}"
    logs = {"cloudWatchLogs": {"status": "ENABLED", "groupName": group, "streamName": "builds"}}
    build, log = project(emulator, spec("echo here"), logsConfig=logs).run()
    assert build["logs"]["groupName"] == group
    assert build["logs"]["streamName"] == f"builds/{build['id'].split(':')[1]}"
    assert "\nhere\n" in log


def test_stopping_a_build_asks_it_to_end_and_leaves_nothing_behind(emulator: Emulator, tmp_path: Path) -> None:
    pids, ended = tmp_path / "pids", tmp_path / "ended"
    # The second child has left the session and ignores the polite request.
    script = (
        f"trap 'echo asked > {ended}; exit 0' TERM; "
        f"setsid sh -c 'trap \"\" TERM; echo $$ > {pids}; while :; do sleep 1; done' & "
        "echo running; while :; do sleep 0.1; done"
    )
    made = project(emulator, spec(script))
    build = made.start()
    wait_for(
        "the escaped child", lambda: pids.read_text() if pids.exists() and pids.read_text() else None, WAIT_SECONDS
    )
    stopped = made.api.stop_build(id=build["id"])["build"]
    assert stopped["buildStatus"] == "STOPPED"
    assert stopped["buildComplete"]
    assert ended.read_text() == "asked\n"
    assert not is_running(int(pids.read_text()))


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_what_a_build_leaves_running_ends_with_it(emulator: Emulator, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    build, _ = project(emulator, spec(f"setsid sleep 600 & echo $! > {pid}")).run()
    assert build["buildStatus"] == "SUCCEEDED"
    assert not is_running(int(pid.read_text()))


def test_builds_are_listed_newest_first(emulator: Emulator) -> None:
    made = project(emulator, spec("true"))
    started = [made.start()["id"] for _ in range(3)]
    assert made.api.list_builds_for_project(projectName=made.name)["ids"] == started[::-1]
    ascending = made.api.list_builds_for_project(projectName=made.name, sortOrder="ASCENDING")["ids"]
    assert ascending == started
    for build in started:
        made.finished(build)


def test_an_unknown_project_or_build_is_said_to_be_unknown(emulator: Emulator) -> None:
    api = emulator.client("codebuild")
    with pytest.raises(ClientError) as error:
        api.start_build(projectName="nobody")
    assert code(error) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as error:
        api.list_builds_for_project(projectName="nobody")
    assert code(error) == "ResourceNotFoundException"
    assert api.batch_get_builds(ids=["nobody:1"])["buildsNotFound"] == ["nobody:1"]


def test_every_change_of_state_is_an_event(emulator: Emulator) -> None:
    events, sqs, name = emulator.client("events"), emulator.client("sqs"), f"events-{uuid.uuid4().hex[:8]}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    pattern = {"source": ["aws.codebuild"], "detail-type": ["CodeBuild Build State Change"]}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}])
    made = project(emulator, spec("exit 1"))
    build, _ = made.run({"TRIGGER": "t-1"})
    seen: list[dict[str, Any]] = []

    def both() -> bool | None:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        bodies = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        seen.extend(body for body in bodies if body["detail"]["project-name"] == made.name)
        return True if len(seen) >= 2 else None

    wait_for("both events", both, WAIT_SECONDS)
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)
    assert [event["detail"]["build-status"] for event in seen] == ["IN_PROGRESS", "FAILED"]
    assert seen[1]["detail"]["build-id"] == build["arn"]
    variables = seen[1]["detail"]["additional-information"]["environment"]["environment-variables"]
    assert {"name": "TRIGGER", "type": "PLAINTEXT", "value": "t-1"} in variables


def test_a_long_line_reaches_the_log_whole(emulator: Emulator) -> None:
    _, log = project(emulator, spec("head -c 5000 /dev/zero | tr '\\0' x; echo")).run()
    assert log.replace("\n", "").count("x" * 5000) == 1


def test_a_build_of_a_thousand_lines_logs_them_all_in_order(emulator: Emulator) -> None:
    made = project(emulator, spec("seq 1 3000"))
    build = made.finished(made.start()["id"])
    pages = (
        made.emulator.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=build["logs"]["groupName"], logStreamNames=[build["logs"]["streamName"]])
    )
    lines = [event["message"].strip() for page in pages for event in page["events"]]
    assert [line for line in lines if line.isdigit()] == [str(number) for number in range(1, 3001)]


def test_a_build_starts_promptly(emulator: Emulator) -> None:
    made = project(emulator, spec("date +%s.%N"))
    started = time.time()
    _, log = made.run()
    said = next(line for line in log.splitlines() if line[:1].isdigit())
    assert float(said) - started < WAIT_SECONDS / 2  # 0.2 s alone


def test_a_variable_of_a_kind_that_the_stand_in_does_not_know_fails_the_build(emulator: Emulator) -> None:
    made = project(emulator, spec("true"))
    secret = {"name": "SECRET", "value": "some:secret", "type": "SECRETS_MANAGER"}
    started = made.api.start_build(projectName=made.name, environmentVariablesOverride=[secret])["build"]
    build = made.finished(started["id"])
    assert build["buildStatus"] == "FAILED"
    assert "SECRETS_MANAGER" in made.log(build)
