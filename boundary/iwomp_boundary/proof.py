"""Compares what policies allow with what is stated, for each subject over all actions.

Every action is judged on every thing of the pipeline of its service, on a foreign thing of each of its types, here and
in another account, and on a witness of every wildcard in the policies. An action that no Allow reaches is denied on all
of them at once. To break a stated condition an attacker has to give at least one of its keys a wrong value, so each key
is broken by itself while all others stay open.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from iwomp_boundary.catalogue import catalogue
from iwomp_boundary.conditions import Context, Value
from iwomp_boundary.globs import filled, glob
from iwomp_boundary.judge import Memory, Request, allowed, within_reach
from iwomp_boundary.promise import Self, breaches, may_still, selves
from iwomp_boundary.snapshot import Snapshot
from iwomp_boundary.stated import Rule
from iwomp_boundary.subjects import FOREIGN_ACCOUNT, Subject, subjects
from iwomp_boundary.unjudged import Unjudged
from iwomp_boundary.world import (
    FILLINGS,
    FOREIGN,
    World,
    actions_about,
    by_service,
    everywhere,
    service_of,
    witnesses,
    world_of,
)

# What AWS allows to everybody whatever the policies say: it tells callers who they are, or gives them what they have.
ALWAYS = frozenset({"sts:getcalleridentity", "sts:getsessiontoken", "sts:getaccesskeyinfo"})
FINDINGS_OF_ONE = 12  # enough to see what is wrong


@dataclass(frozen=True)
class Finding:
    """Something that the proof does not accept."""

    subject: str
    what: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}"


@dataclass
class Verdict:
    """What came of a subject, in numbers."""

    subject: str
    who: str
    requests: int = 0
    rights: int = 0  # how many of them may go through
    granted: tuple[str, ...] = ()  # the actions of those
    findings: list[Finding] = field(default_factory=list)
    hidden: dict[str, int] = field(default_factory=dict)  # what was not looked at, by the reason why


@dataclass(frozen=True)
class Focus:
    """What to look at alone, where only that can have changed."""

    identity: str | None = None
    service: str | None = None
    boundary: str | None = None  # of the project with this role

    def on(self, action: str) -> bool:
        return self.service in (None, service_of(action))

    def on_self(self, each: Self) -> bool:
        """What a project makes has its boundary and no policy of the role's; its fence is one of those."""
        role = self.boundary if each.named else self.identity
        return self == Focus() or role == each.project.role


def prove(snapshot: Snapshot) -> list[Verdict]:
    """A verdict a subject."""
    try:
        world = world_of(snapshot)
    except Unjudged as unclear:
        return [Verdict("the pipeline's things", "", findings=[Finding("the pipeline's things", str(unclear))])]
    verdicts = []
    for make in subjects(snapshot):
        try:
            verdicts.append(judge_subject(make(), world))
        except Unjudged as unclear:
            verdicts.append(Verdict("somebody", "", findings=[Finding("somebody", f"cannot be judged: {unclear}")]))
    try:
        verdicts += [judge_self(each, world) for each in selves(snapshot)]
    except Unjudged as unclear:
        verdicts.append(Verdict("a boundary", "", findings=[Finding("a boundary", f"cannot be judged: {unclear}")]))
    return verdicts


def judge_self(each: Self, world: World) -> Verdict:
    counts: Counter[str] = Counter()
    found = itertools.chain(breaches(each, world, counts), may_still(each, world))
    findings = [Finding(each.label, what) for what in itertools.islice(found, FINDINGS_OF_ONE)]
    verdict = Verdict(each.label, "whoever a project can be", counts.pop("requests"), findings=findings)
    verdict.hidden = dict(counts)
    return verdict


def first_finding(snapshot: Snapshot, focus: Focus = Focus()) -> Finding | None:
    """As `prove`, but ends where the proof fails."""
    try:
        world = world_of(snapshot)
        for each in filter(focus.on_self, selves(snapshot)):
            broken = next(itertools.chain(breaches(each, world, Counter()), may_still(each, world)), None)
            if broken is not None:
                return Finding(each.label, broken)
        if focus.boundary is not None:
            return None
        for make in subjects(snapshot, focus.identity):
            subject = make()
            finding = next(itertools.chain(excesses(subject, world, focus), shortages(subject, world, focus)), None)
            if finding is not None:
                return finding
    except Unjudged as unclear:
        return Finding("a policy", f"cannot be judged: {unclear}")
    return None


def judge_subject(subject: Subject, world: World) -> Verdict:
    verdict = Verdict(subject.label, subject.entry.who)
    counts: Counter[str] = Counter()
    found = excesses(subject, world, Focus(), counts)
    verdict.findings = [*itertools.islice(found, FINDINGS_OF_ONE), *shortages(subject, world, Focus())]
    verdict.requests = counts["requests"] + untouched(subject, world)
    verdict.rights = counts["rights"]
    verdict.granted = tuple(sorted(catalogue().display(name) for name in counts if ":" in name))
    return verdict


def excesses(subject: Subject, world: World, focus: Focus, counts: Counter[str] | None = None) -> Iterator[Finding]:
    """What may go through and is not stated."""
    counts = Counter() if counts is None else counts
    known = subject.principal.known
    witnessed = subject_witnesses(subject, world)
    # The pipeline's services first: where something is wrong, it tends to be there.
    actions, memory = reachable(subject, world), Memory(subject.principal, world.policies)
    if focus.service is not None:
        actions &= actions_about(focus.service)
    for action in sorted(actions, key=lambda name: (service_of(name) not in world.things, name)):
        asked = memory.about(action)
        contexts = {tuple(each.items()): {**known, **each} for each in scenarios(subject, action, world)}
        for resource in resources(subject, action, world, witnessed):
            counts["requests"] += len(contexts)
            for scenario in asked.allowed(resource, contexts):
                counts["rights"] += 1
                counts[action] += 1
                request = Request(action, resource, contexts[scenario])
                if not any(row.covers(request, world.literals) for row in subject.entry.may):
                    yield Finding(subject.label, f"may {describe(request, dict(scenario))}")


def shortages(subject: Subject, world: World, focus: Focus) -> Iterator[Finding]:
    """What is stated and does not go through: a proof that took every request for denied would look good without it."""
    for row in subject.entry.may:
        for action in sorted(filter(focus.on, row.actions)) if row.must and row.on else ():
            targets = [filled(pattern, "x") for pattern in row.on]
            context = {key: value for key, rule in row.when for value in right_value(rule)}
            requests = [Request(action, target, {**subject.principal.known, **context}) for target in targets]
            if not any(allowed(subject.principal, request, world.policies) for request in requests):
                name = catalogue().display(action)
                yield Finding(subject.label, f"may not {name} on {', '.join(targets)}, which is stated")


def reachable(subject: Subject, world: World) -> frozenset[str]:
    """The actions to look at one by one."""
    found = within_reach(subject.principal, world.policies.values()) - ALWAYS
    judged = subject.entry.judged
    if judged is None:
        return found
    wanted = {(service, row) for row in judged for service in {pattern.split(":")[2] for pattern in row.on}}
    return frozenset().union(*(actions_about(service) & found & row.actions for service, row in wanted))


def untouched(subject: Subject, world: World) -> int:
    """How many requests are denied without looking closer, because no Allow has their action."""
    if subject.entry.judged is not None:
        return 0
    return world.requests - sum(len(everywhere(action, world)) for action in reachable(subject, world))


def resources(subject: Subject, action: str, world: World, witnessed: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """What the action is judged on."""
    services = (service_of(action), *FILLINGS)  # a wildcard may have stood for the service, too
    found = (thing for service in services for thing in witnessed.get(service, ()))
    every = dict.fromkeys((*everywhere(action, world), *found))
    judged = subject.entry.judged
    if judged is None:
        yield from every
        return
    patterns = [pattern for row in judged if action in row.actions for pattern in row.on]
    named = (thing for pattern in patterns if pattern.split(":")[2] in services for thing in witnesses(pattern))
    yield from filter(glob(*patterns).fullmatch, dict.fromkeys((*every, *named)))


def subject_witnesses(subject: Subject, world: World) -> dict[str, tuple[str, ...]]:
    """Concrete things for each wildcard in what the subject is allowed, so that one too wide shows; by service."""
    statements = itertools.chain(subject.principal.identity, *world.policies.values())
    patterns = dict.fromkeys(pattern for statement in statements if statement.allows for pattern in statement.resources)
    return by_service(thing for pattern in patterns for thing in witnesses(pattern))


def scenarios(subject: Subject, action: str, world: World) -> Iterator[Context]:
    """The request with everything open; then with one stated condition broken, in each way that we know of."""
    yield {}
    rules = {key: rule for row in subject.entry.may if action in row.actions for key, rule in row.when}
    absent = [key for key, rule in rules.items() if rule.form == "absent"]
    for key, rule in rules.items():
        # What has a part is there itself.
        parents = {other: FOREIGN for other in absent if key.startswith((f"{other}.", f"{other}/"))}
        for value in dict.fromkeys(wrong_values(key, rule, world)):
            yield {**parents, key: value}


def wrong_values(key: str, rule: Rule, world: World) -> Iterator[Value]:
    compared = [filled(value, FOREIGN) for value in (*rule.values, *world.literals.get(key, ()))]
    if rule.form == "only":
        yield from ((value,) for value in (FOREIGN, *compared))
        yield from ((rule.values[0], value) for value in (FOREIGN, *compared))
        return
    yield FOREIGN
    if rule.form == "absent":
        return
    yield None
    yield from compared
    yield from (change for value in compared for change in (f"{value}-x", f"x{value}", value.upper()))
    if any(value.startswith("arn:") for value in compared):
        services = {value.split(":")[2] for value in compared if value.startswith("arn:")}
        yield from (thing for service in services for thing in world.things.get(service, ()))
        yield from (moved(value) for value in compared if value.startswith("arn:"))


def moved(arn: str) -> str:
    """The same thing in another account."""
    return re.sub(r":\d{12}:", f":{FOREIGN_ACCOUNT}:", arn)


def right_value(rule: Rule) -> Iterator[Value]:
    if rule.form == "one_of":
        yield filled(rule.values[0], "x")
    elif rule.form == "only":
        yield rule.values
    elif rule.form == "absent":
        yield None


def describe(request: Request, scenario: Context) -> str:
    where = "" if request.resource == "*" else f" on {request.resource}"
    how = ", ".join(f"{key} = {'nothing' if value is None else value}" for key, value in scenario.items())
    return f"{catalogue().display(request.action)}{where}{f' with {how}' if how else ''}"
