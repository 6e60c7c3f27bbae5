"""A Git host on this machine: real smart HTTPS by git's own http-backend, behind a certificate of a private authority.

It checks credentials as the big hosts do (401 with a challenge, then Basic or Bearer) and remembers what it was sent,
so that tests can look. It serves loopback only, and only the repositories that it was told of; and of each the files
of Git LFS that it keeps.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO

CHUNK_BYTES = 65536
REQUEST_SECONDS = 60.0  # a client that sends nothing for so long is gone
HOLD_SECONDS = 60.0  # how long `hold` may make a client wait
LINE_BYTES = 8192  # of a chunk header; git sends a few characters
LFS = "/info/lfs/objects/"
LFS_MEDIA_TYPE = "application/vnd.git-lfs+json"


@dataclass(frozen=True)
class Token:
    """A token, sent as the password of Basic authentication with any user name, or as Bearer."""

    value: str = field(repr=False)

    def allows(self, scheme: str, text: str) -> bool:
        if scheme == "basic":
            text = text.partition(":")[2]
        return same(text, self.value)


@dataclass(frozen=True)
class BearerToken:
    """A token that only Bearer may carry."""

    value: str = field(repr=False)

    def allows(self, scheme: str, text: str) -> bool:
        return scheme == "bearer" and same(text, self.value)


@dataclass(frozen=True)
class Password:
    """One user name with its password."""

    username: str
    password: str = field(repr=False)

    def allows(self, scheme: str, text: str) -> bool:
        return scheme == "basic" and same(text, f"{self.username}:{self.password}")


@dataclass(frozen=True)
class Anybody:
    """A public repository."""

    def allows(self, _scheme: str, _text: str) -> bool:
        return True


Access = Token | BearerToken | Password | Anybody


@dataclass(frozen=True)
class Request:
    """A request that was answered."""

    method: str
    path: str
    authorization: str | None
    status: int


@dataclass
class GitServer:
    """Serves the bare repositories below `root` at https://localhost:<port>/<name>.git."""

    root: Path
    context: ssl.SSLContext
    port: int = 0  # any free one
    requests: list[Request] = field(default_factory=list)
    sent_bytes: int = 0
    """Of git's answers, over all requests."""
    large_files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """By the repository's name and the SHA-256."""
    _access: dict[str, Access] = field(default_factory=dict)
    _open: threading.Event = field(default_factory=threading.Event)
    _server: http.server.ThreadingHTTPServer | None = None

    def __enter__(self) -> GitServer:
        self._open.set()
        git_host = self

        class BoundHandler(Handler):
            host = git_host

        # The handshake happens in the connection's own thread: a client that stalls in it holds up nobody else.
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), BoundHandler)
        self._server.daemon_threads = True
        self._server.socket = self.context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="git server", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def serve(self, name: str, access: Access) -> str:
        """Lets those with the credential fetch `<name>.git`; returns its URL."""
        self._access[name] = access
        return f"https://localhost:{self.port}/{name}.git"

    def keep(self, name: str, content: bytes) -> str:
        """Takes a file of Git LFS into the repository; returns the pointer that the repository holds of it."""
        digest = hashlib.sha256(content).hexdigest()
        self.large_files[name, digest] = content
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Makes every client wait as long as the block lasts, so that one can look at it meanwhile."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def access(self, path: str) -> Access | None:
        name, separator, _ = path.lstrip("/").partition(".git/")
        return self._access.get(name) if separator and ".." not in path else None

    def wait_until_open(self) -> None:
        self._open.wait(HOLD_SECONDS)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection: authentication, then git's http-backend by CGI."""

    host: GitServer
    protocol_version = "HTTP/1.1"
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Says nothing: `GitServer.requests` is the log."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ssl.SSLError, ConnectionError, TimeoutError):
            self.close_connection = True  # the client went away, or does not trust us: its own affair

    def _answer(self) -> None:
        self.host.wait_until_open()
        path, _, query = self.path.partition("?")
        access = self.host.access(path)
        if access is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        if not access.allows(*credential(self.headers.get("Authorization"))):
            return self._refuse(HTTPStatus.UNAUTHORIZED)
        repository, is_lfs, wanted = path.lstrip("/").partition(f".git{LFS}")
        if is_lfs:
            return self._answer_lfs(repository, wanted)
        backend = self._start_backend(path, query)
        body = threading.Thread(target=self._send_body_to, args=(backend,), daemon=True)
        body.start()
        try:
            self._relay(backend)
        finally:
            body.join(REQUEST_SECONDS)
            backend.kill()
            backend.wait()
        return None

    def _answer_lfs(self, repository: str, wanted: str) -> None:
        """The batch API of Git LFS, whose answers lead to this same server, and its files."""
        if wanted == "batch" and self.command == "POST":
            asked = json.loads(b"".join(self._body()))["objects"]
            objects = [self._described(repository, item["oid"], item["size"]) for item in asked]
            return self._send(LFS_MEDIA_TYPE, json.dumps({"transfer": "basic", "objects": objects}).encode())
        content = self.host.large_files.get((repository, wanted))
        if content is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        return self._send("application/octet-stream", content)

    def _described(self, repository: str, digest: str, size: int) -> dict[str, object]:
        described: dict[str, object] = {"oid": digest, "size": size}
        if (repository, digest) not in self.host.large_files:
            return described | {"error": {"code": 404, "message": "there is no such file"}}
        href = f"https://localhost:{self.host.port}/{repository}.git{LFS}{digest}"
        return described | {"actions": {"download": {"href": href}}}

    def _send(self, media_type: str, body: bytes) -> None:
        self._record(HTTPStatus.OK)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _record(self, status: int) -> None:
        self.host.requests.append(Request(self.command, self.path, self.headers.get("Authorization"), status))

    def _refuse(self, status: HTTPStatus) -> None:
        self._record(status)
        # The body stays unread, so the connection cannot be used again.
        self.close_connection = True
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="iwomp local"')
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def _start_backend(self, path: str, query: str) -> subprocess.Popen[bytes]:
        git = shutil.which("git")
        if git is None:
            raise FileNotFoundError("git is not on the PATH")
        variables = {
            "PATH": str(Path(git).parent),
            "GIT_PROJECT_ROOT": str(self.host.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",  # builds may run as another user than who made the repository
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_USER": "git" if self.headers.get("Authorization") else "",
        }
        if length := self.headers.get("Content-Length"):
            variables["CONTENT_LENGTH"] = length
        return subprocess.Popen([git, "http-backend"], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _send_body_to(self, backend: subprocess.Popen[bytes]) -> None:
        assert backend.stdin is not None  # noqa: S101 (it was asked for)
        try:
            with backend.stdin as target:
                for piece in self._body():
                    target.write(piece)
        except (OSError, ValueError):
            return  # the backend has heard enough, or the client went away: `_relay` sees which

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline(LINE_BYTES).partition(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline(LINE_BYTES)
            self.rfile.readline(LINE_BYTES)
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (piece := self.rfile.read(min(left, CHUNK_BYTES))):
            left -= len(piece)
            yield piece

    def _relay(self, backend: subprocess.Popen[bytes]) -> None:
        """Passes the backend's answer on as it comes."""
        assert backend.stdout is not None  # noqa: S101 (it was asked for)
        with backend.stdout as output:
            status, headers = cgi_head(output)
            self._record(status)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while piece := output.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
                self.host.sent_bytes += len(piece)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")


def cgi_head(output: IO[bytes]) -> tuple[int, list[tuple[str, str]]]:
    """The status and headers that a CGI program begins its answer with."""
    status, headers = int(HTTPStatus.OK), []
    while line := output.readline(CHUNK_BYTES).strip():
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        elif name.lower() != "content-length":  # the answer is sent in chunks
            headers.append((name, value.strip()))
    return status, headers


def credential(header: str | None) -> tuple[str, str]:
    """The scheme in lower case and the decoded credential of an Authorization header."""
    scheme, _, text = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return scheme.lower(), text.strip()
    try:
        return "basic", base64.b64decode(text, validate=True).decode()
    except ValueError:
        return "basic", ""


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
