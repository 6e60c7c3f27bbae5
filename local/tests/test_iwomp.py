"""The program `iwomp` as people run it, on the shared stack: the real binary, credentials, a name, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from pipeline_under_test import BEARER, CANARY, RETRY_SECONDS, Iwomp, PipelineUnderTest

from iwomp_local import places, standing
from iwomp_local.places import REPOSITORY
from iwomp_local.stack import CliResult
from iwomp_local.waiting import wait_for

SECONDS = 60.0
DEAD_SECONDS = RETRY_SECONDS * 3 + 120.0  # the delays grow up to it, and five tries have four


def of(said: CliResult, project: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in said.json["projects"] if entry["project"] == project)
    return found


def test_an_empty_folder_credentials_and_the_name_are_enough(pipeline: PipelineUnderTest, iwomp: Iwomp) -> None:
    published = iwomp("trigger", "public", "main", "--yes")
    assert published.status == 0, published.err
    trigger = published.out.split()[-1]
    result = pipeline.result("public", trigger)
    said = iwomp("status", "public", "--json")
    assert said.status == 0, said.err
    assert said.err == ""
    public = of(said, "public")
    assert public["last"]["outcome"] == "deployed"
    assert public["last"]["build"] == result.build["id"]
    (live,) = public["live"]
    assert (live["branch"], live["trigger"]) == ("main", trigger)
    assert live["commit"] == pipeline.repository("public").head()


def test_a_project_with_its_own_topic_is_triggered_there(pipeline: PipelineUnderTest, iwomp: Iwomp) -> None:
    commit = pipeline.repository("own").head() or ""
    refused = iwomp("trigger", "own", "main", "--yes")
    assert refused.status == 3
    assert "requires a commit" in refused.err
    published = iwomp("trigger", "own", "main", "--commit", commit, "--yes")
    assert pipeline.result("own", published.out.split()[-1]).status == "SUCCEEDED"


def test_a_wrong_name_is_said_at_once(iwomp: Iwomp) -> None:
    for arguments, status, told in (
        (("trigger", "nobody", "main", "--yes"), 5, "nobody is not a registered project"),
        (("trigger", "public", "release/1", "--yes"), 3, "does not allow the branch release/1"),
        (("trigger", "public", "-x", "--yes"), 2, "unexpected argument"),
        (("status", "nobody"), 5, "that are registered: iwomp projects"),
        (("status", "--config-path", "other"), 5, "there is no pipeline other in eu-central-1"),
        (("trigger", "public", "main"), 2, "There is nobody to ask"),
    ):
        said = iwomp(*arguments)
        assert (said.status, said.out) == (status, ""), (arguments, said)
        assert told in said.err, (arguments, said)


def test_what_was_refused_and_what_is_dead_stands_under_its_project(pipeline: PipelineUnderTest, iwomp: Iwomp) -> None:
    trigger = pipeline.stack.publish(json.dumps({"project": "public", "branch": "not/allowed"}))
    assert pipeline.stack.launcher_verdict(trigger)["outcome"] == "refused"
    refused = of(iwomp("status", "public", "--json"), "public")["refused"]
    (word,) = [word for word in refused if word["trigger"] == trigger]
    assert word["class"] == "branch_not_allowed"
    assert word["branch"] == "not/allowed"
    assert "public refused not/allowed" in iwomp("status").out

    def dead() -> dict[str, Any] | None:
        words = of(iwomp("status", "unbuilt", "--json"), "unbuilt")["given_up"]
        return next((word for word in words if word["trigger"] == pipeline.dead_trigger), None)

    # Its trigger was published when the stack was there, and only test_pipeline.py takes it away, in another process.
    word = wait_for("the dead letter", dead, DEAD_SECONDS)
    assert (word["outcome"], word["class"]) == ("failed", "misconfigured")
    of_public = of(iwomp("status", "public", "--json"), "public")["given_up"]
    assert pipeline.dead_trigger not in {word["trigger"] for word in of_public}
    waited = iwomp("wait", pipeline.dead_trigger)
    assert (waited.status, waited.out) == (1, "")
    assert "iwomp redrive" in waited.err
    logged = iwomp("logs", "unbuilt", "--trigger", pipeline.dead_trigger)
    assert (logged.status, logged.err) == (1, waited.err)


def test_the_articles_parameters_become_a_file_for_terraform(iwomp: Iwomp) -> None:
    said = iwomp("migrate", "--to", "other")
    assert said.status == 0, said.err
    assert 'config_path = "other"\n' in said.out
    assert '  "article" = {\n    git_url = "https://localhost:' in said.out
    assert "jq '{basicUsername, basicPassword}' | iwomp secret set article-basic --config-path other" in said.out
    assert "nothing changed" in said.err
    assert CANARY not in said.out + said.err
    read = subprocess.run(
        [str(places.program("terraform")), "fmt", "-"], input=said.out, capture_output=True, text=True, check=False
    )
    assert read.returncode == 0, read.stderr
    nowhere = iwomp("migrate", "--config-path", "nobodys")
    assert (nowhere.status, nowhere.out) == (5, "")


def test_without_credentials_or_a_right_it_says_so(pipeline: PipelineUnderTest, iwomp: Iwomp) -> None:
    ci = pipeline.stack.ci
    said = iwomp("status", AWS_ACCESS_KEY_ID=ci.access_key, AWS_SECRET_ACCESS_KEY=ci.secret_key)
    assert said.status == 6
    assert "AccessDenied" in said.err
    assert "aws sts get-caller-identity" in said.err
    said = iwomp("status", AWS_REGION="", AWS_DEFAULT_REGION="")
    assert said.status == 2
    assert "--region" in said.err


def test_a_local_stack_that_is_up_is_meant_unless_another_is_named(
    pipeline: PipelineUnderTest, iwomp: Iwomp, tmp_path: Path
) -> None:
    standing.tell_where(pipeline.stack, tmp_path / ".local" / "default")
    below = tmp_path / "terraform" / "modules"
    below.mkdir(parents=True)
    nothing = {"AWS_ENDPOINT_URL": "", "AWS_REGION": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    said = iwomp("status", "public", "--json", folder=below, **nothing, AWS_DEFAULT_REGION="")
    assert said.status == 0, said.err
    assert f"the local stack at {pipeline.stack.emulator.url}" in said.err
    said = iwomp("status", "public", "--json", folder=below)
    assert (said.status, said.err) == (0, "")


def test_help_needs_neither_aws_nor_time(iwomp: Iwomp) -> None:
    for arguments in (("--help",), ("status", "--help"), ("--version",)):
        said = iwomp(*arguments, AWS_ENDPOINT_URL="http://127.0.0.1:1")
        assert (said.status, said.err) == (0, "")
        assert "iwomp" in said.out


def test_a_trigger_is_followed_to_its_end_and_told_in_one_timeline(pipeline: PipelineUnderTest, iwomp: Iwomp) -> None:
    trigger = iwomp("trigger", "public", "main", "--yes").out.split()[-1]
    waited = iwomp("wait", trigger, "--timeout", "5m")
    assert waited.status == 0, waited.err
    assert "command: arguments main" in waited.out
    assert "deployed" in waited.err
    logged = iwomp("logs", "public", "--trigger", trigger)
    assert (logged.status, logged.out) == (0, waited.out)
    trace = iwomp("trace", trigger, "--json").json
    said = [(event["source"], event["what"].split()[0]) for event in trace["events"]]
    assert ("queue", "received") in said
    assert ("launcher", "started,") in said
    assert ("codebuild", "BUILD") in said
    assert any(source == "log" for source, _ in said)
    assert trace["project"] == "public"
    (newest, *_) = iwomp("history", "public", "main", "--json").json["records"]
    assert (newest["trigger"], newest["commit"]) == (trigger, pipeline.repository("public").head())


class Page(HTMLParser):
    """What a page consists of: its tags with their attributes, and the words of each row of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data: str) -> None:
        if self.rows and data.strip():
            self.rows[-1].append(data.strip())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_report_is_one_page_that_anybody_can_read(
    pipeline: PipelineUnderTest, iwomp: Iwomp, tmp_path: Path
) -> None:
    trigger = iwomp("trigger", "public", "main", "--yes").out.split()[-1]
    build = pipeline.result("public", trigger).build["id"]

    def told() -> dict[str, Any] | None:
        document = iwomp("report", "--json", "--days", "2").json
        assert (document["shape"], document["log_is_cut"]) == ("report", False)
        return next((told for told in document["builds"] if told["build"] == build), None)

    ended = wait_for("the notifier's report", told, SECONDS)
    assert ended["outcome"] == "deployed"
    assert (ended["trigger"], ended["project"]) == (trigger, "public")
    assert ended["published"] <= ended["ended"]
    file = tmp_path / "report.html"
    said = iwomp("report", "--out", str(file))
    assert (said.status, said.out, said.err) == (0, "", "")
    page = Page(file.read_text())
    commit = (pipeline.repository("public").head() or "")[:12]
    assert any(row[:3] == ["public", "main", commit] for row in page.rows)
    assert not page.of("script")
    assert len(page.of("caption")) == len(page.of("table")) > 2
    assert all(heading.get("scope") for heading in page.of("th"))
    assert len(page.of("h1")) == len(page.of("main")) == 1
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert {link["href"] for link in page.of("a")} <= {f"#{name}" for name in ids}


def test_the_report_needs_the_rights_that_its_page_names_and_no_others(
    pipeline: PipelineUnderTest, iwomp: Iwomp
) -> None:
    (policy,) = re.findall(r"```json\n(.+?)```", (REPOSITORY / "docs" / "report.md").read_text(), re.DOTALL)
    iam = pipeline.stack.emulator.client("iam")
    iam.create_user(UserName="reporter")
    iam.put_user_policy(UserName="reporter", PolicyName="report", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reporter")["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    said = iwomp("report", "--json", **credentials)
    assert said.status == 0, said.err
    for statement in json.loads(policy)["Statement"][:-1]:
        rest = [other for other in json.loads(policy)["Statement"] if other != statement]
        less = json.dumps({"Version": "2012-10-17", "Statement": rest})
        iam.put_user_policy(UserName="reporter", PolicyName="report", PolicyDocument=less)
        assert iwomp("report", "--json", **credentials).status == 6, statement


def test_a_refused_trigger_ends_as_such(pipeline: PipelineUnderTest, iwomp: Iwomp) -> None:
    trigger = pipeline.stack.publish(json.dumps({"project": "public", "branch": "nowhere"}))
    waited = iwomp("wait", trigger, "--timeout", "2m")
    assert (waited.status, waited.out) == (3, "")
    assert "does not allow branch nowhere" in waited.err
    logged = iwomp("logs", "public", "--trigger", trigger)
    assert (logged.status, logged.out) == (3, "")


def test_the_register_is_shown_and_held_to_the_contract(pipeline: PipelineUnderTest, iwomp: Iwomp) -> None:
    entries = {entry["project"]: entry for entry in iwomp("projects", "--json").json["projects"]}
    assert entries["public"]["git_url"] == pipeline.git_url("public")
    assert entries["article-token"]["encrypted"] is True
    keys = {key["key"]: key for key in iwomp("register", "show", "article", "--json").json["keys"]}
    assert keys["caBundle"]["from"] == f"/{pipeline.config_path}/_default"
    assert keys["gitUrl"]["from"] == f"/{pipeline.config_path}/article"
    pipeline.write_register("broken", json.dumps({"gitUrl": "https://git.example/x.git", "comand": "x"}))
    lint = iwomp("register", "lint", "--json")
    assert lint.status == 1
    typo, lack = [fault["fault"] for fault in lint.json["faults"] if fault["parameter"].endswith("/broken")]
    assert 'almost "command"' in typo
    assert lack == 'lacks the key "command"'


def test_a_paused_projects_triggers_wait_until_it_is_resumed(pipeline: PipelineUnderTest, iwomp: Iwomp) -> None:
    assert iwomp("pause", "nosy", "--yes", "--reason", "we repair").status == 0
    assert of(iwomp("status", "nosy", "--json"), "nosy")["paused"]["reason"] == "we repair"
    trigger = iwomp("trigger", "nosy", "main", "--yes").out.split()[-1]
    words = wait_for("its first look", lambda: pipeline.stack.launcher_words(trigger) or None, SECONDS)
    assert (words[0]["outcome"], words[0]["class"]) == ("busy", "paused")
    told = iwomp("resume", "nosy", "--dry-run").out
    assert told.endswith('and publish {"project":"nosy","branch":"main"} again\n'), told
    resumed = iwomp("resume", "nosy", "--yes")
    assert resumed.status == 0
    assert "nosy deploys again" in resumed.out
    assert "main is published again, so that it begins now" in resumed.out
    # Its own delay is five times as long.
    again = pipeline.stack.launcher_verdict(resumed.out.split()[-1], RETRY_SECONDS)
    assert again["outcome"] == "started", again
    waited = iwomp("wait", trigger, "--timeout", "5m")
    assert waited.status == 0, waited.err
    stopped = iwomp("stop", "nosy", "--yes")
    assert (stopped.out, stopped.err) == ("no build of nosy runs\n", "")


def test_a_build_that_is_stopped_ends_and_says_what_comes_next(pipeline: PipelineUnderTest, iwomp: Iwomp) -> None:
    pipeline.repository("stopped").commit("wait for ever", {"deploy.sh": "#!/bin/sh\nwhile :; do sleep 0.1; done\n"})
    trigger = pipeline.stack.trigger("stopped")
    build = wait_for("the build", lambda: pipeline.stack.build_of("stopped", trigger), SECONDS)
    said = iwomp("stop", "stopped", "--yes")
    assert said.out == f"{build['id']} is asked to end\n"
    assert "iwomp pause stopped" in said.err
    finished, _ = pipeline.stack.finished_build("stopped", trigger)
    assert finished["buildStatus"] == "STOPPED"
    assert iwomp("wait", trigger).status == 1


def test_what_a_build_writes_as_its_record_spoils_its_own_line_only(pipeline: PipelineUnderTest, iwomp: Iwomp) -> None:
    deployed = f"/{pipeline.config_path}-deployed/history"
    ssm, commit = pipeline.stack.emulator.client("ssm"), "a1" * 20
    strange = {
        "garbage": "garbage",
        "deep": "[" * 3000,
        "list": f'["{commit}"]',
        "twice": f'{{"commit": "{"b2" * 20}", "commit": "{commit}", "time": "now"}}',
        "time": json.dumps({"commit": commit, "time": {"year": 2026}}),
        "more": json.dumps({"commit": commit, "time": "now", "more": "x"}),
    }
    drawing = {"escape": "\x1b[2J\x07", "bidi": "\u202e2026", "line": "a\r\nlive"}
    written = {**strange, **{name: json.dumps({"commit": commit, "time": time}) for name, time in drawing.items()}}
    for branch, text in written.items():
        ssm.put_parameter(Name=f"{deployed}/{branch}", Value=text, Type="String", Overwrite=True)
    try:
        told = {live["branch"]: live for live in of(iwomp("status", "history", "--json"), "history")["live"]}
        assert {name for name in written if told[name].get("commit") is None} == set(strange)
        said = iwomp("status", "history").out
        assert all(letter.isprintable() for letter in said.replace("\n", "")), repr(said)
        assert iwomp("release", "history", "garbage", "--yes").status == 1
    finally:
        for branch in written:
            ssm.delete_parameter(Name=f"{deployed}/{branch}")


def test_an_operator_goes_back_and_releases_what_was_left(pipeline: PipelineUnderTest, iwomp: Iwomp) -> None:
    old = pipeline.repository("calm").head() or ""
    new = pipeline.repository("calm").commit("newer", {"file": "newer"})
    assert iwomp("trigger", "calm", "main", "--yes", "--wait").status == 0
    went = iwomp("rollback", "calm", "main", old, "--yes", "--wait", "5m")
    assert went.status == 0, went.err
    assert iwomp("logs", "calm", "--build", went.out.split()[0], "--follow").status == 0
    (live,) = of(iwomp("status", "calm", "--json"), "calm")["live"]
    assert (live["commit"], live["held"]) == (old, new)
    released = iwomp("release", "calm", "main", "--yes")
    assert (released.status, released.out) == (0, f"{new} of calm main is held no more\n")
    assert iwomp("release", "calm", "main", "--yes").out == "nothing of calm main is held\n"
    (newest, *_) = iwomp("history", "calm", "main", "--json").json["records"]
    assert newest["commit"] == old


def test_a_secret_is_stored_if_the_worker_will_take_it_and_then_used(
    pipeline: PipelineUnderTest, iwomp: Iwomp, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("two words\n")
    refused = iwomp("secret", "set", "bearer", "--file", str(file), "--yes")
    assert refused.status == 3
    assert "nothing was stored" in refused.err
    file.write_text(f"{BEARER}\n")
    stored = iwomp("secret", "set", "bearer", "--file", str(file), "--yes")
    assert (stored.status, stored.out) == (0, f"stored in /{pipeline.config_path}-credentials/bearer\n")
    assert iwomp("trigger", "bearer", "main", "--yes", "--wait").status == 0


def test_a_secret_goes_from_standard_input_to_its_parameter_and_nowhere_else(
    pipeline: PipelineUnderTest, iwomp: Iwomp
) -> None:
    said = iwomp("secret", "set", "public", "--yes", given=f"{CANARY}-given\n")
    assert said.status == 0
    assert CANARY not in said.out + said.err
    name = f"/{pipeline.config_path}-credentials/public"
    ssm = pipeline.stack.emulator.client("ssm")
    parameter = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert json.loads(parameter["Value"]) == {"authToken": f"{CANARY}-given"}
    assert parameter["Type"] == "SecureString"
    (described,) = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"]
    assert described["KeyId"] == pipeline.stack.pipeline.outputs["kms_key_arn"]
    ssm.delete_parameter(Name=name)
