"""Lies on the wire: broken protocols, broken packs, second servers, endless answers."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace

from hostile_git.case import ENDLESS, ORDINARY_SECONDS, SHORT_SECONDS, Case, Expected, Naive, deployed, failed
from hostile_git.objects import entry_head
from hostile_git.protocol import (
    ADVERTISEMENT,
    DELIMITER,
    FLUSH,
    PACK,
    REFS,
    V0_CAPABILITIES,
    Delivery,
    Exchange,
    Reply,
    advertised,
    advertisement_v0,
    advertisement_v2,
    band,
    disturbances,
    fetched,
    honest,
    packet,
    refs_v2,
    result,
)
from hostile_git.server import Behaviour
from hostile_git.world import FOREIGN, World, ordinary

STAGES = (ADVERTISEMENT, REFS, PACK)


def at(stage: str, lie: Callable[[Exchange], Reply]) -> Behaviour:
    """Honest but for one stage."""
    return lambda exchange: lie(exchange) if exchange.stage == stage else honest(exchange)


def cases() -> Iterator[Case]:
    yield from deliveries()
    yield from packs()
    yield from sidebands()
    yield from advertisements()
    yield from second_servers()
    yield from ref_lists()
    yield from histories()


def deliveries() -> Iterator[Case]:
    for stage in STAGES:
        for delivery, cut, words in disturbances(within=30):

            def lie(exchange: Exchange, delivery: Delivery = delivery, cut: int = cut) -> Reply:
                return replace(honest(exchange), delivery=delivery, cut=cut)

            yield Case(f"the host {words} the {stage}", ENDLESS, host=at(stage, lie), seconds=SHORT_SECONDS)


def changed_pack(change: Callable[[bytes], bytes]) -> Behaviour:
    def lie(exchange: Exchange) -> Reply:
        store = exchange.repository.store
        return result(fetched(exchange, pack=change(store.pack(store.reachable(exchange.repository.refs.values())))))

    return at(PACK, lie)


def resealed(body: bytes) -> bytes:
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def flipped(position: int) -> Callable[[bytes], bytes]:
    return lambda pack: pack[:position] + bytes([pack[position] ^ 0xFF]) + pack[position + 1 :]


def packs() -> Iterator[Case]:
    lies: dict[str, Callable[[bytes], bytes]] = {
        "a pack of which the end is missing": lambda pack: pack[: len(pack) // 2],
        "a pack without its hash": lambda pack: pack[:-20],
        "a pack with a wrong hash": lambda pack: pack[:-20] + b"\0" * 20,
        "a pack with a flipped byte": flipped(40),
        "a pack with a flipped byte and a right hash": lambda pack: resealed(flipped(40)(pack)[:-20]),
        "a pack of version 9": lambda pack: resealed(b"PACK\0\0\0\x09" + pack[8:-20]),
        "a pack that promises a million objects": lambda pack: resealed(
            pack[:8] + struct.pack(">I", 10**6) + pack[12:-20]
        ),
        "a pack that promises 4,294,967,295 objects": lambda pack: resealed(pack[:8] + b"\xff" * 4 + pack[12:-20]),
        "a pack that promises fewer objects": lambda pack: resealed(pack[:8] + struct.pack(">I", 1) + pack[12:-20]),
        "a pack of nothing": lambda _: resealed(b"PACK" + struct.pack(">II", 2, 0)),
        "no pack, but text": lambda _: b"<html>please log in</html>\n" * 20,
        "an empty pack stream": lambda _: b"",
        "a pack whose first object claims 2^60 bytes": lambda pack: resealed(
            b"PACK" + struct.pack(">II", 2, 1) + entry_head(3, 1 << 60) + pack[20:-20]
        ),
        "a pack with an object of a kind that does not exist": lambda pack: resealed(
            b"PACK" + struct.pack(">II", 2, 1) + entry_head(5, 4) + pack[20:-20]
        ),
        "a pack with a delta on itself": lambda _: resealed(
            b"PACK" + struct.pack(">II", 2, 1) + entry_head(6, 4) + b"\0" + b"x\x9c\x03\0\0\0\0\1"
        ),
        "a pack with a delta on an object that is not there": lambda _: resealed(
            b"PACK" + struct.pack(">II", 2, 1) + entry_head(7, 4) + b"\x11" * 20 + b"x\x9c\x03\0\0\0\0\1"
        ),
    }
    for name, change in lies.items():
        yield Case(f"the host sends {name}", ENDLESS, host=changed_pack(change), seconds=SHORT_SECONDS)
    rubbish = changed_pack(lambda pack: pack + b"rubbish" * 100)
    yield Case("the host sends a pack with rubbish behind it", deployed(), host=rubbish)
    yield Case("the host leaves out the files of the commit", failed("git"), without("blob"))
    yield Case("the host leaves out the tree of the commit", failed("git"), without("tree"))
    yield Case("the host leaves out the parent of the commit", failed("git"), without_parent)
    yield Case("the host sends other objects than were asked for", failed("git"), host=at(PACK, others))


def without(kind: str) -> Callable[[World], None]:
    def content(world: World) -> None:
        ordinary(world)
        store = world.store
        store.objects = {name: found for name, found in store.objects.items() if found[0] != kind}

    return content


def without_parent(world: World) -> None:
    ordinary(world)
    del world.store.objects[world.commits["older"]]


def others(exchange: Exchange) -> Reply:
    foreign = exchange.world.foreign
    return result(fetched(exchange, pack=foreign.store.pack(foreign.store.objects)))


def said(before: bytes, expected: Expected | None = None) -> tuple[Expected, Behaviour]:
    return expected or deployed(), at(PACK, lambda exchange: result(fetched(exchange, before=before)))


def sidebands() -> Iterator[Case]:
    escape = b"\x1b[2J\x1b[1;31mDEPLOYED\x1b[0m\x1b]0;title\x07\x1b]8;;http://localhost:1\x07link\x1b]8;;\x07\n"
    talks: dict[str, tuple[Expected, Behaviour]] = {
        "escape sequences": said(band(2, escape)),
        "a fatal error in escape sequences": said(band(3, escape), failed("git")),
        "carriage returns over our lines": said(band(2, b"working\riwomp: result      deployed\n")),
        "an outcome line of its own": said(band(2, b'\n{"outcome":"deployed","class":"x"}\n' * 3)),
        "an outcome line of its own and an error": said(
            band(2, b'\n{"outcome":"deployed"}\n') + band(3, b'\n{"outcome":"deployed"}\n'), failed("git")
        ),
        "NUL bytes": said(band(2, b"a\0b\0" * 1000 + b"\n")),
        "text that is no UTF-8": said(band(2, bytes(range(128, 256)) * 10 + b"\n")),
        "text that is written from right to left": said(band(2, "\u202eevil\u202c \u2066x\u2069 \u200b\n".encode())),
        "line separators": said(band(2, "a\u2028b\u2029c\u0085d\n".encode())),
        "C1 control characters": said(band(2, "\u009b2J\u009d0;x\u009c\n".encode())),
        "a line of 1 MB": said(band(2, b"x" * 1_000_000 + b"\n")),
        "a megabyte without a line end": said(band(2, b"x" * 1_000_000)),
        "20,000 lines": said(band(2, b"line\n" * 20_000)),
        "20,000 carriage returns": said(band(2, b"x\r" * 20_000)),
        "the words of a host key that fails": said(band(2, b"Host key verification failed.\n")),
        "the words of a branch that is missing": said(band(3, b"couldn't find remote ref\n"), failed("git")),
        "an invitation to type the token": said(band(2, b"Password for 'https://localhost': \n")),
        "empty packets": said(packet(b"\x02") * 2000),
        "an unknown band": said(band(7, b"x\n"), failed("git")),
        "band 0": said(band(0, b"x\n"), failed("git")),
        "a fatal error": said(band(3, b"no\n"), failed("git")),
        "a fatal error of 1 MB": said(band(3, b"x" * 1_000_000 + b"\n"), failed("git")),
    }
    for name, (expected, host) in talks.items():
        yield Case(f"the host says {name}", expected, host=host)
    for version in (0, 2):

        def error(exchange: Exchange, version: int = version) -> Reply:
            body = packet(b"ERR \x1b[2J\x1b[31mcall 0800-EVIL\r\n{}\n")
            return advertised(body if version == 0 else packet(b"version 2\n") + body)

        yield Case(
            f"the host says escape sequences in an ERR of version {version}",
            failed("git"),
            host=at(ADVERTISEMENT, error),
        )


def v2_with(*lines: bytes, object_format: bytes = b"sha1") -> Behaviour:
    return at(ADVERTISEMENT, lambda _: advertised(advertisement_v2(lines, object_format)))


def always_v0(capabilities: bytes = V0_CAPABILITIES) -> Behaviour:
    def lie(exchange: Exchange) -> Reply:
        if exchange.stage == ADVERTISEMENT:
            return advertised(advertisement_v0(exchange.repository, capabilities))
        return honest(exchange)

    return lie


def v1(exchange: Exchange) -> Reply:
    return advertised(packet(b"version 1\n") + advertisement_v0(exchange.repository))


def body_at_start(body: bytes) -> Behaviour:
    return at(ADVERTISEMENT, lambda _: advertised(body))


def advertisements() -> Iterator[Case]:
    ones: dict[str, tuple[Expected, Behaviour]] = {
        "speaks version 0 though asked for 2": (deployed(), always_v0()),
        "speaks version 1 though asked for 2": (deployed(), at(ADVERTISEMENT, v1)),
        "speaks version 3": (failed("git"), body_at_start(packet(b"version 3\n") + FLUSH)),
        "speaks version 2 without capabilities": (failed("git"), body_at_start(packet(b"version 2\n") + FLUSH)),
        "promises SHA-256": (failed("git"), v2_with(object_format=b"sha256")),
        "promises an object format that does not exist": (ENDLESS, v2_with(object_format=b"evil")),
        "promises SHA-256 in version 0": (failed("git"), always_v0(b"shallow side-band-64k object-format=sha256")),
        "has no sideband": (deployed(), always_v0_without_sideband),
        "names a session id in escape sequences": (deployed(), v2_with(b"session-id=\x1b[2Jx")),
        "names unknown capabilities": (deployed(), v2_with(b"evil=1", b"object-info", b"server-option")),
        "names 5,000 capabilities": (deployed(), v2_with(*(b"x%d=1" % n for n in range(5000)))),
        "promises a promisor remote elsewhere": (
            deployed(),
            v2_with(b"promisor-remote=name=evil,url=http://localhost:1/"),
        ),
        "has a symref to nowhere": (deployed(), always_v0(V0_CAPABILITIES + b" symref=HEAD:refs/heads/../../evil")),
        "sends a packet with a negative size": (failed("git"), body_at_start(b"-001version 2\n")),
        "sends a packet of size 3": (failed("git"), body_at_start(b"0003")),
        "sends a packet that is no packet": (failed("git"), body_at_start(b"zzzzversion 2\n")),
        "sends a packet that is cut off": (failed("git"), body_at_start(b"fff0version 2\n")),
        "sends nothing": (ENDLESS, at(ADVERTISEMENT, lambda _: Reply(headers=(SMART,)))),
        "sends a page of one line": (
            PAGE,
            at(ADVERTISEMENT, lambda _: Reply(headers=(HTML,), body=b"<html>log in</html>")),
        ),
        "sends a page that does not say what it is": (PAGE, at(ADVERTISEMENT, lambda _: Reply(body=b"log in"))),
        "sends a page of several lines": (
            PAGE,
            at(ADVERTISEMENT, lambda _: Reply(headers=(HTML,), body=b"<html>\nlog in\n")),
        ),
        "sends an empty page": (PAGE, at(ADVERTISEMENT, lambda _: Reply(headers=(HTML,)))),
        "sends a page to the second question": (
            PAGE,
            at(REFS, lambda _: Reply(headers=(HTML,), body=b"<html>log in</html>")),
        ),
        "sends HTML as if it were git": (
            failed("git"),
            at(ADVERTISEMENT, lambda _: Reply(headers=(SMART,), body=b"<html>")),
        ),
        "names another service": (
            failed("git"),
            at(ADVERTISEMENT, lambda _: Reply(headers=(SMART,), body=packet(b"# service=git-receive-pack\n") + FLUSH)),
        ),
        "sends its answer as another type": (deployed(), at(PACK, typed("text/html"))),
        "compresses an answer that is not compressed": (
            failed("git"),
            at(
                ADVERTISEMENT, lambda exchange: replace(honest(exchange), headers=(SMART, ("Content-Encoding", "gzip")))
            ),
        ),
    }
    for name, (expected, host) in ones.items():
        seconds = SHORT_SECONDS if expected is ENDLESS else ORDINARY_SECONDS
        yield Case(f"the host {name}", expected, host=host, seconds=seconds)


HTML = ("Content-Type", "text/html; charset=utf-8")
PAGE = failed("git", says="is not a Git server: it sends a page")
SMART = ("Content-Type", "application/x-git-upload-pack-advertisement")


def typed(content_type: str) -> Behaviour:
    return lambda exchange: replace(honest(exchange), headers=(("Content-Type", content_type),))


def always_v0_without_sideband(exchange: Exchange) -> Reply:
    if exchange.stage == ADVERTISEMENT:
        return advertised(advertisement_v0(exchange.repository, b"shallow ofs-delta object-format=sha1"))
    store = exchange.repository.store
    deepened = FLUSH if b"deepen " in exchange.body else b""
    pack = packet(b"NAK\n") + store.pack(store.objects) if b"done" in exchange.body else b""
    return result(deepened + pack)


def second_servers() -> Iterator[Case]:
    """What sends git to another place than the one it was told."""
    for kind in ("elsewhere", "plain", "sibling"):

        def believes(world: World) -> dict[str, str]:
            (world.home / ".gitconfig").write_text("[transfer]\nbundleURI = true\n")
            return {}

        yield Case(f"the host names a bundle {kind}", deployed(), host=bundles(kind), machine=believes)

        for file in ("info/alternates", "info/http-alternates"):
            host = dumb(f"objects/{file}", f"{{{kind}}}/objects")
            name = f"a dumb host names another one ({kind}) in {file}"
            yield Case(name, failed("git"), without("blob"), host=host, naive=Naive.CLONE)
    yield Case("a dumb host has it all", failed("git"), host=dumb("", ""))
    paths = dumb("objects/info/alternates", "/etc/objects")
    yield Case("a dumb host names a path of ours in info/alternates", failed("git"), without("blob"), host=paths)


def bundles(kind: str) -> Behaviour:
    """Says that a part of the objects is to be had from another place."""

    def lie(exchange: Exchange) -> Reply:
        if b"command=bundle-uri" in exchange.body:
            uri = exchange.world.places[kind] + "/info/bundle"
            lines = (b"bundle.version=1", b"bundle.mode=all", f"bundle.evil.uri={uri}".encode())
            return result(b"".join(packet(line + b"\n") for line in lines) + FLUSH)
        if exchange.stage == ADVERTISEMENT:
            return advertised(advertisement_v2((b"bundle-uri",)))
        return honest(exchange)

    return lie


def dumb(alternates: str, text: str) -> Behaviour:
    """Serves the files of a repository, as any web server could."""

    def answer(exchange: Exchange) -> Reply:
        repository, path = exchange.repository, exchange.path.lstrip("/")
        if path == "info/refs":
            listed = "".join(f"{oid}\t{name}\n" for name, oid in sorted(repository.refs.items()))
            return Reply(headers=(("Content-Type", "text/plain"),), body=listed.encode())
        if path == "HEAD":
            return Reply(body=f"ref: {repository.head}\n".encode())
        if path == alternates:
            return Reply(body=text.format(**exchange.world.places).encode() + b"\n")
        if path.startswith("objects/"):
            loose = repository.store.loose(path.removeprefix("objects/").replace("/", ""))
            return Reply(body=loose) if loose else Reply(404)
        return Reply(404)

    return answer


def listing(lines: Callable[[World], list[str]]) -> Behaviour:
    def lie(exchange: Exchange) -> Reply:
        body = b"".join(packet(line.encode() + b"\n") for line in lines(exchange.world))
        return result(body + refs_v2(exchange))

    return at(REFS, lie)


def foreign_first(world: World) -> list[str]:
    return [f"{world.commits[FOREIGN]} refs/heads/other"]


def with_foreign(world: World) -> None:
    ordinary(world)
    world.commit(FOREIGN)


def cut_short(exchange: Exchange) -> Reply:
    """Says that history begins at the branch's head, and leaves out what was before."""
    world = exchange.world
    head = world.refs[world.branch_ref]
    store = exchange.repository.store
    names = [name for name in store.reachable([head]) if name != world.commits["older"]]
    sections = packet(b"shallow-info\n") + packet(f"shallow {head}\n".encode()) + DELIMITER
    return result(fetched(exchange, pack=store.pack(names), sections=sections))


def histories() -> Iterator[Case]:
    host = at(PACK, cut_short)
    name = "the host says that history begins at the head"
    yield Case(name, failed("git"), host=host)
    yield Case(f"{name}, while an older commit is live", failed("git"), host=host, live="older")
    yield Case(f"{name}, and an older commit is pinned", failed("git"), host=host, pin="older")


def ref_lists() -> Iterator[Case]:
    lists: dict[str, tuple[Expected, Callable[[World], list[str]]]] = {
        "a ref that was not asked for": (deployed(), foreign_first),
        "a ref with a path out of the repository": (
            deployed(),
            lambda world: [f"{world.commits[FOREIGN]} refs/heads/../../../config"],
        ),
        "a symref of the branch to another ref": (
            deployed(FOREIGN),
            lambda world: [f"{world.commits[FOREIGN]} refs/heads/main symref-target:refs/heads/other"],
        ),
        "a ref without a name": (deployed(), lambda world: [f"{world.commits[FOREIGN]} "]),
        "a ref with a short id": (failed("git"), lambda world: [f"{world.commits[FOREIGN][:20]} refs/heads/main"]),
        "a ref of the null id": (failed("git", "time_limit"), lambda _: [f"{'0' * 40} refs/heads/main"]),
        "a ref with escape sequences": (deployed(), lambda world: [f"{world.commits[FOREIGN]} refs/heads/\x1b[2Jx"]),
        "30,000 other refs": (
            deployed(),
            lambda world: [f"{world.commits[FOREIGN]} refs/heads/x{number}" for number in range(30_000)],
        ),
        "an unborn HEAD": (deployed(), lambda _: ["unborn HEAD symref-target:refs/heads/../../x"]),
    }
    for name, (expected, lines) in lists.items():
        yield Case(f"the host lists {name}", expected, with_foreign, host=listing(lines))
