"""The server's side of git's smart HTTP, honest: what lies are made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from http import HTTPStatus

from hostile_git.world import Repository, World

FLUSH = b"0000"
DELIMITER = b"0001"
BAND_BYTES = 65515
ADVERTISEMENT, REFS, PACK = "advertisement", "refs", "pack"
CAPABILITIES = b"agent=lab/1 object-format=sha1"
V0_CAPABILITIES = (
    b"shallow side-band-64k ofs-delta allow-tip-sha1-in-want allow-reachable-sha1-in-want no-progress " + CAPABILITIES
)


class Delivery(Enum):
    """How an answer's bytes are sent, as far as `cut`."""

    WHOLE = "whole"
    CLOSE = "close"
    RESET = "reset"
    STALL = "stall"
    DRIP = "drip"


def disturbances(within: int) -> Iterator[tuple[Delivery, int, str]]:
    """How an answer may break off or not go on: delivery, cut, and words. `within` is a cut inside of it."""
    for delivery, verb in {
        Delivery.CLOSE: "closes the connection",
        Delivery.RESET: "resets the connection",
        Delivery.STALL: "falls silent",
        Delivery.DRIP: "sends a byte now and then",
    }.items():
        for cut, when in ((-1, "before"), (0, "at the start of"), (within, "within")):
            if delivery is not Delivery.DRIP or cut == 0:
                yield delivery, cut, f"{verb} {when}"


@dataclass(frozen=True)
class Reply:
    """An answer of an HTTP server."""

    status: int = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delivery: Delivery = Delivery.WHOLE
    cut: int = 0
    """After how many bytes of the body a delivery that is not whole ends; -1: not even a status line is sent."""

    def with_body(self, body: bytes) -> Reply:
        return replace(self, body=body)


@dataclass
class Exchange:
    """One request to the registered repository of a world."""

    world: World
    repository: Repository
    method: str
    path: str
    query: str
    authorization: str
    version: int
    """Of the protocol, as the client wants it."""
    body: bytes = field(repr=False)
    nth: int = 1
    """The how many-th request of this world it is."""
    name: str = "repo"
    """Of the repository."""

    @property
    def stage(self) -> str:
        if self.path == "/info/refs":
            return ADVERTISEMENT
        return REFS if b"command=ls-refs" in self.body else PACK


def packet(text: bytes) -> bytes:
    return b"%04x%s" % (len(text) + 4, text)


def band(number: int, text: bytes) -> bytes:
    pieces = (text[at : at + BAND_BYTES] for at in range(0, len(text), BAND_BYTES))
    return b"".join(packet(bytes([number]) + piece) for piece in pieces)


def lines_of(body: bytes) -> list[bytes]:
    """The packets of a request, without its flushes and delimiters."""
    found, at = [], 0
    while at + 4 <= len(body):
        size = int(body[at : at + 4], 16)
        if size >= len(FLUSH):
            found.append(body[at + 4 : at + size].rstrip(b"\n"))
        at += max(size, 4)
    return found


def honest(exchange: Exchange) -> Reply:
    """What a Git host answers."""
    if exchange.stage == ADVERTISEMENT:
        if "service=git-upload-pack" not in exchange.query:
            return Reply(HTTPStatus.FORBIDDEN)
        body = advertisement_v2() if exchange.version == 2 else advertisement_v0(exchange.repository)
        return advertised(body)
    if exchange.method != "POST" or exchange.path != "/git-upload-pack":
        return Reply(HTTPStatus.NOT_FOUND)
    if exchange.stage == REFS:
        return result(refs_v2(exchange))
    return result(fetched(exchange))


def advertised(body: bytes) -> Reply:
    headers = (("Content-Type", "application/x-git-upload-pack-advertisement"),)
    return Reply(headers=headers, body=packet(b"# service=git-upload-pack\n") + FLUSH + body)


def result(body: bytes) -> Reply:
    return Reply(headers=(("Content-Type", "application/x-git-upload-pack-result"),), body=body)


def advertisement_v2(more: tuple[bytes, ...] = (), object_format: bytes = b"sha1") -> bytes:
    lines = (
        b"version 2",
        b"agent=lab/1",
        b"ls-refs=unborn",
        b"fetch=shallow",
        b"object-format=" + object_format,
        *more,
    )
    return b"".join(packet(line + b"\n") for line in lines) + FLUSH


def advertisement_v0(repository: Repository, capabilities: bytes = V0_CAPABILITIES) -> bytes:
    refs = dict(sorted(repository.refs.items()))
    listed = []
    if (head := refs.get(repository.head)) is not None:
        capabilities += b" symref=HEAD:" + repository.head.encode()
        listed.append((head, b"HEAD"))
    for name, oid in refs.items():
        listed.append((oid, name.encode()))
        if (peeled := repository.store.peel(oid)) != oid:
            listed.append((peeled, name.encode() + b"^{}"))
    body = b""
    for oid, ref in listed:
        body += packet(oid.encode() + b" " + ref + (b"\n" if body else b"\0" + capabilities + b"\n"))
    return body + FLUSH


def refs_v2(exchange: Exchange) -> bytes:
    repository = exchange.repository
    prefixes = [line[11:].decode() for line in lines_of(exchange.body) if line.startswith(b"ref-prefix ")]
    listed = dict(repository.refs)
    body = b""
    if (head := listed.get(repository.head)) is not None and (not prefixes or "HEAD" in prefixes):
        body += packet(f"{head} HEAD symref-target:{repository.head}\n".encode())
    for name, oid in sorted(listed.items()):
        if prefixes and not name.startswith(tuple(prefixes)):
            continue
        peeled = repository.store.peel(oid)
        body += packet(f"{oid} {name}{f' peeled:{peeled}' if peeled != oid else ''}\n".encode())
    return body + FLUSH


def fetched(exchange: Exchange, *, before: bytes = b"", pack: bytes | None = None, sections: bytes = b"") -> bytes:
    """The answer to a fetch: `before` is sideband ahead of the pack, `sections` come ahead of it in version 2."""
    lines = lines_of(exchange.body)
    wants = [line[5:45].decode() for line in lines if line.startswith(b"want ")]
    missing = [want for want in wants if want not in exchange.repository.store.objects]
    if missing:
        return packet(f"ERR upload-pack: not our ref {missing[0]}".encode())
    store = exchange.repository.store
    sent = pack if pack is not None else store.pack(store.reachable(wants))
    bands = before + band(1, sent) + FLUSH
    if b"command=fetch" not in exchange.body:
        # Who asks for a depth is told where history ends: nowhere.
        deepened = FLUSH if any(line.startswith(b"deepen ") for line in lines) else b""
        return deepened + (packet(b"NAK\n") + bands if b"done" in lines else b"")
    negotiated = b"" if b"done" in lines else packet(b"acknowledgments\n") + packet(b"ready\n") + DELIMITER
    return negotiated + sections + packet(b"packfile\n") + bands
