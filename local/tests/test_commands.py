"""What people do with a pipeline, on the shared stack, and what they read when something is missing."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pipeline_under_test import CANARY, PipelineUnderTest
from processes import processes_in

from iwomp_local import commands, places, terraform
from iwomp_local.cli import main
from iwomp_local.commands import credentials_document
from iwomp_local.pipeline import PipelineError
from iwomp_local.story import Story
from iwomp_local.waiting import wait_for

WAIT_SECONDS = 120.0
Captured = pytest.CaptureFixture[str]


def test_trigger_then_logs_then_status(pipeline: PipelineUnderTest, capsys: Captured) -> None:
    pipe, commit = pipeline.stack.pipeline, pipeline.repository("ssh").head()
    commands.trigger(pipe, "ssh", "main", commit)
    said = capsys.readouterr().out
    trigger = said.splitlines()[0].rpartition(" ")[2]
    assert pipeline.stack.launcher_verdict(trigger)["outcome"] == "started"

    commands.logs(pipe, "ssh")
    said = capsys.readouterr().out
    assert "command: arguments main" in said
    assert f'"trigger":"{trigger}"' in said

    commands.status(pipe)
    said = capsys.readouterr().out
    assert f"live    main                 {commit[:12] if commit else ''}" in said
    assert "deployed     main" in said
    assert "waiting" in said.splitlines()[-1]


def test_stop_ends_the_running_build_and_says_what_comes_next(pipeline: PipelineUnderTest, capsys: Captured) -> None:
    pipe = pipeline.stack.pipeline
    pipeline.repository("stopped").commit("wait for ever", {"deploy.sh": "#!/bin/sh\nwhile :; do sleep 0.1; done\n"})
    trigger = pipeline.stack.trigger("stopped")
    build = wait_for("the build", lambda: pipeline.stack.build_of("stopped", trigger), WAIT_SECONDS)
    commands.stop(pipe, "stopped")
    said = capsys.readouterr().out
    assert build["id"] in said
    assert "make pause PROJECT=stopped" in said
    finished, _ = pipeline.stack.finished_build("stopped", trigger)
    assert finished["buildStatus"] == "STOPPED"
    commands.stop(pipe, "stopped")
    assert "no build of stopped runs" in capsys.readouterr().out


def test_a_paused_project_is_shown_with_its_reason_until_it_is_resumed(
    pipeline: PipelineUnderTest, capsys: Captured
) -> None:
    pipe = pipeline.stack.pipeline
    commands.pause(pipe, "escape", "the database is\x1b[2J repaired ")
    said = capsys.readouterr().out
    assert f"/{pipe.config_path}-paused/escape" in said
    assert "make resume PROJECT=escape" in said
    commands.status(pipe)
    said = capsys.readouterr().out
    assert re.search(r"^escape\n  paused  \d+ s ago: the database is\?\[2J repaired; make resume", said, re.MULTILINE)
    assert "\x1b" not in said
    commands.resume(pipe, "escape")
    assert "deploys again" in capsys.readouterr().out
    commands.status(pipe)
    assert "  paused " not in capsys.readouterr().out
    commands.resume(pipe, "escape")
    assert "escape is not paused" in capsys.readouterr().out


def test_what_pauses_stops_or_resumes_an_unknown_project_is_told_the_known_ones(pipeline: PipelineUnderTest) -> None:
    pipe = pipeline.stack.pipeline
    for command in (commands.stop, commands.resume, lambda pipe, project: commands.pause(pipe, project, "")):
        with pytest.raises(PipelineError, match="'nobody' is not a registered project; registered: article"):
            command(pipe, "nobody")
    assert pipe.paused() == {}


def test_a_reason_has_an_end(pipeline: PipelineUnderTest) -> None:
    with pytest.raises(PipelineError, match="500 letters"):
        commands.pause(pipeline.stack.pipeline, "escape", "x" * 501)


def test_status_says_why_triggers_were_given_up() -> None:
    class Told:
        def launcher_outcomes(self, begin: float) -> list[dict[str, str]]:
            assert begin > 0
            return [
                {"trigger": "1", "outcome": "busy", "project": "a", "branch": "main", "reason": "it builds"},
                {"trigger": "2", "outcome": "started", "project": "b", "branch": "main"},
                {"trigger": "1", "outcome": "expired", "project": "a", "branch": "main", "reason": "waited too long"},
            ]

    assert commands.given_up(Told()) == ["expired  a main: waited too long"]  # type: ignore[arg-type]


def test_logs_of_what_was_never_built_say_where_to_look(pipeline: PipelineUnderTest) -> None:
    with pytest.raises(PipelineError, match="'nobody' is not a registered project; registered: article"):
        commands.logs(pipeline.stack.pipeline, "nobody")


def test_a_secret_goes_from_standard_input_to_its_parameter_and_nowhere_else(
    pipeline: PipelineUnderTest, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{CANARY}-given\n".encode())))
    commands.secret(pipeline.stack.pipeline, "public", None)
    said = capsys.readouterr()
    assert CANARY not in said.out + said.err
    name = f"/{pipeline.config_path}-credentials/public"
    ssm = pipeline.stack.emulator.client("ssm")
    parameter = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert json.loads(parameter["Value"]) == {"authToken": f"{CANARY}-given"}
    assert parameter["Type"] == "SecureString"
    (described,) = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"]
    assert described["KeyId"] == pipeline.stack.pipeline.outputs["kms_key_arn"]
    ssm.delete_parameter(Name=name)


def test_a_secret_goes_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("the-token\n")
    assert credentials_document(commands.read_secret(file)) == '{"authToken":"the-token"}'


KEY = "-----BEGIN PRIVATE KEY-----\nwords-secret\n-----END PRIVATE KEY-----\n"
LOCKED = KEY.replace("PRIVATE", "ENCRYPTED PRIVATE")
HTTPS, SSH = "https://git.example/demo.git", "ssh://git@git.example/demo.git"


@pytest.mark.parametrize(
    ("document", "url"),
    [
        ({"authToken": "t"}, HTTPS),
        ({"authToken": "t", "basicUsername": "u"}, HTTPS),
        ({"basicUsername": "u", "basicPassword": "p"}, HTTPS),
        ({"sshPrivateKey": KEY, "knownHosts": "git.example ssh-ed25519 AAAA"}, SSH),
        ({"sshPrivateKey": "k", "knownHosts": "h"}, None),  # whose URL nobody here may read
    ],
)
def test_each_form_of_a_credentials_document_is_taken(document: dict[str, str], url: str | None) -> None:
    text = json.dumps(document, indent=2)
    assert json.loads(credentials_document(f"\ufeff\r\n{text}\n".encode(), url)) == document


def test_a_bare_token_becomes_a_document() -> None:
    assert json.loads(credentials_document(b"  token\r\n", HTTPS)) == {"authToken": "token"}


@pytest.mark.parametrize(
    ("handed_over", "told"),
    [
        (b"", "nothing was handed over"),
        (b"two words-secret", "one word"),
        (b'{"authToken": "words-secret"', "not valid JSON"),
        (b'{"words-secret": "x"}', "unknown key"),
        (b'{"authToken": {"words-secret": 1}}', "must be a string"),
        (b'{"authToken": ["words-secret"]}', "must be a string"),
        (b'{"authToken": ""}', "must not be empty"),
        (b'{"authToken": "words-secret\\n"}', "one non-empty line"),
        (b'{"authToken": "words-secret", "authToken": "x"}', "twice"),
        ("words-secret".encode("utf-16"), "in UTF-16"),
        ('{"authToken": "words-secret-\u00fc"}'.encode("latin-1"), "in Latin-1"),
        (KEY.encode(), "knownHosts"),
        (b"words-secret" * 1000, "longer than"),
        (json.dumps({"authToken": "words-secret"}).encode(), "of no use for an SSH URL"),
        (json.dumps({"sshPrivateKey": LOCKED, "knownHosts": "git.example k v"}).encode(), "has a passphrase"),
        (
            json.dumps({"sshPrivateKey": "ssh-rsa words-secret", "knownHosts": "git.example k v"}).encode(),
            "the public key",
        ),
        (json.dumps({"sshPrivateKey": KEY, "knownHosts": "other.example k v"}).encode(), "no line for the host"),
    ],
)
def test_what_the_worker_would_refuse_is_not_stored_and_not_repeated(handed_over: bytes, told: str) -> None:
    with pytest.raises(PipelineError, match=told) as error:
        credentials_document(handed_over, SSH)
    shown = str(error.value) + str(error.value.__cause__ or "")
    assert "words-secret" not in shown


def test_nothing_to_redrive_is_said_so(pipeline: PipelineUnderTest, capsys: Captured) -> None:
    class Empty:
        def redrive(self) -> int:
            return 0

    commands.redrive(Empty())  # type: ignore[arg-type]
    assert "nothing to send" in capsys.readouterr().out


def test_next_steps_name_the_ci_call_of_each_project(pipeline: PipelineUnderTest, capsys: Captured) -> None:
    commands.next_steps(pipeline.stack.pipeline)
    said = capsys.readouterr().out
    assert "make secret PROJECT=ssh" in said
    assert "aws sns publish --region eu-central-1 --topic-arn" in said


@pytest.mark.parametrize(
    "arguments", [["trigger", "", ""], ["logs", ""], ["secret", ""], ["stop", ""], ["pause", ""], ["resume", ""]]
)
def test_a_forgotten_project_is_asked_for(
    pipeline: PipelineUnderTest, monkeypatch: pytest.MonkeyPatch, capsys: Captured, arguments: list[str]
) -> None:
    monkeypatch.setattr(places, "DEFAULT_STACK", pipeline.stack.directory)
    assert main(arguments) == 1
    assert "PROJECT=demo" in capsys.readouterr().err


def test_without_a_local_stack_the_commands_use_terraforms_outputs_and_the_environment(
    pipeline: PipelineUnderTest, monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    """As in an account: Terraform's own state, boto3's own session."""
    monkeypatch.setattr(places, "DEFAULT_STACK", tmp_path)
    monkeypatch.setattr(places, "TERRAFORM", pipeline.stack.terraform.directory)
    for name, value in pipeline.stack.terraform.variables.items():
        monkeypatch.setenv(name, value)
    assert main(["status"]) == 0
    assert "\nmonorepo\n" in capsys.readouterr().out


def test_without_any_pipeline_the_error_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    monkeypatch.setattr(places, "DEFAULT_STACK", tmp_path)
    monkeypatch.setattr(places, "TERRAFORM", tmp_path)
    assert main(["status"]) == 1
    said = capsys.readouterr().err
    assert "make up" in said
    assert "make deploy" in said


def test_without_a_build_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "REPOSITORY", tmp_path)
    monkeypatch.setattr(places, "LAUNCHER_ZIP", tmp_path / "bootstrap.zip")
    monkeypatch.setattr(places, "NOTIFIER_ZIP", tmp_path / "bootstrap.zip")
    for look in (places.launcher_zip, places.notifier_zip, places.worker):
        with pytest.raises(places.Missing, match="make build"):
            look()


def test_the_provider_is_found_where_a_variable_says(tmp_path: Path) -> None:
    assert terraform.plugin_directory({"TF_PLUGIN_DIR": str(tmp_path)}) == tmp_path


def test_terraform_sees_no_setting_that_leads_to_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("TF_VAR_config_path", "mine")
    variables = terraform.environment({"AWS_REGION": "eu-central-1"})
    assert {name for name in variables if name.startswith(("AWS_", "TF_VAR_"))} == {"AWS_REGION"}


def test_colours_are_for_who_watches_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    for out, no_color, coloured in ((Terminal(), "", True), (Terminal(), "1", False), (io.StringIO(), "", False)):
        monkeypatch.setenv("NO_COLOR", no_color)
        Story(out=out).check(True, "it holds")
        assert ("\x1b[" in out.getvalue()) == coloured


def test_a_promise_that_does_not_hold_is_counted() -> None:
    story = Story(out=io.StringIO())
    story.check(True, "one")
    story.check(False, "two")
    assert (story.held, story.broken) == (1, ["two"])


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_demo_leaves_no_process(tmp_path: Path, number: int, status: int) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "iwomp_local", "demo"],
        env={**os.environ, "PYTHONPATH": str(places.REPOSITORY / "local"), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell ignores it in what it starts in the background, tests included, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.strip().startswith("terraform apply"):
            break
    time.sleep(2)  # Terraform runs now
    assert processes_in(tmp_path)
    demo.send_signal(number)
    assert demo.wait(WAIT_SECONDS) == status
    wait_for("the end of all", lambda: True if not processes_in(tmp_path) else None, WAIT_SECONDS)
    if number != signal.SIGKILL:
        assert list(tmp_path.glob("iwomp-demo-*")) == []
