"""The address at which a build in a container finds the credentials of its project's role, as at AWS.

At AWS it is http://169.254.170.2/v2/credentials/<uuid>, open to every process of the container: the path is the secret,
and whoever knows it has the role. Here it is on loopback, open to this whole machine, and the path is as hard to guess.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class CredentialsEndpoint:
    """Serves one build's credentials until it is closed."""

    def __init__(self, document: Callable[[], dict[str, str]]) -> None:
        path = f"/v2/credentials/{uuid.uuid4()}"

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # (the name is http.server's)
                if self.path != path:
                    self.send_error(404)
                    return
                body = json.dumps(document()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *_: object) -> None:
                """Nothing: the path must not stand in a log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}{path}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
