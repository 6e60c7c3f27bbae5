"""What became of every accepted trigger, judged from outside: by ids, times and commits, not by the launcher's word.

The launcher's word counts for two things only, and each is checked: that it refused (nothing valid may be), and that it
gave up after failed builds (which must be there). Whether a build covers a trigger is decided here, from CodeBuild's
times, the branch's history as it was at the publication, and the commit that was deployed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

FAILED_BUILDS = 3  # after so many the launcher lets a trigger go
SUCCEEDED = "SUCCEEDED"


@dataclass(frozen=True)
class Accepted:
    """A trigger that SNS took: `head` is what the branch ended in just before."""

    trigger: str
    project: str
    branch: str
    head: str
    published: float
    commit: str | None = None  # if it was pinned

    @property
    def wanted(self) -> str:
        return self.commit or self.head


@dataclass(frozen=True)
class Build:
    """A build as CodeBuild tells it, and the commit that its log says is deployed since."""

    id: str
    project: str
    branch: str
    trigger: str | None
    start: float
    end: float
    status: str
    commit: str | None = None

    @property
    def succeeded(self) -> bool:
        return self.status == SUCCEEDED


@dataclass(frozen=True)
class Command:
    """A run of a deploy script, as it wrote it down itself. `end` is None if it never came to its end."""

    project: str
    branch: str
    build: str
    commit: str
    begin: float
    end: float | None


@dataclass(frozen=True)
class Evidence:
    """All that the accounting looks at."""

    accepted: Sequence[Accepted]
    builds: Sequence[Build]
    said: Mapping[str, Sequence[str]]  # by trigger: the launcher's words, `failed` with its class as `failed:class`
    dead: frozenset[str]  # triggers in the dead-letter queue
    order: Mapping[str, Mapping[str, int]]  # by project: the place of each commit on its branch
    histories: Mapping[tuple[str, str], Sequence[str]]  # by project and branch: the commits that were recorded as live
    commands: Sequence[Command] = ()
    heads: Mapping[str, str] = field(default_factory=dict)  # by project: what has to be live in the end
    reported: Mapping[str, int] | None = None  # by build: how often its end was reported to people


HAVE_TO_BE_ZERO = {
    "lost": "accepted, and neither built, covered nor a dead letter",
    "doubled": "two builds of one trigger",
    "overlapped": "a build, or its command, began before the last was over",
    "backward": "an older commit deployed after a newer one",
    "stale": "the head is not live in the end",
    "unreported": "a build ended and nobody was told, even after a sweep",
}


@dataclass
class Figures:
    """The result. The first lists have to be empty."""

    triggers: int = 0
    builds: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    overlapped: list[str] = field(default_factory=list)
    backward: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    unreported: list[str] = field(default_factory=list)
    reports: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    longest_wait_seconds: float = 0.0

    @property
    def wrong(self) -> int:
        return sum(len(getattr(self, name)) for name in HAVE_TO_BE_ZERO)

    @property
    def builds_per_trigger(self) -> float:
        return self.builds / self.triggers if self.triggers else 0.0


def account(evidence: Evidence) -> Figures:
    """Looks for what must not be: lost, run twice, overlapping, gone backward, or not live in the end."""
    figures = Figures(triggers=len(evidence.accepted), builds=len(evidence.builds))
    by_project: dict[str, list[Build]] = defaultdict(list)
    for build in sorted(evidence.builds, key=lambda build: build.start):
        by_project[build.project].append(build)
    starts = Counter(build.trigger for build in evidence.builds if build.trigger)
    for trigger in evidence.accepted:
        fate, answer = fate_of(trigger, by_project[trigger.project], evidence)
        figures.fates[fate] += 1
        if fate == "lost":
            words = " ".join(evidence.said.get(trigger.trigger, ["nothing"])[-5:])
            figures.lost.append(f"{trigger.trigger} of {trigger.project}: the launcher said {words}")
        if answer is not None:
            figures.longest_wait_seconds = max(figures.longest_wait_seconds, answer.start - trigger.published)
        if starts[trigger.trigger] > 1:
            figures.doubled.append(f"{trigger.trigger} of {trigger.project}: {starts[trigger.trigger]} builds")
    for builds in by_project.values():
        figures.overlapped += [
            f"{after.id} began {before.end - after.start:.3f} s before {before.id} was over"
            for before, after in pairwise(builds)
            if after.start < before.end
        ]
    figures.overlapped += overlapping_commands(evidence)
    figures.backward = gone_backward(evidence)
    if (reported := evidence.reported) is not None:
        figures.unreported = [build.id for build in evidence.builds if build.id not in reported]
        figures.reports = sum(reported.values())
    for project, head in evidence.heads.items():
        live = [history for (of, _), history in evidence.histories.items() if of == project]
        if not any(history and history[-1] == head for history in live):
            figures.stale.append(f"{project}: {head} is not live")
    return figures


def fate_of(trigger: Accepted, builds: Sequence[Build], evidence: Evidence) -> tuple[str, Build | None]:
    """A word for what became of a trigger, and the build that answered it."""
    own = next((build for build in builds if build.trigger == trigger.trigger), None)
    if own is not None and not (own.succeeded and is_older(own.commit, trigger, evidence)):
        return "own build", own
    if (cover := next((build for build in builds if covers(build, trigger, evidence)), None)) is not None:
        return "covered", cover
    if trigger.trigger in evidence.dead:
        return "dead letter", None
    after = [build for build in builds if build.start >= trigger.published and build.branch == trigger.branch]
    failed = [build for build in after if not build.succeeded]
    if "failed:keeps_failing" in evidence.said.get(trigger.trigger, ()) and len(failed) >= FAILED_BUILDS:
        return "given up after failed builds", failed[-1]
    return "lost", None


def covers(build: Build, trigger: Accepted, evidence: Evidence) -> bool:
    """Began after the publication, succeeded, and left a commit live that is not older than what the trigger meant."""
    if build.branch != trigger.branch or build.start < trigger.published or not build.succeeded:
        return False
    return not is_older(build.commit, trigger, evidence)


def is_older(commit: str | None, trigger: Accepted, evidence: Evidence) -> bool:
    """Whether a commit is older than what the trigger meant, or none of the branch's."""
    places = evidence.order[trigger.project]
    return commit is None or commit not in places or places[commit] < places[trigger.wanted]


def overlapping_commands(evidence: Evidence) -> list[str]:
    """The scripts' own word. One that never ended was over with its build."""
    ends = {build.id: build.end for build in evidence.builds}
    by_project: dict[str, list[Command]] = defaultdict(list)
    for command in sorted(evidence.commands, key=lambda command: command.begin):
        by_project[command.project].append(command)
    return [
        f"the command of {after.build} began while that of {before.build} ran"
        for commands in by_project.values()
        for before, after in pairwise(commands)
        if after.begin < (ends.get(before.build, before.begin) if before.end is None else before.end)
    ]


def gone_backward(evidence: Evidence) -> list[str]:
    """Where an older commit came after a newer one: in what was recorded as live, and in the commands that ended."""
    found = []
    for (project, branch), history in evidence.histories.items():
        found += steps_back(project, branch, history, evidence.order[project], "was recorded")
    ended: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for command in evidence.commands:
        if command.end is not None:
            ended[command.project, command.branch].append((command.end, command.commit))
    for (project, branch), ends in ended.items():
        commits = [commit for _, commit in sorted(ends)]
        found += steps_back(project, branch, commits, evidence.order[project], "was deployed")
    return found


def steps_back(project: str, branch: str, commits: Sequence[str], places: Mapping[str, int], what: str) -> list[str]:
    return [
        f"{project} {branch}: {after[:12]} {what} after the newer {before[:12]}"
        for before, after in pairwise(commits)
        if places[after] < places[before]
    ]
