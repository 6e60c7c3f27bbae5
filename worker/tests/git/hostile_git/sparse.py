"""A part of a commit's files: the commit without contents, then contents by their ids; and hosts that lie in either."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from hostile_git.case import ENDLESS, ORDINARY_SECONDS, SHORT_SECONDS, Case, Expected, deployed, failed, refused
from hostile_git.objects import File, Folder, Node, link
from hostile_git.protocol import PACK, Exchange, Reply, fetched, honest, lines_of, packet, result
from hostile_git.server import Behaviour
from hostile_git.side_by_side import Lie, at_first, knowing, refusing, sent, shallow, silent, wants
from hostile_git.wire import resealed
from hostile_git.world import FOREIGN, GOOD, World

DIRECTORY = b"infra"
TREES, CONTENTS, WHOLE = "trees", "contents", "whole"
EVIL_MODULES = b'[submodule "a"]\n\tpath = a\n\turl = -u./payload\n'

Entries = Sequence[tuple[bytes, Node]]


def asked_for(exchange: Exchange) -> str | None:
    """Which request for files it is: for the commit and its trees, for contents by their ids, or for all."""
    asked = lines_of(exchange.body)
    if exchange.stage != PACK or b"deepen 1" not in asked:
        return None
    if b"filter blob:none" in asked:
        return TREES
    store = exchange.repository.store
    return WHOLE if any(store.objects.get(want, ("",))[0] == "commit" for want in wants(exchange)) else CONTENTS


def names(exchange: Exchange) -> list[str]:
    store, asked = exchange.repository.store, wants(exchange)
    if asked_for(exchange) == CONTENTS:
        return store.reachable(asked)
    trees = [store.objects[want][1][5:45].decode() for want in asked if want in store.objects]
    found = [*asked, *store.reachable(trees)]
    return [name for name in found if asked_for(exchange) == WHOLE or store.objects[name][0] != "blob"]


def parting(exchange: Exchange) -> Reply:
    """A host that hands out parts."""
    wanted = asked_for(exchange)
    return knowing(exchange) if wanted is None else sent(exchange, names(exchange), cut=wanted != CONTENTS)


def to(*wanted: str, lie: Lie) -> Behaviour:
    """Honest to all requests but these."""
    return lambda exchange: lie(exchange) if asked_for(exchange) in wanted else parting(exchange)


def monorepo(above: Entries = (), inside: Entries = (), raw: bool = False) -> Callable[[World], None]:
    """The command of the root must not run."""

    def content(world: World) -> None:
        mine = Folder(
            [(b"deploy.sh", world.deploy_script(GOOD)), (b"sub", Folder([(b"x", File(b"x"))])), *inside], raw=raw
        )
        others = Folder([(b"file", File(b"of others"))])
        tree = world.tree(FOREIGN, [(DIRECTORY, mine), (b"lib", others), *above], raw=raw)
        world.commits[GOOD] = world.store.commit(tree)
        world.refs[world.branch_ref] = world.commits[GOOD]

    return content


def nothing(exchange: Exchange) -> Reply:
    return sent(exchange, [], cut=asked_for(exchange) != CONTENTS)


def others(exchange: Exchange) -> Reply:
    foreign = exchange.world.foreign.store
    sections = b"" if asked_for(exchange) == CONTENTS else shallow(*wants(exchange))
    return result(fetched(exchange, pack=foreign.pack(foreign.objects), sections=sections))


def everything(exchange: Exchange) -> Reply:
    """All that there is, whatever was asked."""
    return sent(exchange, list(exchange.repository.store.objects), cut=asked_for(exchange) != CONTENTS)


def not_here(exchange: Exchange) -> Reply:
    return result(packet(f"ERR upload-pack: not our ref {wants(exchange)[0]}".encode()))


def no_such_filter(exchange: Exchange) -> Reply:
    return result(packet(b"ERR upload-pack: filter 'blob:none' not supported"))


def promising(exchange: Exchange) -> Reply:
    pack = exchange.repository.store.pack(names(exchange))
    return result(fetched(exchange, pack=resealed(pack[:8] + struct.pack(">I", 0xFFFFFFFF) + pack[12:-20])))


def without(kind: str) -> Lie:
    def lie(exchange: Exchange) -> Reply:
        store = exchange.repository.store
        kept = [name for name in names(exchange) if store.objects[name][0] != kind]
        return sent(exchange, kept, cut=asked_for(exchange) != CONTENTS)

    return lie


def other_bytes(exchange: Exchange) -> Reply:
    """Files of the right number and size, with other bytes."""
    store = exchange.repository.store
    pack = exchange.world.foreign.store
    originals = [store.objects[name] for name in names(exchange)]
    forged = [pack.add(kind, body[::-1] if kind == "blob" else body) for kind, body in originals]
    return result(fetched(exchange, pack=pack.pack(forged)))


def hosts() -> Iterator[tuple[str, Expected, Behaviour]]:
    yield "hands out parts", deployed(), parting
    yield "knows no filters and no depths", deployed(), honest
    yield "knows no filter that leaves out contents", deployed(), to(TREES, lie=no_such_filter)
    for lie, words in {
        nothing: "nothing",
        others: "other objects",
        everything: "too much",
        without("blob"): "all but the files",
        other_bytes: "other bytes",
        not_here: "a refusal",
    }.items():
        yield f"sends {words} for the contents", deployed(), to(CONTENTS, lie=lie)
    yield "sends nothing for the trees", deployed(), to(TREES, lie=nothing)
    yield "sends other objects for the trees", deployed(), to(TREES, lie=others)
    yield "sends too much for the trees", deployed(), to(TREES, lie=everything)
    yield "sends the commit without its trees", failed("git"), to(TREES, lie=without("tree"))
    lost = failed("git", says="fetching the files of")
    for lie, words in {nothing: "nothing", without("blob"): "no file", others: "other objects"}.items():
        yield f"sends {words}, neither for the contents nor for all", lost, to(CONTENTS, WHOLE, lie=lie)
    yield (
        "answers for the contents the second time only",
        deployed(),
        at_first(refusing, parting, lambda exchange: asked_for(exchange) == CONTENTS),
    )
    yield "never answers for the trees", ENDLESS, to(TREES, lie=refusing)
    yield "never answers for the contents", ENDLESS, to(CONTENTS, lie=refusing)
    yield "falls silent in the contents", ENDLESS, to(CONTENTS, lie=silent)
    yield "promises 4,294,967,295 contents", ENDLESS, to(CONTENTS, lie=promising)


def repositories() -> Iterator[tuple[str, Expected, Callable[[World], None]]]:
    fault = failed("git", says="git's own check refuses")
    cut = refused("incomplete_tree")
    yield (
        "has a .gitmodules made to run something, above the part",
        fault,
        monorepo(above=[(b".gitmodules", File(EVIL_MODULES))]),
    )
    yield (
        "has a .gitmodules made to run something, in the part",
        fault,
        monorepo(inside=[(b".gitmodules", File(EVIL_MODULES))]),
    )
    again = Folder([(b"deploy.sh", File(b"#!/bin/sh\n", "100755"))])
    yield "names the part twice", fault, monorepo(above=[(DIRECTORY, again)])
    yield "names the part twice, once as a link", fault, monorepo(above=[(DIRECTORY, link("/"))])
    yield "names a file of the part twice", fault, monorepo(inside=[(b"deploy.sh", File(b"#!/bin/sh\n", "100755"))])
    yield "has a .git in the part", fault, monorepo(inside=[(b".git", Folder([(b"config", File(b""))]))])
    yield "has a .git elsewhere", fault, monorepo(above=[(b"z", Folder([(b".GIT", File(b""))]))])
    yield "has a link out of the part", cut, monorepo(inside=[(b"lib", link("../lib"))])
    yield "has a link out of the part, by way of itself", cut, monorepo(inside=[(b"lib", link("sub/../../lib/file"))])
    name = b"\x1b[2J\x1b]0;title\x07\xe2\x80\xae"
    yield (
        "has a link out of the part with a name that acts on a terminal",
        cut,
        monorepo(inside=[(name, link("../lib"))]),
    )
    yield "has a link in a circle", deployed(), monorepo(inside=[(b"round", link("round"))])
    yield "has a link out of the checkout", deployed(), monorepo(inside=[(b"out", link("/etc"))])


def cases() -> Iterator[Case]:
    sparse = {"deployDir": DIRECTORY.decode(), "sparse": True}
    for name, expected, host in hosts():
        seconds = SHORT_SECONDS if expected is ENDLESS else ORDINARY_SECONDS
        yield Case(f"of a part, the host {name}", expected, monorepo(), host=host, register=sparse, seconds=seconds)
        if expected is not ENDLESS:
            pinned = f"of a pinned part, the host {name}"
            yield Case(pinned, expected, monorepo(), host=host, register=sparse, pin=GOOD, naive=None)
    for name, expected, content in repositories():
        yield Case(f"of a part, the repository {name}", expected, content, host=parting, register=sparse)
    gone = failed("command", says="infra is a symbolic link")
    for target in ("/", "lib", ".."):

        def content(world: World, target: str = target) -> None:
            tree = world.tree(FOREIGN, [(DIRECTORY, link(target)), (b"lib", Folder([(b"x", File(b"x"))]))])
            world.commits[GOOD] = world.store.commit(tree)
            world.refs[world.branch_ref] = world.commits[GOOD]

        yield Case(
            f"of a part, deployDir is a link to {target}", gone, content, host=parting, register=sparse, naive=None
        )
