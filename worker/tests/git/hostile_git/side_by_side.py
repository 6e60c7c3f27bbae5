"""Two requests at once, for commits and for files: a host that knows filters and depths, and lies about them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from http import HTTPStatus

from hostile_git.case import ENDLESS, ORDINARY_SECONDS, SHORT_SECONDS, Case, Expected, Naive, deployed, failed, refused
from hostile_git.protocol import (
    ADVERTISEMENT,
    DELIMITER,
    PACK,
    REFS,
    Delivery,
    Exchange,
    Reply,
    advertised,
    advertisement_v2,
    fetched,
    honest,
    lines_of,
    packet,
    result,
)
from hostile_git.server import Behaviour
from hostile_git.wire import resealed
from hostile_git.world import FOREIGN, GOOD, World

COMMITS, FILES = "commits", "files"
MANY = 5000

Lie = Callable[[Exchange], Reply]


def asked_for(exchange: Exchange) -> str | None:
    """Which of the two requests it is, if it is one of them."""
    if exchange.stage != PACK:
        return None
    asked = lines_of(exchange.body)
    if b"filter tree:0" in asked:
        return COMMITS
    return FILES if b"deepen 1" in asked else None


def names(exchange: Exchange, wanted: str) -> list[str]:
    """Of the objects that answer it."""
    store = exchange.repository.store
    if wanted == COMMITS:
        return [name for name in store.reachable(wants(exchange)) if store.objects[name][0] == "commit"]
    trees = [tree for want in wants(exchange) if (tree := tree_of(exchange, want))]
    return [*wants(exchange), *store.reachable(trees)]


def wants(exchange: Exchange) -> list[str]:
    return [line[5:45].decode() for line in lines_of(exchange.body) if line.startswith(b"want ")]


def tree_of(exchange: Exchange, commit: str) -> str | None:
    found = exchange.repository.store.objects.get(commit)
    return found[1][5:45].decode() if found else None


def shallow(*commits: str) -> bytes:
    lines = b"".join(packet(f"shallow {commit}\n".encode()) for commit in commits)
    return packet(b"shallow-info\n") + lines + DELIMITER


def knowing(exchange: Exchange) -> Reply:
    """A host as the big ones are: filters, depths, any commit by its id."""
    if exchange.stage == ADVERTISEMENT and exchange.version == 2:
        return advertised(advertisement_v2().replace(packet(b"fetch=shallow\n"), packet(b"fetch=shallow filter\n")))
    wanted = asked_for(exchange)
    if wanted is None:
        return honest(exchange)
    return sent(exchange, names(exchange, wanted), cut=wanted == FILES)


def sent(exchange: Exchange, objects: list[str], *, cut: bool) -> Reply:
    sections = shallow(*wants(exchange)) if cut else b""
    return result(fetched(exchange, pack=exchange.repository.store.pack(objects), sections=sections))


def to(wanted: str, lie: Lie) -> Behaviour:
    """Honest to one of the two requests."""
    return lambda exchange: lie(exchange) if asked_for(exchange) == wanted else knowing(exchange)


def without(wanted: str, kind: str | None = None, commit: str | None = None) -> Behaviour:
    """Leaves objects out: of a kind, or one commit."""

    def lie(exchange: Exchange) -> Reply:
        store, left_out = exchange.repository.store, exchange.world.commits.get(commit or "")
        kept = [name for name in names(exchange, wanted) if store.objects[name][0] != kind and name != left_out]
        return sent(exchange, kept, cut=wanted == FILES)

    return to(wanted, lie)


def once(lie: Lie, wanted: str) -> Behaviour:
    return at_first(lie, knowing, lambda exchange: asked_for(exchange) == wanted)


def at_first(lie: Lie, host: Behaviour, is_meant: Callable[[Exchange], bool]) -> Behaviour:
    """`host`, but for the first request of a world that is meant."""
    told: set[str] = set()

    def answer(exchange: Exchange) -> Reply:
        if not is_meant(exchange) or exchange.world.key in told:
            return host(exchange)
        told.add(exchange.world.key)
        return lie(exchange)

    return answer


def three(world: World) -> None:
    world.commit("first")
    ordinary_on(world, "first")


def ordinary_on(world: World, parent: str) -> None:
    world.commit("older", [parent])
    world.refs[world.branch_ref] = world.commit(GOOD, ["older"])


def many(world: World) -> None:
    """A history of thousands of commits."""
    parent = world.commit("first")
    tree = world.tree("first")
    for number in range(MANY):
        parent = world.store.commit(tree, [parent], b"commit %d\n" % number)
    ordinary_on(world, parent)


def with_another_line(world: World) -> None:
    """`other` is on a branch of its own, which a lying host shows in the place of the one that is asked for."""
    three(world)
    world.commit(FOREIGN, ["first"])


def other_line(exchange: Exchange) -> Reply:
    if exchange.stage != REFS:
        return knowing(exchange)
    world = exchange.world
    return result(packet(f"{world.commits[FOREIGN]} {world.branch_ref}\n".encode()) + b"0000")


def refusing(exchange: Exchange) -> Reply:
    return Reply(HTTPStatus.INTERNAL_SERVER_ERROR)


def silent(exchange: Exchange) -> Reply:
    return replace(knowing(exchange), delivery=Delivery.STALL, cut=0)


def promising(exchange: Exchange) -> Reply:
    pack = exchange.repository.store.pack(names(exchange, COMMITS))
    return result(fetched(exchange, pack=resealed(pack[:8] + struct.pack(">I", 0xFFFFFFFF) + pack[12:-20])))


def cut_short(exchange: Exchange) -> Reply:
    return sent(exchange, wants(exchange), cut=True)


def whole(exchange: Exchange) -> Reply:
    return sent(exchange, exchange.repository.store.reachable(wants(exchange)), cut=False)


def uncut(exchange: Exchange) -> Reply:
    """One commit, and not a word of where the history went."""
    return sent(exchange, names(exchange, FILES), cut=False)


def cut_elsewhere(exchange: Exchange) -> Reply:
    pack = exchange.repository.store.pack(names(exchange, FILES))
    return result(fetched(exchange, pack=pack, sections=shallow(exchange.world.commits["first"])))


def files_of_another(exchange: Exchange) -> Reply:
    """The commit that was asked for, with the files of another."""
    store = exchange.repository.store
    other = store.reachable([tree_of(exchange, exchange.world.commits[FOREIGN]) or ""])
    return sent(exchange, [*wants(exchange), *other], cut=True)


def cases() -> Iterator[Case]:
    lost = failed("git", says="lacks commits of the history")
    short = failed("git", says="only the end of its history")
    table: tuple[tuple[str, Expected, Behaviour, dict[str, str]], ...] = (
        ("knows filters and depths", deployed(), knowing, {}),
        ("knows filters and depths, while an older commit is live", deployed(), knowing, {"live": "first"}),
        ("knows filters and depths, and an older commit is pinned", deployed("older"), knowing, {"pin": "older"}),
        ("cuts the commits short", short, to(COMMITS, cut_short), {}),
        ("cuts the commits short, and an older one is pinned", short, to(COMMITS, cut_short), {"pin": "older"}),
        ("cuts the commits short, and an older one is live", short, to(COMMITS, cut_short), {"live": "older"}),
        ("sends all of the history with the files", deployed(), to(FILES, whole), {}),
        ("sends all files with the commits", deployed(), to(COMMITS, whole), {}),
        ("sends one commit and does not say that it is cut off", failed("git"), to(FILES, uncut), {}),
        ("says that the files are cut off at another commit", failed("git"), to(FILES, cut_elsewhere), {}),
        ("leaves out a commit of the history", lost, without(COMMITS, commit="older"), {}),
        ("leaves out the first commit of the history", lost, without(COMMITS, commit="first"), {"live": "older"}),
        ("leaves out the head of the history", failed("git"), without(COMMITS, commit=GOOD), {}),
        ("leaves out the files among the files", failed("git"), without(FILES, kind="blob"), {}),
        ("leaves out the folders among the files", failed("git"), without(FILES, kind="tree"), {}),
        ("leaves out the commit among the files", failed("git"), without(FILES, kind="commit"), {}),
        ("sends another commit's files", failed("git"), to(FILES, files_of_another), {}),
        ("answers the request for files the second time only", deployed(), once(refusing, FILES), {}),
        ("answers the request for commits the second time only", deployed(), once(refusing, COMMITS), {}),
        ("never answers the request for files", ENDLESS, to(FILES, refusing), {}),
        ("never answers the request for commits", ENDLESS, to(COMMITS, refusing), {}),
        ("falls silent in the files", ENDLESS, to(FILES, silent), {}),
        ("falls silent in the commits", ENDLESS, to(COMMITS, silent), {}),
        ("promises 4,294,967,295 commits", ENDLESS, to(COMMITS, promising), {}),
    )
    for name, expected, host, more in table:
        seconds = SHORT_SECONDS if expected is ENDLESS else ORDINARY_SECONDS
        pin, live = more.get("pin"), more.get("live")
        yield Case(
            f"side by side, the host {name}",
            expected,
            with_another_line,
            host=host,
            naive=Naive.CLONE,
            seconds=seconds,
            pin=pin,
            live=live,
        )
    name = "side by side, the host shows another history to the one request than it has files for in the other"
    yield Case(name, refused("commit_not_on_branch"), with_another_line, host=other_line, pin=GOOD)
    yield Case(f"{name}, and nothing is pinned", deployed(FOREIGN), with_another_line, host=other_line)
    for live, expected in (("first", deployed()), ("unknown", refused("not_forward"))):
        yield Case(
            f"side by side, the host has {MANY} commits, while {live} is live",
            expected,
            many,
            host=knowing,
            live=live if live in {"first"} else "f" * 40,
        )
