"""What the worker did not withstand refs that git finds by more than their name, and packs elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from hostile_git.case import Case, Naive, failed
from hostile_git.protocol import DELIMITER, PACK, Exchange, Reply, fetched, packet, result
from hostile_git.refs import foreign_at
from hostile_git.server import Behaviour
from hostile_git.wire import at
from hostile_git.world import World

PREFIXES = ("refs/heads/", "refs/tags/", "refs/", "refs/remotes/")
"""What git puts before a name that it does not find, a full name included."""


def cases() -> Iterator[Case]:
    for branch in ("main", "master", "release/1.0"):
        for name in (*(f"{prefix}refs/heads/{{}}" for prefix in PREFIXES), "refs/remotes/refs/heads/{}/HEAD"):
            shown = name.format(branch)
            content = foreign_at(name)
            yield Case(
                f"no branch {branch}, but a ref {shown}", failed("git"), content, branch=branch, naive=Naive.FETCH
            )
    for kind in ("elsewhere", "plain", "sibling"):
        yield Case(f"the host names a pack {kind}", failed("git"), host=at(PACK, uris(kind)), machine=takes)


def uris(kind: str) -> Behaviour:
    def lie(exchange: Exchange) -> Reply:
        uri = exchange.world.places[kind] + "/info/pack"
        line = packet(f"{'a' * 40} {uri}\n".encode())
        return result(fetched(exchange, sections=packet(b"packfile-uris\n") + line + DELIMITER))

    return lie


def takes(world: World) -> dict[str, str]:
    (world.home / ".gitconfig").write_text("[fetch]\nuriProtocols = http,https\n")
    return {}
