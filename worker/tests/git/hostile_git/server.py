"""HTTPS and HTTP on loopback: the registered host, and the others that nobody registered. The path of a request tells
which world it belongs to, so that one server does for all cases.
"""

from __future__ import annotations

import contextlib
import gzip
import http.server
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

from hostile_git.protocol import Delivery, Exchange, Reply, honest
from hostile_git.world import Request, World
from iwomp_local.git_server import credential, same

Behaviour = Callable[[Exchange], Reply]

PATH = re.compile(r"/(?P<key>[a-z0-9]+)/(?P<name>[a-z-]+)\.git(?P<rest>/.*)?\Z")
REGISTERED_NAME = "repo"
IDLE_SECONDS = 30.0
DRIP_SECONDS = 0.1
CHALLENGE = ("WWW-Authenticate", 'Basic realm="lab"')


class Server:
    """One port. `is_registered` is false for hosts that no register names: all that reaches them is a stray."""

    def __init__(
        self, worlds: Mapping[str, tuple[World, Behaviour]], context: ssl.SSLContext | None, *, is_registered: bool
    ) -> None:
        self.worlds = worlds
        self.is_registered = is_registered
        self.closing = threading.Event()
        server = self

        class BoundHandler(Handler):
            lab = server

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), BoundHandler)
        self._http.daemon_threads = True
        self.port: int = self._http.server_address[1]
        if context is not None:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.scheme = "http" if context is None else "https"

    def __enter__(self) -> Server:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), name="hostile host", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def url(self, key: str, name: str = REGISTERED_NAME) -> str:
        return f"{self.scheme}://localhost:{self.port}/{key}/{name}.git"


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    lab: Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_CONNECT(self) -> None:
        """A proxy that somebody planted: whoever comes is known by the user name in its URL."""
        _, user = credential(self.headers.get("Proxy-Authorization"))
        known = self.lab.worlds.get(user.partition(":")[0])
        if known is not None:
            known[0].strays.append(Request(f"proxy:{self.path}", ""))
        self.send_response(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED if known is None else HTTPStatus.BAD_GATEWAY)
        self.send_header("Proxy-Authenticate", 'Basic realm="lab"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing: the worlds keep the record."""

    def handle(self) -> None:
        with contextlib.suppress(ssl.SSLError, OSError, ValueError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(ssl.SSLError, OSError, ValueError):
            super().finish()

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        body = self._body()
        found = PATH.match(path)
        known = self.lab.worlds.get(found["key"]) if found else None
        if found is None or known is None:
            self._send(Reply(HTTPStatus.NOT_FOUND))
            return
        world, behaviour = known
        authorization = self.headers.get("Authorization", "")
        request = Request(f"{self.lab.scheme}:{self.lab.port}{self.path}", authorization)
        is_registered = self.lab.is_registered and found["name"] == REGISTERED_NAME
        is_home = is_registered or (self.lab.is_registered and world.is_lent)
        with world.lock:
            (world.requests if is_home else world.strays).append(request)
            repository = world.repository if is_registered else world.foreign
            nth = len(world.requests)
        version = 2 if "version=2" in self.headers.get("Git-Protocol", "") else 0
        exchange = Exchange(
            world,
            repository,
            self.command,
            found["rest"] or "",
            query,
            authorization,
            version,
            body,
            nth,
            found["name"],
        )
        self._send(behaviour(exchange) if is_home else elsewhere(exchange))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline(8192).partition(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline(8192)
            self.rfile.readline(8192)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _send(self, reply: Reply) -> None:
        if reply.delivery is Delivery.WHOLE:
            self._head(reply)
            self.wfile.write(reply.body)
            return
        self.close_connection = True
        if reply.cut >= 0:
            self._head(reply)
            self.wfile.write(reply.body[: reply.cut])
        self.wfile.flush()
        match reply.delivery:
            case Delivery.RESET:
                # Closed with nothing to wait for, a socket sends a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            case Delivery.STALL:
                self._wait_for_the_client_to_leave()
            case Delivery.DRIP:
                for at in range(reply.cut, len(reply.body)):
                    self.wfile.write(reply.body[at : at + 1])
                    if self.lab.closing.wait(DRIP_SECONDS):
                        return

    def _head(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()

    def _wait_for_the_client_to_leave(self) -> None:
        self.connection.settimeout(0.2)
        end = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < end and not self.lab.closing.is_set():
            try:
                if not self.connection.recv(4096):
                    return
            except TimeoutError:
                continue


def with_token(behaviour: Behaviour) -> Behaviour:
    """Lets nobody in without the world's token: a private repository."""

    def answer(exchange: Exchange) -> Reply:
        if is_allowed(exchange):
            return behaviour(exchange)
        return Reply(HTTPStatus.UNAUTHORIZED, (CHALLENGE,))

    return answer


def elsewhere(exchange: Exchange) -> Reply:
    """Serves everybody; but where a command has the credential, it asks for it first, and takes any."""
    if exchange.world.is_lent and not exchange.authorization:
        return Reply(HTTPStatus.UNAUTHORIZED, (CHALLENGE,))
    return honest(exchange)


def is_allowed(exchange: Exchange) -> bool:
    scheme, text = credential(exchange.authorization)
    password = text.partition(":")[2] if scheme == "basic" else text
    return same(password, exchange.world.canary)
