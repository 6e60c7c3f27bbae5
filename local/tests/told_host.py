"""A host that is told of deployments: it takes what GitLab and a webhook's owner would take, and keeps it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

GITLAB = re.compile(r"/api/v4/projects/([^/]+)/statuses/([0-9a-f]{40})")
# https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
GITLAB_STATES = {"pending", "running", "success", "failed", "canceled", "skipped"}


@dataclass(frozen=True)
class Told:
    """One request that was taken."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Host:
    """What was taken, and what is answered to the next requests instead: a status and headers for each."""

    port: int
    token: str
    key: str
    told: list[Told] = field(default_factory=list)
    answers: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def by(self, path: str) -> list[dict[str, Any]]:
        return [one.body for one in self.told if one.path.startswith(path)]

    def judge(self, path: str, headers: dict[str, str], raw: bytes) -> int:
        """The status that the real host would answer."""
        try:
            body = json.loads(raw)
        except ValueError:
            return 400
        if headers.get("content-type") != "application/json" or not headers.get("user-agent", "").startswith("iwomp/"):
            return 415
        if path.startswith("/api/v4/"):
            return self.judge_status(path, headers, body)
        if path in {"/webhook", "/failures", "/early"}:
            signed = f"{headers['x-iwomp-timestamp']}.".encode() + raw
            expected = "sha256=" + hmac.new(self.key.encode(), signed, hashlib.sha256).hexdigest()
            return 204 if hmac.compare_digest(expected, headers["x-iwomp-signature"]) else 401
        return 404

    def judge_status(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> int:
        if headers.get("private-token") != self.token:
            return 401
        match = GITLAB.fullmatch(path)
        if not match or not unquote(match[1]):
            return 404
        return 201 if body.get("state") in GITLAB_STATES and len(body["description"]) <= 255 else 400


@contextmanager
def listening(context: ssl.SSLContext, token: str, key: str) -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more = host.answers.popleft() if host.answers else (host.judge(self.path, headers, raw), {})
            if status < 300:
                host.told.append(Told(self.path, headers, json.loads(raw)))
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    host = Host(server.server_port, token, key)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
