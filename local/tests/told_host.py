"""A host that is told of deployments: it takes what the real ones would take, by the courier's own facts of them."""

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

from jsonschema import Draft202012Validator

from iwomp_local.places import REPOSITORY

HOSTS = json.loads((REPOSITORY / "lambdas" / "notifier" / "hosts.json").read_text())
HOSTS["webhook"]["requests"][0]["body"] = json.loads((REPOSITORY / "docs" / "schemas" / "webhook.json").read_text())
FILLED_IN = {"commit": "[0-9a-f]{40}", "number": "[0-9]+"}
NO_SUCH, NOT_LET_IN, WRONG_TYPE = 404, 401, 415


@dataclass(frozen=True)
class Told:
    """One request that was taken."""

    path: str
    body: dict[str, Any]


@dataclass
class Host:
    """What was taken, and what is answered to the next requests for a path instead: a status and headers for each.

    The first part of a path is the kind of host, or for a webhook any name.
    """

    port: int
    token: str
    key: str
    told: list[Told] = field(default_factory=list)
    answers: dict[str, deque[tuple[int, dict[str, str]]]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def secret(self, kind: str, name: str = "") -> dict[str, str]:
        """The document of a target that is here."""
        base = f"{self.url}/{name or kind}"
        whole = base + str(HOSTS[kind]["requests"][0]["path"]).replace("{token}", self.token)
        if "repository" in HOSTS[kind]:
            return {"url": base, "token": self.token}
        return {"url": whole, "key": self.key} if kind == "webhook" else {"url": whole}

    def by(self, name: str, of: str = "") -> list[dict[str, Any]]:
        return [one.body for one in self.told if one.path.startswith(f"/{name}/") and of in one.path]

    def judge(self, path: str, headers: dict[str, str], raw: bytes) -> int:
        """The status that the real host would answer."""
        _, name, rest = path.split("/", 2)
        facts = HOSTS.get(name, HOSTS["webhook"])
        request = next((one for one in facts["requests"] if self.form(one).fullmatch(f"/{rest}")), None)
        if request is None:
            return NO_SUCH
        if not all(
            self.fits(headers.get(header, ""), wanted, headers, raw) for header, wanted in facts["headers"].items()
        ):
            return NOT_LET_IN
        if headers.get("content-type") != "application/json" or not headers.get("user-agent", "").startswith("iwomp/"):
            return WRONG_TYPE
        fits = Draft202012Validator(request["body"]).is_valid(json.loads(raw))
        return int(request["answer"] if fits else facts["invalid"])

    def form(self, request: dict[str, Any]) -> re.Pattern[str]:
        parts = re.split(r"{(\w+)}", request["path"])
        known = FILLED_IN | {"token": re.escape(self.token)}
        return re.compile(
            "".join(known.get(part, "[^/?&]+") if at % 2 else re.escape(part) for at, part in enumerate(parts))
        )

    def fits(self, value: str, wanted: str, headers: dict[str, str], raw: bytes) -> bool:
        if "{signature}" in wanted:
            signed = f"{headers['x-iwomp-timestamp']}.".encode() + raw
            wanted = wanted.format(signature=hmac.new(self.key.encode(), signed, hashlib.sha256).hexdigest())
        elif wanted in {"{id}", "{timestamp}"}:
            return value != ""
        return hmac.compare_digest(value, wanted.replace("{token}", self.token))


@contextmanager
def listening(context: ssl.SSLContext, token: str, key: str) -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            instead = host.answers.get(self.path.split("/")[1])
            status, more = instead.popleft() if instead else (host.judge(self.path, headers, raw), {})
            if status < 300:
                host.told.append(Told(self.path, json.loads(raw)))
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
