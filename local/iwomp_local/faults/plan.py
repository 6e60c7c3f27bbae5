"""Which calls go wrong, how and how often. A plan is a text, so that a proxy in another process can be given one."""

from __future__ import annotations

import json
import random
import threading
from dataclasses import asdict, dataclass, field
from enum import Enum

ANY = "*"


class Fault(Enum):
    """What can happen to a call on its way."""

    DROPPED = "dropped"  # the connection ends before the call was made
    LOST = "lost"  # the call takes effect, its answer never comes
    SLOW = "slow"  # the call takes effect, its answer comes after the caller has given up
    LATE = "late"  # the call takes effect only after the caller has given up
    BROKEN = "broken"  # AWS says 500, and has done nothing
    BROKEN_AFTER = "broken_after"  # AWS says 500, and has done it
    THROTTLED = "throttled"
    LIMIT = "limit"  # the account runs as many builds as it may


@dataclass(frozen=True)
class Rule:
    """A share of the calls of an operation that meets a fault."""

    service: str
    operation: str
    fault: Fault
    share: float

    def speaks_of(self, service: str, operation: str) -> bool:
        return self.service in (ANY, service) and self.operation in (ANY, operation)


@dataclass(frozen=True)
class Plan:
    """What goes wrong. The first rule that hits decides."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0
    slow_seconds: float = 5.0  # the launcher waits 4 s for an answer
    late_seconds: float = 7.0  # and gives a call up, with its second try, after 6 s

    def to_text(self) -> str:
        rules = [{**asdict(rule), "fault": rule.fault.value} for rule in self.rules]
        return json.dumps({**asdict(self), "rules": rules})

    @classmethod
    def of_text(cls, text: str) -> Plan:
        fields = json.loads(text)
        rules = tuple(Rule(**{**rule, "fault": Fault(rule["fault"])}) for rule in fields.pop("rules"))
        return cls(rules, **fields)


NOTHING = Plan()


@dataclass
class Dice:
    """Decides, call by call, as the plan says. The same seed and the same calls give the same faults."""

    plan: Plan
    _chance: random.Random = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.plan.seed)  # noqa: S311 (repeatable, that is the point)

    def throw(self, service: str, operation: str) -> Fault | None:
        with self._lock:
            for rule in self.plan.rules:
                if rule.speaks_of(service, operation) and self._chance.random() < rule.share:
                    return rule.fault
        return None


def all_over(seed: int, share: float) -> Plan:
    """Every kind of fault on every call that launcher, notifier and worker make; `share` for each kind.

    A write of what is live is not made late: SSM has no conditional write, so nobody could be safe from one that takes
    effect after the build that made it is over.
    """
    kinds = (Fault.DROPPED, Fault.LOST, Fault.BROKEN, Fault.BROKEN_AFTER, Fault.THROTTLED)
    return Plan(
        (
            Rule("codebuild", "StartBuild", Fault.LIMIT, share * 2),
            Rule("codebuild", "StartBuild", Fault.LATE, share),
            Rule("codebuild", "StartBuild", Fault.LOST, share),
            *(Rule(ANY, ANY, fault, share) for fault in kinds),
            Rule(ANY, ANY, Fault.SLOW, share / 4),
        ),
        seed,
    )


def account_limit_reached(seed: int) -> Plan:
    """For a while no build starts at all: others of the account have taken all that it may run."""
    return Plan((Rule("codebuild", "StartBuild", Fault.LIMIT, 1.0),), seed)
