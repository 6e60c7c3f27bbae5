"""scripts/trigger, in each shell that a CI may have, before an account that is made up."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from aws_of_a_ci import COMMIT, OTHER_COMMIT, TOPIC, TRIGGER, Account, Build, Fault

from iwomp_local.places import REPOSITORY

SCRIPT = REPOSITORY / "scripts" / "trigger"
SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "sh"]}
HEAD = ("--topic", TOPIC, "--branch", "main")
PINNED = (*HEAD, "--commit", COMMIT)
SHARED = TOPIC.removesuffix("--shop")
DENIED = "An error occurred (AccessDeniedException) when calling the operation: no identity-based policy allows it"
CUT_OFF = 'Could not connect to the endpoint URL: "https://codebuild.eu-central-1.amazonaws.com/"'
ENDED = "Error while executing command: iwomp-worker. Reason: exit status"
THROTTLED = "An error occurred (ThrottlingException) when calling the operation: Rate exceeded"


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return Account(tmp_path)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    name: str = request.param
    if shutil.which(name) is None:
        # Said, and not passed over: the test runs once more in the shell that every machine has.
        warnings.warn(f"scripts/trigger was not run by {name}, which is not here: sh ran it instead", stacklevel=1)
        return ["sh"]
    return SHELLS[name]


Ran = subprocess.CompletedProcess[str]


def lines(ran: Ran) -> list[str]:
    return ran.stdout.splitlines()


def test_it_publishes_and_shows_the_triggers_id(account: Account, shell: list[str]) -> None:
    for arguments, message in (
        (HEAD, {"project": "shop", "branch": "main"}),
        (PINNED, {"project": "shop", "branch": "main", "commit": COMMIT}),
        (("--topic", SHARED, "--project", "a_b", "--branch", "fix/1.2"), {"project": "a_b", "branch": "fix/1.2"}),
    ):
        ran = account.run(shell, SCRIPT, *arguments)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"published as trigger {TRIGGER}\n", "")
        assert [json.loads(text) for text in account.published] == [message]
        assert len(account.calls) == 1, "nothing but the right to publish is needed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "which topic is it?"),
        (("--topic", TOPIC), "which branch is to be deployed?"),
        (("--topic",), "--topic wants a value"),
        (("--topics", TOPIC), "there is no --topics"),
        (("--topic", "shop", "--branch", "main"), "shop is no ARN of a topic"),
        (("--topic", "arn:aws:sqs:eu-central-1:123456789012:x", "--branch", "main"), "is no ARN of a topic"),
        (("--topic", SHARED, "--branch", "main"), "the project must be named"),
        ((*HEAD, "--project", "site"), "is the topic of shop, not of site"),
        (("--topic", TOPIC, "--branch", 'main","commit":"x'), "is no branch"),
        (("--topic", TOPIC, "--branch", "$(touch ran)"), "is no branch"),
        (("--topic", TOPIC, "--branch", "`touch ran`"), "is no branch"),
        (("--topic", TOPIC, "--branch", "main\n"), "is no branch"),
        (("--topic", TOPIC, "--branch", "bücher"), "is no branch"),
        (("--topic", TOPIC, "--branch", "-x"), "is no branch"),
        (("--topic", TOPIC, "--branch", "*"), "is no branch"),
        ((*HEAD, "--commit", "HEAD"), "HEAD is no commit"),
        ((*HEAD, "--commit", "abc123"), "abc123 is no commit"),
        ((*HEAD, "--commit", COMMIT.upper()), "is no commit"),
        ((*HEAD, "--wait", "3d"), "a time is a whole number"),
        ((*HEAD, "--wait", "30"), "a time is a whole number"),
    ],
)
def test_a_wrong_command_line_publishes_nothing(account: Account, arguments: tuple[str, ...], said: str) -> None:
    ran = account.run(["dash"], SCRIPT, *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert account.calls == []
    assert not (account.folder / "ran").exists()


def test_it_follows_its_own_build_with_its_log(account: Account, shell: list[str]) -> None:
    said = {21: ["one\n"], 40: ["two\n", "\n", "a\tb\nc\n", "no line break"], 50: ["last\n"]}
    account.builds = [Build(7, 20, 50, log=said), Build(6, -100, -50, variables={})]
    ran = account.run(shell, SCRIPT, *PINNED, "--wait", "--report", "report")
    assert ran.returncode == 0, ran.stderr
    build = account.builds[0].id
    assert lines(ran) == [
        f"published as trigger {TRIGGER}",
        f"build {build} has started",
        *("| one", "| two", "| ", "| a\tb", "| c", "| no line break", "| last"),
    ]
    assert f"trigger {TRIGGER} waits: no build has taken it up yet" in ran.stderr
    assert (account.folder / "report").read_text() == f"trigger_id={TRIGGER}\nresult=succeeded\nbuild={build}\n"
    assert len(account.published) == 1


@pytest.mark.parametrize(
    ("status", "context", "exit_status", "word"),
    [
        ("FAILED", f"{ENDED} 1", 1, "failed"),
        ("FAILED", f"{ENDED} 77", 3, "refused"),
        ("FAILED", f"{ENDED} 77\n", 3, "refused"),
        ("FAILED", f"{ENDED} 770", 1, "failed"),
        ("STOPPED", f"{ENDED} 143", 1, "stopped"),
        ("TIMED_OUT", f"{ENDED} 77", 1, "timedOut"),
        ("FAULT", f"{ENDED} 77", 1, "failed"),
        ("A_NEW_WORD", "", 1, "failed"),
    ],
)
def test_it_ends_as_its_build_does(account: Account, status: str, context: str, exit_status: int, word: str) -> None:
    # Whatever it prints: what CodeBuild says of it is what counts.
    account.builds = [Build(1, 1, 2, status, context, log={1: [f"{ENDED} 0\n", '{"outcome":"deployed"}\n']})]
    ran = account.run(["dash"], SCRIPT, *PINNED, "--wait", "--report", "report")
    assert ran.returncode == exit_status, ran.stderr
    assert f"result={word}\n" in (account.folder / "report").read_text()


def test_with_status_alone_it_ends_with_the_result_and_without_the_log(account: Account, shell: list[str]) -> None:
    account.faults = [Fault("get-log-events", DENIED)]
    account.builds = [Build(1, 3, 30, "FAILED", "Reason: exit status 3", log={4: ["::error::not to be seen\n"]})]
    ran = account.run(shell, SCRIPT, *PINNED, "--wait")
    assert ran.returncode == 1
    assert "not to be seen" not in ran.stdout
    assert ran.stderr.count("the log is not shown") == 1
    assert "Reason: exit status 3" in ran.stderr


def test_without_the_right_to_wait_nothing_is_published(account: Account) -> None:
    account.faults = [Fault("list-builds", DENIED)]
    ran = account.run(["dash"], SCRIPT, *PINNED, "--wait", "--report", "report")
    assert ran.returncode == 6
    assert 'publisher = { read = "status" }' in ran.stderr
    assert account.published == []
    assert "result=unknown\n" in (account.folder / "report").read_text()


def test_a_project_or_a_topic_that_is_not_there_is_said(account: Account) -> None:
    not_found = "An error occurred (ResourceNotFoundException) when calling the operation: Project cannot be found"
    for operation, fault, published in (
        ("list-builds", not_found, 0),
        ("publish", "An error occurred (NotFound) when calling the Publish operation: Topic does not exist", 1),
    ):
        account.faults = [Fault(operation, fault)]
        ran = account.run(["dash"], SCRIPT, *PINNED, "--wait")
        assert (ran.returncode, ran.stdout, len(account.published)) == (5, "", published), ran.stderr
        assert "There is no " in ran.stderr


def test_it_survives_throttling_and_a_lost_connection(account: Account, shell: list[str]) -> None:
    account.faults = [
        Fault("list-builds", THROTTLED, -1, 1),
        Fault("publish", THROTTLED, 0, 5),
        Fault("list-builds", CUT_OFF, 6, 60),
        Fault("batch-get", THROTTLED, 80, 90),
        Fault("batch-get", CUT_OFF, 100, 140),
        Fault("get-log-events", CUT_OFF, 135, 150),
    ]
    account.builds = [Build(1, 10, 135, log={101: ["one\n"], 120: ["two\n"]})]
    ran = account.run(shell, SCRIPT, *PINNED, "--wait")
    assert ran.returncode == 0, ran.stderr
    assert lines(ran)[2:] == ["| one", "| two"]
    assert "looking again" in ran.stderr
    assert account.seconds >= 140
    assert len(account.published) == 3, "what is not known to be published is published again"


def test_what_stays_out_of_reach_ends_in_unknown_after_ten_minutes(account: Account) -> None:
    account.builds = [Build(1, 3)]
    account.faults = [Fault("batch-get", CUT_OFF, 10)]
    ran = account.run(["dash"], SCRIPT, *PINNED, "--wait", "5h")
    assert ran.returncode == 6
    assert "Could not connect" in ran.stderr
    assert 600 < account.seconds < 700


def test_a_right_that_is_missing_ends_it_at_once(account: Account) -> None:
    account.builds = [Build(1, 3)]
    account.faults = [Fault("batch-get", "An error occurred (ExpiredTokenException) when calling: expired", 10)]
    ran = account.run(["dash"], SCRIPT, *PINNED, "--wait", "5h")
    assert (ran.returncode, account.seconds < 20) == (6, True)


def of_others(**variables: str) -> dict[str, str]:
    return {"GITBRANCH": "main", "TRIGGERID": "somebody-else", **variables}


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (PINNED, of_others()),
        (HEAD, of_others()),
        (PINNED, of_others(GITCOMMIT=COMMIT)),
    ],
)
def test_a_build_that_answers_it_too_covers_it(
    account: Account, arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    account.builds = [Build(2, 20, 60, variables=variables), Build(1, -10, 18, variables=of_others())]
    ran = account.run(["dash"], SCRIPT, *arguments, "--wait", "--report", "report")
    assert ran.returncode == 0, ran.stderr
    assert f"covered: build {account.builds[0].id}" in ran.stderr
    assert "result=covered\n" in (account.folder / "report").read_text()
    assert 60 <= account.seconds < 70


@pytest.mark.parametrize(
    "variables",
    [
        of_others(GITCOMMIT=OTHER_COMMIT, WAITINGCOMMITS=f"{'c' * 40} {COMMIT}"),
        of_others(GITCOMMIT=COMMIT, WAITINGCOMMITS=OTHER_COMMIT),
        of_others(GITCOMMIT=COMMIT, WAITINGCOMMITS=OTHER_COMMIT, TRIGGERID=TRIGGER),
    ],
)
def test_of_several_that_waited_together_nobody_is_told_that_it_is_live(
    account: Account, variables: dict[str, str]
) -> None:
    account.builds = [Build(1, 20, 60, variables=variables)]
    ran = account.run(["dash"], SCRIPT, *PINNED, "--wait", "--report", "report")
    assert ran.returncode == 0, ran.stderr
    assert f"answered: build {account.builds[0].id} has deployed one of the commits" in ran.stderr
    assert "result=answered\n" in (account.folder / "report").read_text()


def test_an_aws_that_takes_its_time_makes_no_build_younger(account: Account) -> None:
    # It begins between the look before and the publication.
    account.builds = [Build(1, 3, 60, variables=of_others(GITCOMMIT=COMMIT))]
    account.answers_in = 2
    assert account.run(["dash"], SCRIPT, *PINNED, "--wait", "90s").returncode == 4
    account.builds.append(Build(2, 30, 60, variables=of_others(GITCOMMIT=COMMIT)))
    assert account.run(["dash"], SCRIPT, *PINNED, "--wait", "90s").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "build"),
    [
        # It began before the trigger was published, or so soon after that it may not know of what was pushed.
        (PINNED, Build(2, -10, 60, variables=of_others())),
        (PINNED, Build(2, 4, 60, variables=of_others())),
        (PINNED, Build(2, 20, 60, variables=of_others(GITBRANCH="release/1"))),
        (PINNED, Build(2, 20, 60, variables=of_others(GITCOMMIT=OTHER_COMMIT))),
        (HEAD, Build(2, 20, 60, variables=of_others(GITCOMMIT=OTHER_COMMIT))),
        (HEAD, Build(2, 20, 60, variables=of_others(GITCOMMIT=OTHER_COMMIT, WAITINGCOMMITS=COMMIT))),
        (PINNED, Build(2, 20, 60, variables=of_others(ROLLBACKTO=COMMIT))),
        (PINNED, Build(2, 20, 60, variables={"QUESTION": "git-host"})),
        (PINNED, Build(2, 20, 60, "FAILED", variables=of_others())),
        (PINNED, Build(2, 20, variables=of_others())),
    ],
)
def test_no_other_build_does(account: Account, arguments: tuple[str, ...], build: Build) -> None:
    account.builds = [build]
    ran = account.run(["dash"], SCRIPT, *arguments, "--wait", "90s", "--report", "report")
    assert ran.returncode == 4, ran.stderr
    assert f"iwomp trace {TRIGGER}" in ran.stderr
    assert "a rule refused it" in ran.stderr
    assert "result=waiting\n" in (account.folder / "report").read_text()
    assert 80 <= account.seconds <= 90


def test_where_aws_did_not_answer_before_no_build_that_was_there_covers_it(account: Account) -> None:
    account.builds = [Build(1, -100, -50, variables=of_others()), Build(2, 60, 70, variables=of_others())]
    account.faults = [Fault("list-builds", CUT_OFF, ends=20)]
    ran = account.run(["dash"], SCRIPT, *HEAD, "--wait")
    assert ran.returncode == 0, ran.stderr
    assert f"covered: build {account.builds[1].id}" in ran.stderr


def test_three_failures_of_the_same_answer_it_as_failed(account: Account) -> None:
    same = of_others(GITCOMMIT=COMMIT)
    account.builds = [Build(number, 20 * number, 20 * number + 10, "FAILED", variables=same) for number in (1, 2, 3)]
    ran = account.run(["dash"], SCRIPT, *PINNED, "--wait")
    assert ran.returncode == 1
    assert f"the newest is {account.builds[2].id}" in ran.stderr
    account.builds[1].status = "STOPPED"
    assert account.run(["dash"], SCRIPT, *PINNED, "--wait", "3m").returncode == 4


def test_time_that_runs_out_is_neither_success_nor_failure(account: Account) -> None:
    account.builds = [Build(1, 20)]
    ran = account.run(["dash"], SCRIPT, *PINNED, "--wait", "11m", "--report", "report")
    assert ran.returncode == 4
    assert "it goes on" in ran.stderr
    assert "result=running\n" in (account.folder / "report").read_text()
    # Some CIs end a job that is silent for ten minutes.
    assert ran.stderr.count("runs: BUILD") == 3
    assert 650 <= account.seconds <= 660


def test_nothing_that_a_build_prints_acts(account: Account, shell: list[str]) -> None:
    hostile = [
        "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b1m bell\x07 back\x08\n",
        "::set-output name=x::y\n",
        "  ::add-mask::x\n",
        "a ##[error]x ###[error]x ##vso[task.uploadfile]x ##VsO[x]\n",
        "one\rtwo\r\n",
        "nul\0l\n",
        "\u202eturned #\u200d#vso[x] \u2028::error::x\n",
        "two\n::error::lines\n",
        ">\t::warning::x\n",
        "stays: é ✓ “x” \t日本\n",
    ]
    account.builds = [Build(1, 3, 10, "FAILED", "\x1b[31m::error::x ##vso[x]\x07", log={4: hostile})]
    ran = account.run(shell, SCRIPT, *PINNED, "--wait", GITHUB_ACTIONS="true")
    assert ran.returncode == 1
    printed = ran.stdout + ran.stderr
    control = {chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))}
    assert not set(printed) & {*control, "\u202e", "\u2028"}
    assert "##[" not in printed
    assert "##vso[" not in printed.lower().replace("\u200d", "")
    # A word that nobody knows ends and begins again what GitHub obeys; in between no line begins like a command.
    first, *between, last = lines(ran)
    word = first.removeprefix("::stop-commands::")
    assert (len(word), last) == (32, f"::{word}::")
    assert [line for line in (*between, *ran.stderr.splitlines()) if line.lstrip().startswith("::")] == []
    assert "| red ?]0;title? ?1m bell? back?" in between
    assert {"| null", "| one?two", "| stays: é ✓ “x” \t日本"} <= set(between)
    assert word not in account.run(shell, SCRIPT, *PINNED, "--wait", GITHUB_ACTIONS="true").stdout


def test_whoever_interrupts_it_hears_that_it_goes_on(account: Account, shell: list[str]) -> None:
    account.builds = [Build(1, 3)]
    script = account.folder / "trigger"
    # By the shell itself, after some looks.
    text = SCRIPT.read_text().replace("\npause() {\n", '\npause() {\n  [ "$(now)" -lt 6 ] || kill -INT $$\n')
    script.write_text(text)
    ran = account.run(shell, script, *PINNED, "--wait", "--report", "report")
    assert ran.returncode == 130
    assert f"interrupted; trigger {TRIGGER} goes on" in ran.stderr
