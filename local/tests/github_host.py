"""A GitHub with one App: it takes what GitHub takes of an App and of its tokens, and keeps what it is asked.

From https://docs.github.com/en/rest/apps/apps, .../apps/installations, .../commits/statuses and .../deployments.
"""

from __future__ import annotations

import base64
import http.server
import json
import re
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from iwomp_local.git_server import Anybody

API = "/api/v3"
APP_ID = "123456"
INSTALLATION = 4711
MOST_AHEAD_SECONDS = 600
HOUR_SECONDS = 3600
GRANTED = {"contents": "read", "deployments": "write", "metadata": "read", "statuses": "write"}
FILES = {"contents": "read", "metadata": "read"}

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Asked:
    """One request, and the status that it got."""

    method: str
    path: str
    body: Any
    status: int


@dataclass
class GitHub:
    """The App's owner holds `private_key`; whoever has a token of `tokens` may what stands there."""

    prefix: str  # of every token
    port: int = 0
    private_key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    repositories: set[str] = field(default_factory=set)  # where the App is installed
    tokens: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    made: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)  # every token that ever was
    asked: list[Asked] = field(default_factory=list)

    @property
    def api(self) -> str:
        return f"https://localhost:{self.port}{API}"

    @property
    def pem(self) -> str:
        """As GitHub hands it out."""
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()

    def access(self, repository: str) -> OfApp:
        """Installs the App in a repository; who may fetch that."""
        self.repositories.add(repository)
        return OfApp(self, repository)

    def statuses(self, commit: str) -> list[dict[str, Any]]:
        return [one.body for one in self.asked if one.path.endswith(f"/statuses/{commit}") and one.status < HTTP_WRONG]

    def answer(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> Answer:
        if (
            headers.get("accept") != "application/vnd.github+json"
            or headers.get("x-github-api-version") != "2022-11-28"
        ):
            return 415, None
        if not headers.get("user-agent", "").startswith("iwomp/"):
            return 403, None  # GitHub wants one
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            return 401, None
        body = json.loads(raw) if raw else None
        as_app = {
            ("GET", r"/repos/([^/]+/[^/]+)/installation"): self.installation,
            ("POST", r"/app/installations/(\d+)/access_tokens"): self.mint,
        }
        as_token = {
            ("DELETE", r"/installation/token"): self.revoke,
            ("POST", r"/repos/([^/]+/[^/]+)/statuses/([0-9a-f]{40})"): self.status,
            ("GET", r"/repos/([^/]+/[^/]+)/deployments\?.*"): self.deployments,
            ("POST", r"/repos/([^/]+/[^/]+)/deployments"): self.deploy,
            ("POST", r"/repos/([^/]+/[^/]+)/deployments/\d+/statuses"): self.deploy,
        }
        for (known, pattern), handle in as_app.items():
            if known == method and (match := re.fullmatch(pattern, path)):
                return handle(match, body) if self.is_app(token) else (401, None)
        for (known, pattern), take in as_token.items():
            if known == method and (match := re.fullmatch(pattern, path)):
                return take(match, token, body) if token in self.tokens else (401, None)
        return 404, None

    def is_app(self, token: str) -> bool:
        """That it is signed with the App's key, says so, and for minutes only."""
        parts = token.split(".")
        if len(parts) != 3:
            return False
        head, claims, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
        try:
            signed = ".".join(parts[:2]).encode()
            self.private_key.public_key().verify(signature, signed, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        said, now = json.loads(claims), time.time()
        is_now = said["iat"] <= now < said["exp"] <= now + MOST_AHEAD_SECONDS
        return bool(json.loads(head)["alg"] == "RS256" and said["iss"] == APP_ID and is_now)

    def installation(self, match: re.Match[str], _: Any) -> Answer:
        if match[1] not in self.repositories:
            return 404, None
        return 200, {"id": INSTALLATION, "suspended_at": None, "repository_selection": "selected"}

    def mint(self, match: re.Match[str], body: Any) -> Answer:
        names = {repository.partition("/")[2]: repository for repository in self.repositories}
        wanted = body.get("repositories", [])
        if int(match[1]) != INSTALLATION or not all(name in names for name in wanted):
            return 422, None
        # Whoever names none gets all.
        rights = {**body.get("permissions", GRANTED), "metadata": "read"}
        if any(GRANTED.get(name) != level for name, level in rights.items()):
            return 422, None
        token = f"{self.prefix}{secrets.token_hex(16)}"
        repository = names[wanted[0]] if len(wanted) == 1 else ""
        self.tokens[token] = (repository, rights)
        self.made.append((token, repository, rights))
        expires = datetime.fromtimestamp(time.time() + HOUR_SECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 201, {
            "token": token,
            "expires_at": expires,
            "permissions": rights,
            "repository_selection": "selected",
            "repositories": [{"full_name": repository}],
        }

    def revoke(self, _: re.Match[str], token: str, __: Any) -> Answer:
        del self.tokens[token]
        return 204, None

    def status(self, match: re.Match[str], token: str, body: Any) -> Answer:
        is_known = body["state"] in {"error", "failure", "pending", "success"} and len(body["description"]) <= 140
        return (201 if is_known else 422, {}) if self.may(token, match[1], "statuses") else (403, None)

    def deployments(self, match: re.Match[str], token: str, _: Any) -> Answer:
        return (200, []) if self.may(token, match[1], "deployments") else (403, None)

    def deploy(self, match: re.Match[str], token: str, _: Any) -> Answer:
        return (201, {"id": 1}) if self.may(token, match[1], "deployments") else (403, None)

    def may(self, token: str, repository: str, right: str) -> bool:
        of, rights = self.tokens[token]
        return of == repository and rights.get(right) == "write"


HTTP_WRONG = 400


@dataclass(frozen=True)
class OfApp(Anybody):
    """Whoever has a token of the App that may read the files of this repository."""

    github: GitHub
    repository: str

    def allows(self, scheme: str, text: str) -> bool:
        user, _, token = text.partition(":")
        is_of_it = self.github.tokens.get(token) == (self.repository, FILES)
        return scheme == "basic" and user == "x-access-token" and is_of_it


@contextmanager
def listening(context: ssl.SSLContext, prefix: str) -> Iterator[GitHub]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = self.path.removeprefix(API)
            status, body = github.answer(self.command, path, headers, raw)
            github.asked.append(Asked(self.command, path, json.loads(raw) if raw else None, status))
            text = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    github = GitHub(prefix, server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
