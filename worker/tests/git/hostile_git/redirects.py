"""Redirects and demands for credentials: nothing leaves the registered repository's URL."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from hostile_git.case import Case, Naive, deployed, failed
from hostile_git.protocol import ADVERTISEMENT, PACK, REFS, Exchange, Reply, honest
from hostile_git.server import CHALLENGE, Behaviour, is_allowed

STATUSES = (301, 302, 303, 307, 308)
TARGETS = {
    "a sibling repository": "{sibling}",
    "another host": "{elsewhere}",
    "another host without TLS": "{plain}",
    "a file": "file:///etc/hostname?x=",
    "a file of the worker": "file://{directory}/canary?x=",
    "a helper": "ext::sh -c true ",
    "the metadata service's path": "{plain}/latest/meta-data",
}


def redirecting(status: int, stage: str, target: str, *, needs_token: bool) -> Behaviour:
    def answer(exchange: Exchange) -> Reply:
        if needs_token and not is_allowed(exchange):
            return Reply(HTTPStatus.UNAUTHORIZED, (CHALLENGE,))
        if exchange.stage != stage:
            return honest(exchange)
        world = exchange.world
        place = target.format(directory=world.directory, **world.places)
        query = f"?{exchange.query}" if exchange.query else ""
        return Reply(status, (("Location", f"{place}{exchange.path}{query}"),))

    return answer


def cases() -> Iterator[Case]:
    for status in STATUSES:
        for kind, target in TARGETS.items():
            if status in {303, 308} and kind not in {"another host", "a sibling repository"}:
                continue
            for needs_token in (False, True):
                when = "after it took the token" if needs_token else "before it asks for the token"
                host = redirecting(status, ADVERTISEMENT, target, needs_token=needs_token)
                yield Case(f"the host redirects ({status}) to {kind} {when}", failed("git"), host=host, is_public=True)
    for status in (302, 307, 308):
        for stage, name in ((REFS, "for the refs"), (PACK, "for the pack")):
            for kind in ("a sibling repository", "another host", "another host without TLS"):
                host = redirecting(status, stage, TARGETS[kind], needs_token=True)
                yield Case(f"the host redirects ({status}) to {kind} {name}", failed("git"), host=host, is_public=True)
    yield from demands()


def always(status: int, *headers: tuple[str, str], body: bytes = b"") -> Behaviour:
    return lambda _: Reply(status, headers, body)


def demands() -> Iterator[Case]:
    challenges = {
        "for ever": CHALLENGE[1],
        "for Digest": 'Digest realm="lab", nonce="abc", qop="auth", algorithm=MD5',
        "for NTLM": "NTLM",
        "for Negotiate": "Negotiate",
        "for Bearer": 'Bearer realm="https://localhost/token",service="x"',
        "for a realm with control characters": 'Basic realm="\x1b[2Jlab"',
        "for a realm of another host": 'Basic realm="https://github.com"',
        "for a realm that looks like a helper's answer": 'Basic realm="x\tusername=evil"',
        "in an unknown scheme": "Evil x=1",
        "with a challenge of 8,000 characters": "Basic realm=" + "x" * 8000,
    }
    for name, challenge in challenges.items():
        host = always(401, ("WWW-Authenticate", challenge))
        yield Case(f"the host asks {name}", failed("git"), host=host, is_public=True)
    for status in (400, 402, 403, 404, 405, 406, 410, 418, 451, 501, 505):
        yield Case(f"the host answers {status}", failed("git"), host=always(status), is_public=True)
    for status in (407, 304, 204, 206):
        yield Case(f"the host answers {status} out of place", failed("git"), host=always(status), is_public=True)
    cookie = ("Set-Cookie", "session=evil; Path=/; Domain=localhost")
    for name, header in {
        "sets cookies": cookie,
        "names an alternative service": ("Alt-Svc", 'h2="localhost:1"; ma=86400'),
        "asks for a refresh from elsewhere": ("Refresh", "0; url=http://localhost:1/"),
        "names a link": ("Link", "<http://localhost:1/>; rel=preload"),
        "names a content location": ("Content-Location", "http://localhost:1/"),
        "sends a Location without redirecting": ("Location", "http://localhost:1/"),
        "says that its body is an archive": ("Content-Disposition", "attachment; filename=/etc/passwd"),
    }.items():

        def host(exchange: Exchange, header: tuple[str, str] = header) -> Reply:
            reply = honest(exchange)
            return Reply(reply.status, (*reply.headers, header), reply.body)

        yield Case(f"the host {name}", deployed(), host=host, naive=Naive.CLONE)
