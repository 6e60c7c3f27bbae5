"""End to end on the local AWS: the real Terraform, launcher, queue and worker, real git, IAM on."""

from __future__ import annotations

import json
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pipeline_under_test import (
    CANARY,
    CLOCK_SKEW_SECONDS,
    CROWD,
    DEPLOY,
    LASTING_TRIES,
    PASSWORD,
    RETRY_SECONDS,
    TOKEN,
    PipelineUnderTest,
    Result,
)

from iwomp_local.pipeline import variable
from iwomp_local.waiting import wait_for

REFUSED = 3  # exit status of `iwomp` where a rule says no
RETRIED_SECONDS = RETRY_SECONDS * 2 + 120.0
DEAD_SECONDS = RETRY_SECONDS * 3 + 120.0  # the delays grow up to it, and five tries have four


def assert_deployed(result: Result) -> None:
    assert result.status == "SUCCEEDED", result.log
    assert result.outcome["outcome"] == "deployed"


def assert_ended(result: Result, outcome: str, word: str) -> None:
    assert result.status == "FAILED", result.log
    assert (result.outcome["outcome"], result.outcome["class"]) == (outcome, word), result.log


# Ways to register and to fetch


def test_a_token_over_https_that_terraform_stored(pipeline: PipelineUnderTest) -> None:
    assert_deployed(pipeline.deploy("token"))


def test_a_user_name_and_password_over_https(pipeline: PipelineUnderTest) -> None:
    assert_deployed(pipeline.deploy("basic"))


def test_a_token_that_the_register_wants_sent_as_bearer(pipeline: PipelineUnderTest) -> None:
    assert_deployed(pipeline.deploy("bearer"))
    sent = {request.authorization for request in pipeline.git.requests if request.path.startswith("/bearer.git")}
    assert all((header or "Bearer").startswith("Bearer") for header in sent)


def test_an_ssh_key_with_known_hosts(pipeline: PipelineUnderTest) -> None:
    assert_deployed(pipeline.deploy("ssh"))


@pytest.mark.parametrize("project", ["article", "article-token", "article-basic"])
def test_a_parameter_in_the_articles_format_written_by_hand(pipeline: PipelineUnderTest, project: str) -> None:
    """As a String, as a SecureString with a token or with a password; `_default` below them says whom to trust."""
    result = pipeline.deploy(project)
    assert_deployed(result)
    assert result.said("command: arguments ") == ["main"]


def test_a_command_of_one_text_gets_the_branch_as_its_only_argument(pipeline: PipelineUnderTest) -> None:
    pipeline.repository("ssh").commit("a release", {"deploy.sh": DEPLOY}, branch="release/1.2")
    result = pipeline.deploy("ssh", "release/1.2")
    assert_deployed(result)
    assert result.said("command: arguments ") == ["release/1.2"]


def test_a_command_vector_runs_exactly_so_and_in_its_directory(pipeline: PipelineUnderTest) -> None:
    result = pipeline.deploy("monorepo")
    assert_deployed(result)
    assert result.said("command: arguments ") == ["--stage a b $HOME"]
    assert result.said("command: in ") == ["api"]


def test_the_command_learns_what_it_deploys_and_nothing_that_is_not_its_business(pipeline: PipelineUnderTest) -> None:
    first = pipeline.deploy("public")
    assert_deployed(first)
    head = pipeline.repository("public").commit("second", {"more": "text"})
    result = pipeline.deploy("public")
    variables = dict(line.split("=", 1) for line in result.said("command: variable ") if "=" in line)
    assert variables["IWOMP_PROJECT"] == "public"
    assert variables["IWOMP_BRANCH"] == "main"
    assert variables["IWOMP_COMMIT"] == head
    assert variables["IWOMP_PREVIOUS_COMMIT"] == first.outcome["commit"]
    assert variables["IWOMP_TRIGGER_ID"] == variable(result.build, "TRIGGERID")
    assert not {name for name in variables if name.startswith("GIT") or name in ("CONFIGPATH", "PROJECTNAME")}


def test_what_is_live_is_recorded(pipeline: PipelineUnderTest) -> None:
    result = pipeline.deploy("token")
    (live,) = pipeline.stack.pipeline.live("token")
    assert (live.branch, live.commit, live.build) == ("main", result.outcome["commit"], result.build["id"])


# Commits


def test_a_pinned_commit_is_deployed_as_it_is_and_afterwards_only_forward(pipeline: PipelineUnderTest) -> None:
    repository = pipeline.repository("history")
    old = repository.commit("old", {"which": "old"})
    tested = repository.commit("tested", {"which": "tested"})
    head = repository.commit("head", {"which": "head"})

    pinned = pipeline.deploy("history", commit=tested)
    assert_deployed(pinned)
    assert pinned.outcome["commit"] == tested

    older = pipeline.deploy("history", commit=old)
    assert older.status == "SUCCEEDED"
    assert older.outcome["outcome"] == "superseded"
    assert older.said("command: ") == []

    newest = pipeline.deploy("history")
    assert_deployed(newest)
    assert newest.outcome["commit"] == head


def test_a_commit_that_is_not_on_the_branch_is_refused(pipeline: PipelineUnderTest) -> None:
    repository = pipeline.repository("public")
    foreign = repository.commit("not reviewed", {"deploy.sh": DEPLOY}, branch="feature")
    result = pipeline.deploy("public", commit=foreign)
    assert_ended(result, "refused", "commit_not_on_branch")
    assert foreign in result.outcome["reason"]
    assert result.said("command: ") == []


def test_a_rewritten_branch_is_refused_until_an_operator_says_otherwise(pipeline: PipelineUnderTest) -> None:
    repository = pipeline.repository("article")
    assert_deployed(pipeline.deploy("article"))
    rewritten = repository.commit("another beginning", {"deploy.sh": DEPLOY}, branch="rewritten")
    repository.move("main", rewritten)
    result = pipeline.deploy("article")
    assert_ended(result, "refused", "not_forward")
    assert f"iwomp rollback article main {rewritten}" in result.outcome["reason"]
    rolled_back = rolled_back_to(pipeline, "article", "main", rewritten)
    assert rolled_back["buildStatus"] == "SUCCEEDED"
    assert_deployed(pipeline.deploy("article"))  # the head is live, so that nothing is held


def test_a_branch_with_the_characters_of_an_issue_tracker_is_deployed_and_recorded_under_its_name(
    pipeline: PipelineUnderTest,
) -> None:
    branch = "fix/#12_(a+b)"
    commit = pipeline.repository("ssh").commit("a fix", {"deploy.sh": DEPLOY}, branch=branch)
    result = pipeline.deploy("ssh", f"refs/heads/{branch}")  # as CI has it in its variable
    assert_deployed(result)
    assert result.said("command: arguments ") == [branch]
    (told,) = pipeline.stack.iwomp("status", "ssh", "--json").json["projects"]
    assert [live["commit"] for live in told["live"] if live["branch"] == branch] == [commit]


def test_an_operator_goes_back_to_an_older_commit_and_what_is_live_says_so(pipeline: PipelineUnderTest) -> None:
    repository = pipeline.repository("ssh")
    old, head = repository.head(), repository.commit("a mistake", {"mistake": "yes"})
    assert old is not None
    result = pipeline.deploy("ssh")
    assert result.outcome["commit"] == head
    # What waits when the pause ends is the case that a rollback has to stand.
    pipeline.stack.operate("pause", "ssh", "--reason", "a mistake is live")
    waiting = pipeline.stack.trigger("ssh")
    build = rolled_back_to(pipeline, "ssh", "main", old)
    record = live_record(pipeline, "ssh")
    assert (record["commit"], record["build"], record["held"]) == (old, build["id"], head)
    assert record["rollback"] == {"from": head, "by": build["initiator"]}
    # What resume publishes begins at once, and answers what waits: by any clock it begins after that was published.
    time.sleep(CLOCK_SKEW_SECONDS + 1)
    held = pipeline.result("ssh", pipeline.stack.operate("resume", "ssh").split()[-1])
    assert (held.status, held.outcome["outcome"]) == ("SUCCEEDED", "held"), held.log
    assert held.said("command: ") == []
    assert pipeline.stack.launcher_verdict(waiting, 6 * RETRY_SECONDS + 30.0)["outcome"] == "covered"
    assert live_record(pipeline, "ssh") == record
    pipeline.stack.operate("release", "ssh", "main")
    assert live_record(pipeline, "ssh")["release"]["held"] == head
    assert_deployed(pipeline.deploy("ssh"))


def test_a_mistyped_rollback_leaves_nothing_behind(pipeline: PipelineUnderTest) -> None:
    pipe = pipeline.stack.pipeline
    live = pipe.live("token")
    refused = pipeline.stack.iwomp("rollback", "token", "mian", pipeline.repository("token").head() or "", "--yes")
    assert refused.status == REFUSED
    assert rolled_back_to(pipeline, "token", "main", "0" * 40)["buildStatus"] == "FAILED"
    assert pipe.live("token") == live


def rolled_back_to(pipeline: PipelineUnderTest, project: str, branch: str, commit: str) -> dict[str, Any]:
    """What became of the build that `iwomp rollback` started."""
    pipe = pipeline.stack.pipeline
    pipeline.stack.operate("rollback", project, branch, commit, "--wait", "5m")
    build: dict[str, Any] = pipe.builds(project, limit=1)[0]
    assert variable(build, "ROLLBACKTO") == commit
    list(pipe.follow(build, RETRIED_SECONDS))
    ended: dict[str, Any] = pipe.builds(project, limit=1)[0]
    return ended


def live_record(pipeline: PipelineUnderTest, project: str, branch: str = "main") -> dict[str, Any]:
    name = f"/{pipeline.config_path}-deployed/{project}/{branch}"
    value = pipeline.stack.emulator.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    record: dict[str, Any] = json.loads(value)
    return record


# Failures that a user meets


def test_a_failing_command_fails_the_build_with_its_own_status(pipeline: PipelineUnderTest) -> None:
    pipeline.repository("basic").commit("break it", {"deploy.sh": "#!/bin/sh\necho no >&2\nexit 42\n"})
    result = pipeline.deploy("basic")
    pipeline.repository("basic").commit("mend it", {"deploy.sh": DEPLOY})
    assert_ended(result, "failed", "command_failed")
    assert result.exit_status == 42
    assert "\nno\n" in result.log


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (json.dumps({"command": "deploy.sh"}), "gitUrl"),
        (json.dumps({"gitUrl": "https://localhost/broken.git"}), "command"),
        (f'{{"gitUrl": "{CANARY}', "JSON"),
    ],
    ids=["no gitUrl", "no command", "wrong JSON"],
)
@pytest.mark.parametrize("kind", ["String", "SecureString"])
def test_a_broken_register_entry_is_a_clear_error(pipeline: PipelineUnderTest, kind: str, text: str, told: str) -> None:
    """The launcher tells of a readable entry, the worker of an encrypted one; neither repeats it."""
    pipeline.write_register("broken", text, kind)
    trigger = pipeline.stack.trigger("broken")
    if kind == "String":
        verdict = pipeline.stack.launcher_verdict(trigger)
        assert (verdict["outcome"], verdict["class"]) == ("refused", "malformed_register")
    else:
        result = pipeline.result("broken", trigger)
        assert_ended(result, "failed", "register")
        assert CANARY not in result.log
        verdict = result.outcome
    assert told in verdict["reason"]
    assert f"/{pipeline.config_path}/broken" in verdict["reason"]
    assert CANARY not in json.dumps(verdict)


def test_a_wrong_token_is_a_clear_error_without_the_token(pipeline: PipelineUnderTest) -> None:
    wrong = f"{CANARY}-wrong"
    pipeline.stack.store_secret("bearer", authToken=wrong)
    result = pipeline.deploy("bearer")
    pipeline.stack.store_secret("bearer", authToken=f"{CANARY}-bearer")
    assert_ended(result, "failed", "git")
    assert "credential" in result.outcome["reason"]
    assert CANARY not in result.log


def test_a_deploy_directory_that_leaves_the_checkout_is_not_entered(pipeline: PipelineUnderTest) -> None:
    repository = pipeline.repository("escape")
    blob = repository.git("hash-object", "-w", "--stdin", text="/usr")
    repository.git("read-tree", "--empty")
    repository.git("update-index", "--add", "--cacheinfo", f"120000,{blob},services/api")
    tree = repository.git("write-tree")
    head = repository.head()
    assert head is not None
    who = {f"GIT_{role}_{part}": "x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    repository.move("main", repository.git("commit-tree", tree, "-p", head, "-m", "link", variables=who))
    result = pipeline.deploy("escape")
    assert_ended(result, "failed", "command")
    assert "services/api" in result.outcome["reason"]


# Refusals


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ({"project": "stranger", "branch": "main"}, "unknown_project"),
        ({"project": "_default", "branch": "main"}, None),
        ({"project": "public:1", "branch": "main"}, None),
        ({"project": "public", "branch": "feature"}, "branch_not_allowed"),
        ({"project": "public", "branch": "main", "command": "id"}, None),
        ({"project": "public"}, None),
        ({"project": "public", "branch": "refs/pull/1/head"}, None),
        ({"project": "public", "branch": "--upload-pack=id"}, None),
        ('{"project":"public","branch":"main","branch":"main"}', None),
        ('["public","main"]', None),
        ("\x1b[2Jnonsense", None),
    ],
)
def test_what_is_no_trigger_of_a_registered_branch_is_refused_for_good(
    pipeline: PipelineUnderTest, message: object, word: str | None
) -> None:
    verdict = pipeline.verdict(message)
    assert verdict["outcome"] == "refused"
    assert verdict["reason"]
    assert word in (None, verdict["class"])
    assert "\x1b" not in verdict["reason"]


def test_on_its_own_topic_a_project_needs_no_name_and_none_else_can_be_named(pipeline: PipelineUnderTest) -> None:
    sns = pipeline.stack.emulator.client("sns")

    def publish(**message: str) -> str:
        topic = pipeline.stack.pipeline.topic("own")
        return str(sns.publish(TopicArn=topic, Message=json.dumps(message))["MessageId"])

    def refused(**message: str) -> str:
        return str(pipeline.stack.launcher_verdict(publish(**message))["class"])

    assert refused(branch="main") == "commit_required"
    assert refused(branch="main", project="public") == "wrong_project"
    head = pipeline.repository("own").head() or ""
    assert_deployed(pipeline.result("own", publish(branch="main", commit=head)))
    topic = pipeline.stack.pipeline.outputs["projects"]["own"]["topic_arn"]
    assert denied(pipeline.stack.aws("sns", "publish", "--topic-arn", topic, "--message", "x"))


def test_the_worker_refuses_a_branch_that_an_encrypted_entry_does_not_allow(pipeline: PipelineUnderTest) -> None:
    pipeline.repository("article-token").commit("not reviewed", {"deploy.sh": DEPLOY}, branch="feature")
    result = pipeline.deploy("article-token", "feature")
    assert_ended(result, "refused", "branch_not_allowed")
    assert result.said("command: ") == []


# Rights


def denied(result: Any) -> bool:
    return result.status != 0 and ("AccessDenied" in result.err or "AuthorizationError" in result.err)


def test_the_ci_may_publish_and_nothing_else(pipeline: PipelineUnderTest) -> None:
    outputs = pipeline.stack.pipeline.outputs
    for call in (
        ("codebuild", "start-build", "--project-name", outputs["projects"]["public"]["build_project"]),
        ("ssm", "get-parameter", "--name", outputs["projects"]["public"]["register_parameter"]),
        ("ssm", "put-parameter", "--name", "/x", "--value", "x", "--type", "String"),
        ("sqs", "send-message", "--queue-url", outputs["queue_url"], "--message-body", "x"),
        ("sns", "subscribe", "--topic-arn", outputs["topic_arn"], "--protocol", "sqs", "--notification-endpoint", "x"),
        ("lambda", "invoke", "--function-name", outputs["launcher_function_name"], "/dev/null"),
    ):
        result = pipeline.stack.aws(*call)
        assert denied(result), (call, result)


def test_a_project_reaches_neither_anothers_entry_nor_credentials_nor_build(pipeline: PipelineUnderTest) -> None:
    cp = pipeline.config_path
    calls = [
        f"aws ssm get-parameter --with-decryption --name /{cp}-credentials/token",
        f"aws ssm get-parameter --name /{cp}/token",
        f"aws ssm put-parameter --overwrite --type String --value x --name /{cp}/nosy",
        f"aws ssm put-parameter --overwrite --type String --value x --name /{cp}-deployed/token/main",
        f"aws codebuild start-build --project-name {cp}--token",
        f"aws sts assume-role --role-session-name x --role-arn {pipeline.stack.pipeline.project('token')['role_arn']}",
    ]
    tries = "".join(f"if {call} >/dev/null 2>&1; then echo 'reached: {call}'; fi\n" for call in calls)
    pipeline.repository("nosy").commit("look around", {"deploy.sh": f"#!/bin/sh\n{tries}echo looked\n"})
    result = pipeline.deploy("nosy")
    assert_deployed(result)
    assert "\nlooked\n" in result.log
    assert result.said("reached: ") == []


# Secrets


def everything_that_runs() -> dict[str, str]:
    """Arguments and environment of every process of this machine that we may look at."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[entry.name] = (entry / "cmdline").read_text() + (entry / "environ").read_text()
            except (OSError, UnicodeDecodeError):
                continue
    return found


def test_no_secret_is_in_arguments_or_environment_while_git_runs(pipeline: PipelineUnderTest) -> None:
    with subprocess.Popen(["sleep", "60"], env={"SECRET": f"{CANARY}-control"}) as control:
        assert any(CANARY in text for text in everything_that_runs().values()), "the search finds nothing at all"
        control.kill()
    seen: dict[str, str] = {}
    with pipeline.git.hold():
        trigger = pipeline.stack.trigger("token")

        def git_runs() -> bool | None:
            seen.update(everything_that_runs())
            return True if any("/token.git" in text and "remote-https" in text for text in seen.values()) else None

        wait_for("git to run", git_runs, RETRIED_SECONDS)
        for _ in range(10):
            seen.update(everything_that_runs())
            time.sleep(0.02)
    assert_deployed(pipeline.result("token", trigger))
    assert [text for text in seen.values() if CANARY in text] == []
    header = [request.authorization for request in pipeline.git.requests if request.authorization]
    assert header, "the credential was used, so the search had something to find"


def test_no_secret_is_where_the_command_can_look(pipeline: PipelineUnderTest) -> None:
    """The command itself searches: .git, its home and temporary files, its own and its parents' variables."""
    # The word is put together only when it runs: the script lies in what is searched.
    script = f"""#!/bin/sh
word=$(echo {CANARY[:4]}; echo {CANARY[4:]})
word=$(echo "$word" | tr -d '\\n')
grep --recursive --quiet --fixed-strings "$IWOMP_COMMIT" .git && echo "control: .git can be searched"
grep --recursive --files-with-matches --fixed-strings "$word" .git "$HOME" "$TMPDIR" 2>/dev/null
parent=$$
while [ "$parent" -gt 1 ]; do
    tr '\\0' '\\n' <"/proc/$parent/environ" 2>/dev/null | grep --fixed-strings "$word"
    parent=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$parent/status")
done
echo "searched for $(echo "$word" | wc -c)"
"""
    pipeline.repository("search").commit("search", {"deploy.sh": script})
    result = pipeline.deploy("search")
    assert_deployed(result)
    assert result.said("control: ") == [".git can be searched"], result.log
    assert result.said("searched for ") == [str(len(CANARY) + 1)]
    assert CANARY not in result.log


def test_no_secret_is_in_any_log_or_in_terraforms_state_or_plan(pipeline: PipelineUnderTest) -> None:
    stack = pipeline.stack
    logs = stack.emulator.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert any("launcher" in name for name in groups)
    for group in groups:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            assert CANARY not in json.dumps(page, default=str), group
    plan = stack.terraform.directory / "canary.tfplan"
    stack.terraform.run("plan", "-input=false", f"-out={plan}", timeout_seconds=120)
    assert CANARY not in stack.terraform.run("show", "-json", str(plan), timeout_seconds=120).stdout
    for file in stack.terraform.directory.rglob("*"):
        if file.is_file() and not file.is_symlink() and ".terraform" not in file.parts:
            assert CANARY.encode() not in file.read_bytes(), file


# Waiting, repeating, giving up


def test_of_a_crowd_of_triggers_one_runs_one_waits_and_runs_and_that_covers_the_others(
    pipeline: PipelineUnderTest,
) -> None:
    stack, triggers = pipeline.stack, pipeline.crowd.triggers
    pipeline.crowd.let_go.result(DEAD_SECONDS)
    verdicts = {trigger: stack.launcher_verdict(trigger, DEAD_SECONDS) for trigger in triggers}
    words = [[line["outcome"] for line in stack.launcher_words(trigger)] for trigger in triggers]
    assert sum("busy" in said for said in words) == CROWD - 1, words
    covered = {trigger: verdict["build"] for trigger, verdict in verdicts.items() if verdict["outcome"] == "covered"}
    started = {verdict["build"] for verdict in verdicts.values() if verdict["outcome"] == "started"}
    builds = sorted(stack.pipeline.builds("busy"), key=lambda build: build["startTime"])
    assert len(covered) + len(started) == CROWD, verdicts
    assert started == {build["id"] for build in builds}
    # The first covers nobody. A third is there only if its trigger came within the two seconds for which a launcher
    # believes what it saw before the second ended.
    assert len(builds) in (2, 3), words
    assert all(earlier["endTime"] <= later["startTime"] for earlier, later in pairwise(builds))
    began = {build["id"]: build["startTime"].timestamp() for build in builds if build["buildStatus"] == "SUCCEEDED"}
    for trigger, build in covered.items():
        assert began[build] > stack.published_at(trigger) + CLOCK_SKEW_SECONDS


def test_a_trigger_that_is_delivered_twice_runs_once(pipeline: PipelineUnderTest) -> None:
    stack = pipeline.stack
    trigger = stack.trigger("monorepo")
    pipeline.result("monorepo", trigger)
    envelope = {
        "Type": "Notification",
        "MessageId": trigger,
        "TopicArn": stack.pipeline.outputs["topic_arn"],
        "Message": json.dumps({"project": "monorepo", "branch": "main"}),
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "SignatureVersion": "1",
        "Signature": "again",
        "SigningCertURL": "https://sns.example/cert.pem",
        "UnsubscribeURL": "https://sns.example/unsubscribe",
    }
    stack.emulator.client("sqs").send_message(
        QueueUrl=stack.pipeline.outputs["queue_url"], MessageBody=json.dumps(envelope)
    )
    wait_for(
        "the second delivery",
        lambda: True if len(stack.launcher_words(trigger)) >= 2 else None,
        RETRIED_SECONDS,
    )
    builds = [build for build in stack.pipeline.builds("monorepo") if variable(build, "TRIGGERID") == trigger]
    assert len(builds) == 1


def test_a_stopped_build_ends_its_command_in_order(pipeline: PipelineUnderTest, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    script = f"#!/bin/sh\ntrap 'echo in order > {ended}; exit 1' TERM\necho waiting\nwhile :; do sleep 0.1; done\n"
    pipeline.repository("slow").commit("wait for ever", {"deploy.sh": script})
    trigger = pipeline.stack.trigger("slow")

    def waiting() -> dict[str, Any] | None:
        build = pipeline.stack.build_of("slow", trigger)
        return build if build is not None and "\nwaiting\n" in pipeline.stack.pipeline.log_text(build) else None

    build = pipeline.stack.wait_for_trigger("its command", "slow", trigger, waiting, RETRIED_SECONDS)
    pipeline.stack.emulator.client("codebuild").stop_build(id=build["id"])
    _, log = pipeline.stack.finished_build("slow", trigger)
    assert ended.read_text() == "in order\n"
    assert '"class":"stopped"' in log
    assert pipeline.stack.pipeline.live("slow") == []


def test_a_trigger_that_cannot_start_becomes_a_dead_letter_and_redrive_sends_it_again(
    pipeline: PipelineUnderTest,
) -> None:
    pipe, trigger = pipeline.stack.pipeline, pipeline.dead_trigger
    dead_letters = pipe.outputs["dead_letter_queue_url"]

    def given_up() -> list[dict[str, Any]] | None:
        words = pipeline.stack.launcher_words(trigger)
        return words if len(words) >= LASTING_TRIES else None

    tries = wait_for("the last try", given_up, DEAD_SECONDS)
    wait_for("the dead letter", lambda: pipe.waiting(dead_letters) or None, DEAD_SECONDS)
    assert [(line["outcome"], line["class"]) for line in tries] == [("failed", "misconfigured")] * LASTING_TRIES
    assert "unbuilt" in tries[-1]["reason"]
    # Mended: the entry is withdrawn, so the checks have another answer this time.
    pipeline.stack.emulator.client("ssm").delete_parameter(Name=f"/{pipe.config_path}/unbuilt")
    # Others' may lie there, too.
    assert f"sent {trigger}" in pipeline.stack.operate("redrive").splitlines()
    verdict = pipeline.stack.launcher_verdict(trigger, RETRIED_SECONDS)
    assert (verdict["outcome"], verdict["class"]) == ("refused", "unknown_project")
    wait_for("empty queues", lambda: True if pipe.waiting(dead_letters) == 0 else None, RETRIED_SECONDS)


# Used by nothing above, so that both forms of the same secret are searched for.
assert TOKEN.startswith(CANARY)
assert PASSWORD.startswith(CANARY)
