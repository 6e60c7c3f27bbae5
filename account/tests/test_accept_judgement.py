"""What the acceptance run makes of an account that does not keep its promises, with the account made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from iwomp_account.accept.repository import Repository
from iwomp_account.accept.run import longest
from iwomp_account.accept.scenarios import Scenarios
from iwomp_account.accept.scripts import telling
from iwomp_account.accept.table import PROMISES, Table, Verdict
from iwomp_account.accept.terraform import Terraform
from iwomp_account.accept.waiting import NotInTime, Patience
from iwomp_account.place import AccountError

IMPATIENT = Patience(look_seconds=0.0, build_seconds=0.0, short_seconds=0.0, metric_seconds=0.0)
FORGED = '{"_aws": {"CloudWatchMetrics": [{"Namespace": "accept-x"}]}}'


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "StartBuild")


class Account:
    """Stands for the applied pipeline: StartBuild gives these answers, everything else these fixed ones."""

    project, config_path, patience = "accept", "iwomp-accept-x", IMPATIENT

    def __init__(self, *starts: Any, said: tuple[str, ...] = (), metrics: tuple[str, ...] = ()) -> None:
        self.starts, self._said, self.metrics = list(starts), list(said), metrics
        self.place = self
        self.of_project = {"build_project": "iwomp-accept-x-accept"}
        self.stopped: list[str] = []

    def client(self, _service: str) -> Any:
        return self

    def start_build(self, **_: Any) -> Any:
        answer = self.starts.pop()
        if isinstance(answer, ClientError):
            raise answer
        return {"build": {"id": answer}}

    def stop_build(self, id: str) -> None:
        self.stopped.append(id)

    def log(self, _build: Any) -> list[str]:
        return [f"accept: {line}" for line in self._said]

    def said(self, _build: Any) -> list[str]:
        return self._said

    def finished(self, _build_id: str) -> dict[str, Any]:
        return {"id": _build_id, "buildStatus": "STOPPED"}

    def live(self, _branch: str) -> str | None:
        return None

    def metric_exists(self, _namespace: str, name: str, _seconds: float) -> bool:
        return name in self.metrics


class Commits:
    """Stands for the repository."""

    def commit(self, *_: str) -> str:
        return "0" * 40

    def push(self, *_: str) -> None: ...

    def branch(self, name: str) -> str:
        return f"iwomp-accept-x/{name}"


def scenarios(account: Account, builds_to_spare: bool = True) -> Scenarios:
    return Scenarios(
        deployed=account,  # type: ignore[arg-type]
        repository=Commits(),  # type: ignore[arg-type]
        bystanders=None,  # type: ignore[arg-type]
        table=Table(),
        tell=lambda _: None,
        parameter="/x",
        user="x",
        namespace="accept-x",
        state=Path("nowhere"),
        secret="hush",
        has_builds_to_spare=lambda: builds_to_spare,
    )


FULL = "AccountLimitExceededException"
OF_PROJECT = refusal(FULL, "Cannot have more than 1 builds in queue for the project")
OF_ACCOUNT = refusal(FULL, "Cannot have more than 1 builds in queue for the account")
TRAPPED = ("waits to be stopped", "trap begins", "trap ends")


@pytest.mark.parametrize(
    ("starts", "said", "expected"),
    [
        (("a", OF_PROJECT), TRAPPED, {"lock": "held", "lock_words": "held", "trap": "held", "stopped": "held"}),
        (("a", "b"), TRAPPED, {"lock": "broken", "lock_words": "not reached"}),
        (("a", OF_ACCOUNT), TRAPPED, {"lock": "held", "lock_words": "broken"}),
        (("a", refusal("ThrottlingException", "Rate exceeded")), TRAPPED, {"lock_words": "broken"}),
        (("a", OF_PROJECT), ("waits to be stopped", "trap begins"), {"trap": "broken"}),
        (("a", OF_PROJECT), ("waits to be stopped",), {"trap": "broken"}),
    ],
)
def test_the_lock_and_the_stop_are_judged_by_what_the_account_did(
    starts: tuple[Any, ...], said: tuple[str, ...], expected: dict[str, str]
) -> None:
    account = Account(*starts, said=said)
    tried = scenarios(account)
    tried.start_twice_and_stop()
    assert {name: tried.table.verdicts[name].value for name in expected} == expected
    assert sorted(account.stopped) == [start for start in starts if isinstance(start, str)]


def test_where_the_account_itself_is_full_the_projects_words_cannot_be_shown() -> None:
    tried = scenarios(Account("a", OF_ACCOUNT, said=TRAPPED), builds_to_spare=False)
    tried.start_twice_and_stop()
    assert tried.table.verdicts["lock_words"] is Verdict.NOT_HERE
    tried = scenarios(Account(OF_ACCOUNT, OF_ACCOUNT), builds_to_spare=False)
    with pytest.raises(LookupError):
        tried.start_twice_and_stop()
    assert tried.table.verdicts["lock"] is Verdict.BROKEN


@pytest.mark.parametrize(
    ("metrics", "lines", "verdict"),
    [
        (("Triggers",), [FORGED], Verdict.HELD),
        (("Triggers", "Forged"), [FORGED], Verdict.BROKEN),
        ((), [FORGED], Verdict.NOT_HERE),
        (("Triggers",), ["something else"], Verdict.BROKEN),
    ],
)
def test_a_forged_metric_is_believed_absent_only_beside_a_real_one(
    metrics: tuple[str, ...], lines: list[str], verdict: Verdict
) -> None:
    tried = scenarios(Account(metrics=metrics))
    tried._logs += lines
    tried.look_for_the_metric()
    assert tried.table.verdicts["metrics"] is verdict


def test_what_fails_is_broken_and_the_others_have_their_turn() -> None:
    class Down:
        def __getattr__(self, _name: str) -> Any:
            raise NotInTime("the account does not answer")

    tried = scenarios(Account())
    tried.deployed = tried.bystanders = Down()  # type: ignore[assignment]
    tried.run()
    verdicts = tried.table.verdicts
    assert (verdicts["started"], verdicts["lock"], verdicts["redriven"]) == (Verdict.BROKEN,) * 3
    assert not tried.table.is_good


def test_only_what_was_shown_or_cannot_be_is_good() -> None:
    table = Table()
    assert not table.is_good, "a promise that was not reached is none that held"
    for name in PROMISES:
        table.say(name, Verdict.HELD)
    assert table.is_good
    table.say("metrics", Verdict.NOT_HERE, "no metrics here")
    assert table.is_good
    table.say("lock", Verdict.BROKEN, "two builds")
    table.say("lock", Verdict.HELD, "a later look")
    assert table.verdicts["lock"] is Verdict.BROKEN
    assert "two builds" in table.text()
    assert "1 broken, 1 cannot be shown here" in table.text()
    document = json.loads(table.document(account="123456789012"))
    assert (document["good"], document["account"], len(document["promises"])) == (False, "123456789012", len(PROMISES))


def test_the_copy_of_the_module_has_nothing_of_the_operators(tmp_path: Path) -> None:
    source = tmp_path / "terraform"
    (source / "modules" / "project").mkdir(parents=True)
    for name in (
        "main.tf",
        "modules/project/main.tf",
        "backend.tf",
        "terraform.tfvars",
        "terraform.tfstate",
        "x_override.tf",
    ):
        (source / name).write_text("")
    Terraform.copy(source, tmp_path / "copy", {}, {"config_path": "x"})
    copied = sorted(
        str(file.relative_to(tmp_path / "copy")) for file in (tmp_path / "copy").rglob("*") if file.is_file()
    )
    assert copied == ["accept.auto.tfvars.json", "main.tf", "modules/project/main.tf"]


def test_what_is_waited_for_in_vain_is_named() -> None:
    with pytest.raises(NotInTime, match="the end of it: not within 0 s"):
        IMPATIENT.wait_for("the end of it", lambda: None)


def test_a_push_that_is_refused_says_which_right_it_needs(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "commits.git", str(tmp_path / "nowhere.git"), "iwomp-accept-x")
    repository.begin()
    repository.commit("main", "#!/bin/sh\n")
    with pytest.raises(AccountError, match="the right to push branches below iwomp-accept-x/"):
        repository.push("main")


def test_the_script_prints_a_metric_line_of_the_time_of_now_and_the_longest_value_is_the_secret() -> None:
    assert '"Timestamp": %s' in telling("/x", "user", "accept-x")
    assert longest({"basicUsername": "me", "basicPassword": "a-long-one"}) == "a-long-one"
    assert longest(None) is None
