"""How a build ended, judged as the notifier judges it: from CodeBuild and the record of what is live.

What a build prints decides nothing, for a command can print any line. Its record it can write itself, so that it is
read as a stranger's: by the contract's shape, or not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from iwomp_local.words import REFUSED

COMMIT_ID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
RECORD_KEYS = {"commit", "time", "build", "trigger", "held", "rollback", "release"}
HELD = "nothing was run: an operator rolled back, and this is not newer than what is held; push a mend, or make release"
NOTHING_RUN = "nothing was run: a newer commit of the branch was live already, or the same one"


@dataclass(frozen=True)
class Record:
    """What is recorded as live."""

    commit: str
    time: str
    build: str | None
    held: str | None = None  # the head that an operator rolled back from

    @classmethod
    def parse(cls, text: str) -> Record | None:
        """The record that `text` is, by the rules of `contract::Deployed`; None if it is none."""
        try:
            entry = json.loads(text, object_pairs_hook=without_repetition)
        except (ValueError, RecursionError):
            return None
        if not isinstance(entry, dict) or not set(entry) <= RECORD_KEYS:
            return None
        commit, time, build, trigger = (entry.get(key) for key in ("commit", "time", "build", "trigger"))
        if not isinstance(commit, str) or not COMMIT_ID.fullmatch(commit) or not isinstance(time, str):
            return None
        held = entry.get("held")
        texts = all(value is None or isinstance(value, str) for value in (build, trigger, held))
        objects = all(isinstance(entry.get(key, {}), dict) for key in ("rollback", "release"))
        if not texts or not objects or (held is not None and not COMMIT_ID.fullmatch(held)):
            return None
        return cls(commit, time, build, held)


def without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands there twice")
    return dict(pairs)


@dataclass(frozen=True)
class Ending:
    """What became of a build, or that it runs."""

    word: str
    commit: str | None = None
    reason: str | None = None


def judge(build: dict[str, Any], asked: str | None, records: Iterable[Record]) -> Ending:
    """`asked` is the commit that the trigger pinned; `records` are all that were written for the branch."""
    commit = asked if asked is not None and COMMIT_ID.fullmatch(asked) else None
    match build["buildStatus"]:
        case "SUCCEEDED":
            known = list(records)
            written = next((record for record in known if record.build == build["id"]), None)
            if written is not None:
                return Ending("deployed", written.commit)
            # The newest record is the last; a hold that is over by now is not told from none.
            if known and known[-1].held is not None:
                return Ending("held", commit, HELD)
            return Ending("superseded", commit, NOTHING_RUN)
        case "IN_PROGRESS":
            return Ending("in progress", commit)
        case "FAILED" if any(message.rstrip().endswith(REFUSED) for message in contexts(build)):
            return Ending("refused", commit, "by the worker, before the command ran: see the end of its log")
        case status:
            cause = next(iter(contexts(build)), "CodeBuild gives no cause")
            return Ending("failed", commit, f"{status.lower().replace('_', ' ')} ({cause}): see the end of its log")


def contexts(build: dict[str, Any]) -> list[str]:
    """What CodeBuild says of the phases that went wrong."""
    found = (context.get("message") or "" for phase in build.get("phases", []) for context in phase.get("contexts", []))
    return [message.strip() for message in found if message.strip()]
