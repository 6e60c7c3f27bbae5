"""Files of Git LFS to be fetched (`lfs: fetch`), from hosts and repositories that want the credential elsewhere, or
something else in their place.

Each command leaves its good mark only if the file has the content that the pointer names.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hostile_git.case import ENDLESS, SHORT_SECONDS, Case, deployed, failed, refused
from hostile_git.objects import File, Folder, Node, link, script
from hostile_git.protocol import Delivery, Exchange, Reply, disturbances, honest
from hostile_git.server import CHALLENGE, Behaviour
from hostile_git.world import FOREIGN, GOOD, World

FETCH = {"lfs": "fetch"}
CONTENT = b"#!/bin/sh\nexit 0\n"
BATCH, OBJECTS = "/info/lfs/objects/batch", "/info/lfs/objects/"
INCOMPLETE = refused("incomplete_tree")
MAX_OBJECTS = 1000
GIGABYTES = 5 << 30

Lie = Callable[[Exchange, dict[str, Any]], Any]
"""Changes the one object of an answer to a batch, or the whole of it."""


def cases() -> Iterator[Case]:
    yield fetching("a host has the files of Git LFS that it should", deployed())
    yield from hrefs()
    yield from redirects()
    yield from answers()
    yield from contents()
    yield from trees()


def fetching(
    name: str, expected: Any, host: Behaviour | None = None, more: Sequence[tuple[bytes, Node]] = (), **others: Any
) -> Case:
    content = tree([(b"data", File(pointer())), *more])
    return Case(name, expected, content, host=host or lfs(), register=FETCH, naive=None, **others)


def pointer(size: int = len(CONTENT), digest: str = "", more: str = "") -> bytes:
    digest = digest or hashlib.sha256(CONTENT).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\n{more}oid sha256:{digest}\nsize {size}\n".encode()


def tree(nodes: Sequence[tuple[bytes, Node]]) -> Callable[[World], None]:
    def content(world: World) -> None:
        command = script(
            f'test "$(sha256sum < data)" = "{hashlib.sha256(CONTENT).hexdigest()}  -" && {world.mark(GOOD)}'
        )
        names = {name for name, _ in nodes}
        kept = [] if b"deploy.sh" in names else [(b"deploy.sh", command)]
        oid = world.store.put(Folder([*kept, *nodes]))[1]
        world.commits[GOOD] = world.refs[world.branch_ref] = world.store.commit(oid)

    return content


def lfs(batch: Lie | None = None, content: Callable[[Exchange], Reply] | None = None) -> Behaviour:
    """An honest host of Git and Git LFS, but for what it answers to a batch, or as the content."""

    def answer(exchange: Exchange) -> Reply:
        if exchange.path == BATCH:
            asked = json.loads(exchange.body)["objects"][0]
            href = f"{exchange.world.places['registered']}{OBJECTS}{asked['oid']}"
            described = asked | {"actions": {"download": {"href": href}}}
            said = batch(exchange, described) if batch else described
            if isinstance(said, Reply):
                return said
            return Reply(body=json.dumps(said if "objects" in said else {"objects": [said]}).encode())
        if exchange.path.startswith(OBJECTS):
            return content(exchange) if content else Reply(body=CONTENT)
        return honest(exchange)

    return answer


def hrefs() -> Iterator[Case]:
    for name, href in {
        "another host": "{elsewhere}/x",
        "another host without TLS": "{plain}/x",
        "the metadata service": "http://169.254.170.2/v2/credentials",
        "the own port without TLS": "{insecure}/x",
        "a host that looks like the own one": "{lookalike}/x",
        "a URL with a user of its own": "{with_user}/x",
        "a file": "file:///etc/hostname",
        "a file of the worker": "file://{directory}/canary",
        "a path": "/x",
        "nothing": "",
        "a URL with a line end": "{registered}/x\r\nHost: localhost",
    }.items():

        def lie(exchange: Exchange, described: dict[str, Any], href: str = href) -> dict[str, Any]:
            places = exchange.world.places
            own, other = (places[place].split("/")[2] for place in ("registered", "elsewhere"))
            filled = href.format(
                **places,
                directory=exchange.world.directory,
                insecure=places["registered"].replace("https:", "http:"),
                lookalike=f"https://{own}@{other}/{exchange.world.key}/repo.git",
                with_user=places["registered"].replace("https://", "https://user:word@"),
            )
            return described | {"actions": {"download": {"href": filled}}}

        yield fetching(f"the host keeps its files of Git LFS at {name}", INCOMPLETE, lfs(lie))


def redirects() -> Iterator[Case]:
    for status in (301, 302, 303, 307, 308):
        for place in ("elsewhere", "plain", "sibling"):

            def target(exchange: Exchange, status: int = status, place: str = place) -> Reply:
                return Reply(status, (("Location", f"{exchange.world.places[place]}{exchange.path}"),))

            def lie(exchange: Exchange, _: dict[str, Any], target: Callable[[Exchange], Reply] = target) -> Reply:
                return target(exchange)

            yield fetching(f"the host redirects ({status}) a question for Git LFS to {place}", failed("git"), lfs(lie))
            yield fetching(
                f"the host redirects ({status}) a file of Git LFS to {place}", failed("git"), lfs(content=target)
            )


def constant(reply: Reply) -> Callable[[Exchange], Reply]:
    return lambda _: reply


def changed(change: dict[str, Any]) -> Lie:
    return lambda _, described: described | change


def saying(reply: Reply) -> Behaviour:
    return lfs(lambda _, __: reply)


def answers() -> Iterator[Case]:
    bodies = {
        "a page": b"<html>sign in</html>",
        "nothing": b"",
        "an array": b"[]",
        "ten thousand arrays": b"[" * 10_000,
        "two megabytes": b'{"objects": [' + b" " * 2_000_000 + b"]}",
        "no objects": b'{"objects": []}',
        "an unknown way to send": b'{"transfer": "tus", "objects": []}',
        "other hashes": b'{"hash_algo": "md5", "objects": []}',
    }
    for name, body in bodies.items():
        yield fetching(f"the host answers {name} for Git LFS", failed("git"), saying(Reply(body=body)))
    for status in (201, 204, 206, 304, 400, 401, 403, 404, 406, 410, 413, 422):
        reply = Reply(status, (CHALLENGE,))
        yield fetching(f"the host answers {status} for Git LFS", failed("git"), saying(reply))
        yield fetching(f"the host answers {status} for a file of Git LFS", failed("git"), lfs(content=constant(reply)))
    for status in (429, 500, 503):
        reply = Reply(status, (("Retry-After", "1"),))
        yield fetching(
            f"the host answers {status} for Git LFS without end", ENDLESS, saying(reply), seconds=SHORT_SECONDS
        )
    changes: dict[str, dict[str, Any]] = {
        "another object": {"oid": "0" * 64},
        "another size": {"size": 1},
        "a negative size": {"size": -1},
        "no way to get it": {"actions": {}},
        "an error in escape sequences": {"error": {"code": 404, "message": "\x1b[2J\x1b]0;x\x07"}},
        "an error of many words": {"error": {"code": 404, "message": "x" * 100_000}},
    }
    for name, change in changes.items():
        yield fetching(f"the host answers {name} for an object", failed("git"), lfs(changed(change)))
    headers: dict[str, dict[str, str]] = {
        "Host": {"Host": "localhost"},
        "Content-Length": {"Content-Length": "10"},
        "Transfer-Encoding": {"Transfer-Encoding": "chunked"},
        "Cookie": {"Cookie": "a=b"},
        "a line end": {"X": "a\r\nX-Evil: b"},
        "a hundred of them": {f"X-{number}": "x" for number in range(100)},
        "nine thousand bytes": {"X": "x" * 9000},
    }
    for name, header in headers.items():

        def with_header(_: Exchange, described: dict[str, Any], header: dict[str, str] = header) -> dict[str, Any]:
            described["actions"]["download"]["header"] = header
            return described

        yield fetching(f"the host wants headers with a file of Git LFS: {name}", failed("git"), lfs(with_header))


def contents() -> Iterator[Case]:
    foreign = b"#!/bin/sh\nexit 1\n"
    for name, body in {
        "another content of the same size": foreign,
        "more than the pointer says": CONTENT + b"x",
        "a megabyte more": CONTENT + b"x" * 1_000_000,
        "the content compressed": gzip.compress(CONTENT),
    }.items():
        yield fetching(f"the host sends {name}", failed("git"), lfs(content=constant(Reply(body=body))))
    for name, body in {"less than the pointer says": CONTENT[:-1], "nothing": b""}.items():
        yield fetching(
            f"the host sends {name} of a file of Git LFS",
            ENDLESS,
            lfs(content=constant(Reply(body=body))),
            seconds=SHORT_SECONDS,
        )
    for delivery, cut, words in disturbances(within=5):
        reply = replace(Reply(body=CONTENT), delivery=delivery, cut=cut)
        # That one comes to its end: seventeen bytes.
        expected = deployed() if delivery is Delivery.DRIP else ENDLESS
        yield fetching(
            f"the host {words} a file of Git LFS",
            expected,
            lfs(content=constant(reply)),
            seconds=SHORT_SECONDS * 3,
        )


def trees() -> Iterator[Case]:
    for place in ("elsewhere", "plain", "sibling"):

        def config(world: World, place: str = place) -> None:
            url = world.places[place]
            text = f'[lfs]\nurl = {url}\n[lfs "{url}"]\naccess = basic\n[remote "origin"]\nlfsurl = {url}\n'
            tree([(b"data", File(pointer())), (b".lfsconfig", File(text.encode()))])(world)

        yield Case(
            f"an .lfsconfig names {place}, where files of Git LFS are fetched",
            deployed(),
            config,
            host=lfs(),
            register=FETCH,
            naive=None,
        )
    attributes = (b".gitattributes", File(b"* filter=lfs diff=lfs merge=lfs -text\n"))
    yield fetching("a tree has pointers and the filter of LFS", deployed(), more=[attributes])
    many = [(b"%d" % number, File(pointer(1, f"{number:064x}"))) for number in range(MAX_OBJECTS)]
    for name, more in {
        "of five gigabytes": [(b"large", File(pointer(GIGABYTES)))],
        "of the largest number": [(b"large", File(pointer(2**64 - 1)))],
        "with an extension": [(b"extended", File(pointer(more=f"ext-0-x sha256:{'0' * 64}\n")))],
        "with a path for its hash": [(b"path", File(pointer(digest="../" * 21 + "x")))],
        "with a hash that is none": [(b"hash", File(pointer(digest="x" * 64)))],
        "in a thousand places": many,
    }.items():
        yield fetching(f"a tree has a pointer {name}", INCOMPLETE, more=more)
    linked = [(b"linked", link("data")), (b"out", link("../../../../../../etc")), (b"self", link("self"))]
    yield fetching("links lead to pointers, and out", deployed(), more=linked)

    def command(world: World) -> None:
        tree([(b"deploy.sh", File(pointer(), "100755"))])(world)

    yield Case(
        "the command itself is a file of Git LFS",
        replace(deployed(), marks=frozenset()),
        command,
        host=lfs(),
        register=FETCH,
        naive=None,
    )
    yield Case(
        "the command itself is a file of Git LFS, and the host sends another",
        failed("git"),
        command,
        host=lfs(content=lambda e: Reply(body=e.world.deploy_script(FOREIGN).data)),
        register=FETCH,
        naive=None,
    )
