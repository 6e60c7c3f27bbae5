"""Refs in disguise: whatever a server calls by the branch's name, only the branch is deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hostile_git.case import Case, Naive, deployed, failed
from hostile_git.world import FOREIGN, GOOD, World, ordinary

SHAPES = (
    "main",
    "master",
    "release-1.0",
    "v1.0.0",
    "1.0",
    "feature/login",
    "a/b/c/d/e/f/g/h/i/j/k/l",
    "_underscore",
    "0",
    "heads",
    "heads/main",
    "heads/heads/main",
    "tags/v1",
    "remotes/origin/main",
    "remotes/origin/HEAD",
    "origin/main",
    "pull/1/head",
    "pull/1/merge",
    "merge-requests/1/head",
    "changes/01/1/1",
    "notes/commits",
    "replace/x",
    "stash",
    "bisect/bad",
    "FETCH_HEAD",
    "ORIG_HEAD",
    "MERGE_HEAD",
    "head",
    "Head",
    "HEAD1",
    "iwomp/branch",
    "deadbeef",
    "0123456789abcdef0123456789abcdef0123456",
    "x" * 200,
    "refs",
    "dependabot/npm_and_yarn/left-pad-1.3.0",
    "UPPER",
    "a.b_c-d",
    "_",
    "for/master",
)
"""Of branch names that the register's grammar accepts."""

Disguise = tuple[str, Callable[[World], None], bool, Naive]


def foreign_at(*names: str) -> Callable[[World], None]:
    """Refs by these names (`{}` is the branch's) lead to a command that must not run."""

    def place(world: World) -> None:
        commit = world.commit(FOREIGN)
        for name in names:
            world.refs[name.format(world.branch)] = commit

    return place


def annotated(world: World) -> None:
    world.refs[f"refs/tags/{world.branch}"] = world.store.tag(world.commit(FOREIGN), world.branch)


def tag_of_a_blob(world: World) -> None:
    blob = world.store.add("blob", b"no commit\n")
    world.refs[f"refs/tags/{world.branch}"] = world.store.tag(blob, world.branch, "blob")


DISGUISES: tuple[Disguise, ...] = (
    ("where only a tag has that name", foreign_at("refs/tags/{}"), False, Naive.CLONE),
    ("beside a tag of that name", foreign_at("refs/tags/{}"), True, Naive.FETCH),
    ("where an annotated tag alone has that name", annotated, False, Naive.FETCH),
    ("beside refs of that name without heads", foreign_at("refs/{}", "refs/tags/{}"), True, Naive.FETCH),
    ("where only a ref without heads has that name", foreign_at("refs/{}"), False, Naive.FETCH),
)


def cases() -> Iterator[Case]:
    for number, shape in enumerate(SHAPES):
        shown = shape if len(shape) < 60 else f"{shape[:3]}… of 200 bytes"
        # The first two for every shape; the others, which differ less, for a few.
        for where, disguise, is_there, naive in DISGUISES if number % 5 == 0 else DISGUISES[:2]:

            def content(world: World, disguise: Callable[[World], None] = disguise, is_there: bool = is_there) -> None:
                if is_there:
                    ordinary(world)
                disguise(world)

            expected = deployed() if is_there else failed("git")
            yield Case(f"branch {shown} {where}", expected, content, branch=shape, naive=naive)
    yield from stray_refs()


STRAY = (
    "refs/heads/heads/main",
    "refs/main",
    "refs/remotes/main",
    "refs/remotes/main/HEAD",
    "refs/remotes/origin/main",
    "refs/pull/1/head",
    "refs/iwomp/branch",
    "refs/replace/main",
    "refs/notes/main",
    "refs/stash",
    "refs/bisect/bad",
    "refs/heads/main2",
    "refs/heads/Main",
    "refs/heads/main/x",
    "refs/heads/ma",
    "refs/heads/main^{}",
    "refs/heads/main\u200b",
    "refs/heads/m\u0430in",
    "refs/heads/main.",
    "refs/heads/main.lock",
    "refs/heads/../heads/main",
    "refs/heads//main",
    "refs/heads/-main",
    "main",
    "heads/main",
    "../../config",
    "refs/heads/../../hooks/post-checkout",
)


def stray_refs() -> Iterator[Case]:
    for name in STRAY:
        odd = ascii(name)[1:-1]
        yield Case(f"no branch main, but a ref {odd}", failed("git"), foreign_at(name), naive=Naive.FETCH)
    for name in ("main^{}", "main.lock", "../heads/main", "../../hooks/post-checkout", "refs/heads/main", "-main"):

        def beside(world: World, name: str = name) -> None:
            ordinary(world)
            foreign_at(f"refs/heads/{name}")(world)

        yield Case(f"branch main beside a ref refs/heads/{name}", deployed(), beside, naive=Naive.FETCH)
    yield Case("the server's HEAD is another branch", deployed(), head_elsewhere)
    yield Case("the server has nothing but a detached HEAD", failed("git"), only_head, naive=Naive.FETCH)
    yield Case("the branch is an annotated tag object of a commit", deployed(), branch_is_tag)
    yield Case("the branch is a tree", failed("git"), branch_is("tree"))
    yield Case("the branch is a blob", failed("git"), branch_is("blob"))
    yield Case("the branch is a tag of a blob", failed("git"), branch_is_tag_of_blob)


def head_elsewhere(world: World) -> None:
    ordinary(world)
    world.repository.head = "refs/heads/evil"
    world.refs["refs/heads/evil"] = world.commit(FOREIGN)


def only_head(world: World) -> None:
    world.repository.head = "refs/pull/7/head"
    world.refs["refs/pull/7/head"] = world.commit(FOREIGN)


def branch_is_tag(world: World) -> None:
    world.refs[world.branch_ref] = world.store.tag(world.commit(GOOD), world.branch)


def branch_is(kind: str) -> Callable[[World], None]:
    def content(world: World) -> None:
        tree = world.tree(FOREIGN)
        world.refs[world.branch_ref] = tree if kind == "tree" else world.store.add("blob", b"x")

    return content


def branch_is_tag_of_blob(world: World) -> None:
    world.refs[world.branch_ref] = world.store.tag(world.store.add("blob", b"x"), "x", "blob")
