"""The promises, each with what became of it: a table for people, JSON for programs."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from enum import Enum

WIDTH = 100
# By name. The order is that of the table, and about that in which they are tried.
PROMISES = {
    "deployed": "terraform apply makes the pipeline",
    "settled": "a second plan changes nothing",
    "started": "a message of the CI's starts the project's build",
    "commit": "the branch's head is deployed with the project's own role",
    "recorded": "what is live is recorded after success",
    "reported": "a report says how the build ended",
    "role": "the command can do what its role may, and no more",
    "secrets": "the Git credential is in no log and not in Terraform's state",
    "metrics": "a metric line that the command prints makes no metric",
    "codebuild": "the command finds no credentials under /codebuild",
    "wrong_project": "refused: another project than the topic's",
    "branch_not_allowed": "refused: a branch that the register does not name",
    "unknown_key": "refused: a message with a command in it",
    "other_call": "refused by IAM: any call of the CI's but sns:Publish",
    "quiet": "no refusal started a build or stayed in a queue",
    "pinned": "a pinned commit is deployed, and not the head",
    "older": "a pinned commit that is older than what is live runs nothing",
    "lock": "of two StartBuild calls at once one starts a build",
    "lock_words": "the other is answered with the project's limit, not the account's",
    "trap": "StopBuild ends the command in order: its TERM trap runs to its end",
    "stopped": "what was stopped is not recorded as live",
    "alarm": "an alarm notifies alarm_actions",
    "dead_letter": "a trigger that cannot be started becomes a dead letter",
    "redriven": "redrive sends it through the same checks again",
    "destroyed": "terraform destroy leaves no resource",
    "nothing_left": "nothing else is left behind",
}


class Verdict(Enum):
    """What became of a promise."""

    HELD = "held"
    BROKEN = "broken"
    NOT_HERE = "cannot be shown here"
    NOT_REACHED = "not reached"


@dataclass
class Table:
    """Every promise once, from the beginning on not reached."""

    verdicts: dict[str, Verdict] = field(default_factory=lambda: dict.fromkeys(PROMISES, Verdict.NOT_REACHED))
    why: dict[str, str] = field(default_factory=dict)

    def say(self, name: str, verdict: Verdict, why: str = "") -> None:
        """The first word that is not "held" stays: a promise that was broken once is not mended by another look."""
        if self.verdicts[name] in (Verdict.NOT_REACHED, Verdict.HELD):
            self.verdicts[name], self.why[name] = verdict, why

    def check(self, name: str, holds: bool, why: str) -> bool:
        """`why` is what was seen, and is kept either way."""
        self.say(name, Verdict.HELD if holds else Verdict.BROKEN, why)
        return holds

    @property
    def is_good(self) -> bool:
        return set(self.verdicts.values()) <= {Verdict.HELD, Verdict.NOT_HERE}

    def text(self) -> str:
        lines = []
        for name, promise in PROMISES.items():
            lines.append(f"  {self.verdicts[name].value:<21} {promise}")
            if self.why.get(name) and self.verdicts[name] is not Verdict.HELD:
                lines += textwrap.wrap(self.why[name], WIDTH - 26, initial_indent=" " * 26, subsequent_indent=" " * 26)
        counts = [(sum(found is verdict for found in self.verdicts.values()), verdict.value) for verdict in Verdict]
        lines.append("  " + ", ".join(f"{count} {word}" for count, word in counts if count))
        return "\n".join(lines)

    def document(self, **about: object) -> str:
        promises = [
            {"name": name, "promise": promise, "verdict": self.verdicts[name].value, "seen": self.why.get(name, "")}
            for name, promise in PROMISES.items()
        ]
        return json.dumps({**about, "good": self.is_good, "promises": promises}, indent=2) + "\n"
