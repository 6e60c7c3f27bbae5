"""What `status` and `logs` make of builds that write what they like: into their log, and into their own record."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from test_codebuild import LOG_RIGHTS, Project, project, role, spec
from test_events import queue

from iwomp_local import cli, commands
from iwomp_local.emulator import Emulator
from iwomp_local.endings import Record, judge
from iwomp_local.pipeline import Pipeline, PipelineError, outcome_of

COMMIT, OTHER = "a1" * 20, "b2" * 20
GOOD = json.dumps({"commit": COMMIT, "time": "2026-11-25T08:00:00Z", "build": None, "trigger": None})
LIE = json.dumps({"outcome": "deployed", "commit": OTHER, "reason": "\x1b]0;owned\x07\x1b[2J"})
DEEP = "[" * 3000
NO_RECORDS = [
    "garbage",
    "",
    "null",
    "5",
    f'["{COMMIT}"]',
    "{}",
    DEEP,
    f'{{"commit": {DEEP}',
    json.dumps({"commit": COMMIT}),
    json.dumps({"commit": 5, "time": "now"}),
    json.dumps({"commit": "main", "time": "now"}),
    json.dumps({"commit": f"{COMMIT}\n", "time": "now"}),
    json.dumps({"commit": COMMIT.upper(), "time": "now"}),
    json.dumps({"commit": COMMIT, "time": {"year": 2026}}),
    json.dumps({"commit": COMMIT, "time": "now", "build": ["x"]}),
    json.dumps({"commit": COMMIT, "time": "now", "trigger": 1}),
    json.dumps({"commit": COMMIT, "time": "now", "more": "x"}),
    f'{{"commit": "{OTHER}", "commit": "{COMMIT}", "time": "now"}}',
]
Captured = pytest.CaptureFixture[str]


class Two:
    """A pipeline of two projects, without a worker: their builds do what the tests say."""

    def __init__(self, emulator: Emulator, *scripts: tuple[str, ...]) -> None:
        config_path = f"status-{uuid.uuid4().hex[:8]}"
        rights = (*LOG_RIGHTS, "ssm:PutParameter")
        self.first, self.second = (project(emulator, spec(*script), role(emulator, *rights)) for script in scripts)
        self.ssm, self.tree = emulator.client("ssm"), f"/{config_path}-deployed"
        names = {"first": self.first.name, "second": self.second.name}
        outputs = {
            "config_path": config_path,
            "projects": {name: {"build_project": build_project} for name, build_project in names.items()},
            "queue_url": queue(emulator)[0],
            "dead_letter_queue_url": queue(emulator)[0],
        }
        self.pipeline = Pipeline(outputs, emulator.client, look_seconds=0.1)

    def record(self, project: str, branch: str, text: str) -> None:
        self.ssm.put_parameter(Name=f"{self.tree}/{project}/{branch}", Value=text, Type="String", Overwrite=True)

    def status(self, capsys: Captured) -> list[str]:
        commands.status(self.pipeline)
        said = capsys.readouterr().out
        assert all(letter.isprintable() for letter in said.replace("\n", "")), repr(said)
        return [" ".join(line.split()) for line in said.splitlines()]


def deploy(made: Project) -> dict[str, Any]:
    return made.run({"GITBRANCH": "main", "TRIGGERID": "t-1", "LIE": LIE})[0]


def test_what_a_build_prints_does_not_decide_what_status_says_of_it(emulator: Emulator, capsys: Captured) -> None:
    lie = "printf '%s\\n' \"$LIE\""
    two = Two(emulator, (lie, "exit 1"), (lie,))
    deploy(two.first)
    # The second says of itself that it deployed: it ended well, but no record names it.
    deploy(two.second)
    lines = two.status(capsys)
    assert "build failed main" in lines[2]
    assert "exit status 1" in lines[3]
    assert "build superseded main" in lines[6]
    assert "owned" not in " ".join(lines)
    assert OTHER[:12] not in " ".join(lines)


def test_a_build_that_ended_well_and_that_the_record_names_has_deployed(emulator: Emulator, capsys: Captured) -> None:
    two = Two(emulator, ("true",), ("exit 77",))
    build = deploy(two.first)
    two.record("first", "main", json.dumps({"commit": COMMIT, "time": "now", "build": build["id"]}))
    two.record("first", "main", "garbage, written later")
    deploy(two.second)
    lines = two.status(capsys)
    assert f"build deployed main {COMMIT[:12]}" in lines[2]
    assert "build refused main" in lines[5]


def test_a_broken_record_spoils_its_own_line_only(emulator: Emulator, capsys: Captured) -> None:
    two, broken = Two(emulator, ("true",), ("true",)), [text for text in NO_RECORDS if text]  # SSM takes no empty value
    for number, text in enumerate(broken):
        two.record("first", f"broken-{number}", text)
    two.record("first", "main", GOOD)
    two.record("second", "main", GOOD)
    lines = two.status(capsys)
    assert sum("its record cannot be read" in line for line in lines) == len(broken)
    assert sum(f"live main {COMMIT[:12]} since 2026-11-25T08:00:00Z" in line for line in lines) == 2
    assert lines[-1] == "0 waiting, 0 given up"


def test_nothing_of_a_record_can_draw_on_the_terminal(emulator: Emulator, capsys: Captured) -> None:
    two = Two(emulator, ("true",), ("true",))
    for branch, time in {"escape": "\x1b[2J\x07", "bidi": "\u202e2026", "half": "\ud800", "line": "a\r\nlive"}.items():
        two.record("first", branch, json.dumps({"commit": COMMIT, "time": time}))
    assert sum(f"{COMMIT[:12]} since" in line for line in two.status(capsys)) == 4


def test_nothing_in_a_log_can_draw_on_the_terminal(emulator: Emulator, capsys: Captured) -> None:
    two = Two(emulator, (r"printf 'a\033[2Jb\033[31mred\033[0m\007\ttab\n'",), ("true",))
    deploy(two.first)
    commands.logs(two.pipeline, "first")
    said = capsys.readouterr().out
    assert all(letter.isprintable() for letter in said.replace("\n", ""))
    assert "a?[2Jbred?" in said


def test_an_error_cannot_draw_on_the_terminal_either(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def fails() -> None:
        raise PipelineError("one\x1b[2J\n\u202etwo")

    monkeypatch.setattr(cli, "pipeline", fails)
    assert cli.main(["status"]) == 1
    assert capsys.readouterr().err == "error: one?[2J\n?two\n"


def test_a_register_entry_that_cannot_be_read_has_no_url(emulator: Emulator) -> None:
    pipeline = Two(emulator, ("true",), ("true",)).pipeline
    entries = (DEEP, f'{{"gitUrl": {DEEP}', "[]", '{"gitUrl": 5}', '{"gitUrl": "https://git.example/r"}')
    found = []
    for text in entries:
        emulator.client("ssm").put_parameter(
            Name=f"/{pipeline.config_path}/first", Value=text, Type="String", Overwrite=True
        )
        found.append(pipeline.git_url("first"))
    assert found == [None, None, None, None, "https://git.example/r"]


def test_a_line_that_is_no_outcome_is_none() -> None:
    for line in (f'{{"outcome": {DEEP}', '{"outcome": 5}', '["outcome"]', '"outcome"'):
        assert outcome_of(line) is None


@pytest.mark.parametrize("text", NO_RECORDS)
def test_only_what_has_the_contracts_shape_is_a_record(text: str) -> None:
    assert Record.parse(text) is None
    assert Record.parse(GOOD) == Record(COMMIT, "2026-11-25T08:00:00Z", None)


@pytest.mark.parametrize("status", ["FAILED", "STOPPED", "TIMED_OUT", "FAULT", "IN_PROGRESS"])
def test_a_record_makes_no_deployment_of_a_build_that_did_not_end_well(status: str) -> None:
    build = {"id": "demo:1", "buildStatus": status, "phases": [{"contexts": [{"message": ""}]}]}
    assert judge(build, None, [Record(COMMIT, "now", "demo:1")]).word != "deployed"


def test_what_is_no_record_holds_nothing_that_could_be_released(emulator: Emulator) -> None:
    two = Two(emulator, ("true",), ("true",))
    for held in ("\x1b[2J", 5, COMMIT.upper(), None):
        two.record("first", "main", json.dumps({"commit": COMMIT, "time": "now", "held": held}))
        assert two.pipeline.release("first", "main") is None
    two.record("first", "main", DEEP)
    assert two.pipeline.release("first", "main") is None
    two.record("first", "main", json.dumps({"commit": COMMIT, "time": "now", "held": OTHER}))
    assert two.pipeline.release("first", "main") == OTHER
