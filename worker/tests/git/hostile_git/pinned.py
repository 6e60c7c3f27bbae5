"""Pinned commits and what is live: a server that hands out any object by its id decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hostile_git.case import SUPERSEDED, Case, Expected, Naive, deployed, refused
from hostile_git.world import FOREIGN, GOOD, World

ELSEWHERE = refused("commit_not_on_branch")
ANY_ANCESTOR = {"firstParent": False}
HEAD_ONLY = {"pinned": "head"}


RULES = {
    (): "",
    tuple(ANY_ANCESTOR): ", where any ancestor may be pinned",
    tuple(HEAD_ONLY): ", where the head is wanted",
}


def history(world: World) -> None:
    """root - first - merge - head on the branch; side is merged; the rest is on other refs, or on none."""
    world.commit("root")
    world.commit("first", ["root"])
    world.commit("side root", ["root"])
    world.commit("side", ["side root"])
    world.commit("merge", ["first", "side"])
    world.refs[world.branch_ref] = world.commit(GOOD, ["merge"])
    world.refs["refs/heads/feature"] = world.commit("other branch", [GOOD])
    world.refs["refs/pull/7/head"] = world.commit("pull request", [GOOD])
    world.refs["refs/tags/v9"] = world.commit("tagged only", ["first"])
    world.commit("fork", [GOOD])
    world.commit("fork of the root", ["root"])
    world.commit("unrelated")
    world.commit("later unreachable", [GOOD, "unrelated"])
    world.commit("amended", ["merge"], message=b"good, amended\n")
    world.commits["tag object"] = world.store.tag(world.commits[GOOD], "release")
    world.refs["refs/tags/release"] = world.commits["tag object"]
    world.commits["tag of a fork"] = world.store.tag(world.commits["fork"], "fork")
    world.commits["tree"] = world.tree(FOREIGN)
    world.commits["blob"] = world.store.add("blob", b"blob\n")
    grafted = world.commit("fork with a note", ["fork"])
    world.refs["refs/notes/commits"] = grafted
    world.refs[f"refs/replace/{world.commits[GOOD]}"] = world.commit("replacement", ["merge"])


@dataclass(frozen=True)
class Pin:
    """A pinned commit and what must come of it."""

    commit: str
    expected: Expected
    register: Mapping[str, object] = field(default_factory=dict)
    live: str | None = None


PINS = (
    Pin(GOOD, deployed()),
    Pin("merge", deployed("merge")),
    Pin("first", deployed("first")),
    Pin("root", deployed("root")),
    Pin("side", ELSEWHERE),
    Pin("side root", ELSEWHERE),
    Pin("side", deployed("side"), ANY_ANCESTOR),
    Pin("side root", deployed("side root"), ANY_ANCESTOR),
    *(
        Pin(commit, ELSEWHERE, register)
        for commit in (
            "other branch",
            "pull request",
            "tagged only",
            "fork",
            "fork of the root",
            "unrelated",
            "later unreachable",
            "amended",
            "tag object",
            "tag of a fork",
            "tree",
            "blob",
            "fork with a note",
            "replacement",
            "0" * 40,
            "f" * 40,
            "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            "a" * 64,
        )
        for register in ({}, ANY_ANCESTOR)
    ),
    Pin(GOOD, deployed(), live=GOOD),
    Pin(GOOD, deployed(), live="first"),
    Pin("merge", SUPERSEDED, live=GOOD),
    Pin("first", SUPERSEDED, live=GOOD),
    Pin("root", SUPERSEDED, live="first"),
    Pin("side", SUPERSEDED, ANY_ANCESTOR, live=GOOD),
    Pin(GOOD, refused("not_forward"), live="fork"),
    Pin(GOOD, refused("not_forward"), live="unrelated"),
    Pin(GOOD, refused("not_forward"), live="amended"),
    Pin(GOOD, refused("not_forward"), live="f" * 40),
    Pin(GOOD, refused("not_forward"), live="tree"),
    Pin("first", refused("not_forward"), ANY_ANCESTOR, live="side"),
    Pin(GOOD, deployed(), HEAD_ONLY),
    Pin("merge", SUPERSEDED, HEAD_ONLY),
    Pin("side", SUPERSEDED, HEAD_ONLY),
    Pin("fork", ELSEWHERE, HEAD_ONLY),
    Pin("later unreachable", ELSEWHERE, HEAD_ONLY),
    Pin("fork", ELSEWHERE, live=GOOD),
    Pin("fork", ELSEWHERE, live="fork"),
)


def cases() -> Iterator[Case]:
    for pin in PINS:
        commit = f"{pin.commit[:4]}… of {len(pin.commit)} digits" if len(pin.commit) >= 40 else pin.commit
        rule = RULES[tuple(pin.register)]
        live = "" if pin.live is None else f", while {'an unknown commit' if len(pin.live) == 40 else pin.live} is live"
        yield Case(
            f"pinned to {commit}{rule}{live}",
            pin.expected,
            history,
            pin=pin.commit,
            live=pin.live,
            register=pin.register,
        )
    yield from heads()


def heads() -> Iterator[Case]:
    """Without a pinned commit: the head goes back, or history is rewritten."""
    rewinds: tuple[tuple[str, str, Expected], ...] = (
        ("a commit that was rewound", "other branch", refused("not_forward")),
        ("a fork", "fork of the root", refused("not_forward")),
        ("an unrelated commit", "unrelated", refused("not_forward")),
        ("a side branch that is merged", "side", deployed()),
    )
    for name, live, expected in rewinds:
        yield Case(f"the branch's head, while {name} is live", expected, history, live=live, naive=Naive.FETCH)
    required = {"requireCommit": True}
    yield Case("no pinned commit, where the register wants one", refused("commit_required"), history, register=required)
    yield Case(
        "a branch that the register does not allow",
        refused("branch_not_allowed"),
        history,
        register={"branches": ["prod"]},
    )
