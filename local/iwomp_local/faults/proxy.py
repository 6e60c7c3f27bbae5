"""A proxy between the pipeline's programs and the local AWS, in a process of its own that may be killed at any moment.

It passes every request on as it came, so that signatures hold, and lets some go wrong as the plan says. What it did
stands in a log, a line a request: that is the count, and it outlives the process. `Proxy` starts, aims and kills it.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from iwomp_local.faults import call as calls
from iwomp_local.faults import killable
from iwomp_local.faults.call import Answer, Call
from iwomp_local.faults.killable import Killable
from iwomp_local.faults.plan import NOTHING, Dice, Fault, Plan

UPSTREAM_SECONDS = 90.0
NOT_PASSED_ON = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Proxy(Killable):
    """A proxy's process. `directory` holds where it is aimed at, and its log."""

    module = "iwomp_local.faults.proxy"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def aim(self, upstream: str, plan: Plan = NOTHING) -> None:
        """From now on requests go to `upstream`, disturbed by `plan`."""
        new = self.directory / "aim.json.new"
        new.write_text(json.dumps({"upstream": upstream, "plan": plan.to_text()}))
        new.rename(aim_file(self.directory))  # at once whole: it is read at every request

    def requests(self) -> Iterator[dict[str, str]]:
        """Every request that came to its end: service, operation, and the fault if there was one."""
        if (log := requests_file(self.directory)).exists():
            for line in log.read_text().splitlines():
                with contextlib.suppress(ValueError):  # the last line of a process that was killed
                    yield json.loads(line)

    def injected(self) -> Counter[str]:
        return Counter(request["fault"] for request in self.requests() if request.get("fault"))


class Server(http.server.ThreadingHTTPServer):
    """The process: reads its aim anew when it has changed."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.directory = directory
        self._log = requests_file(directory).open("a", buffering=1)
        self._lock = threading.Lock()
        self._changed, self._upstream, self._dice = 0, "", Dice(NOTHING)

    def aim(self) -> tuple[str, Dice]:
        with self._lock:
            changed = aim_file(self.directory).stat().st_mtime_ns
            if changed != self._changed:
                text = json.loads(aim_file(self.directory).read_text())
                self._changed, self._upstream = changed, text["upstream"].removeprefix("http://")
                self._dice = Dice(Plan.of_text(text["plan"]))
            return self._upstream, self._dice

    def record(self, call: Call, fault: Fault | None) -> None:
        line = {"service": call.service, "operation": call.operation, "time": f"{time.time():.3f}"}
        with self._lock:
            self._log.write(json.dumps(line | ({"fault": fault.value} if fault else {})) + "\n")

    def handle_error(self, *_: object) -> None:
        """A client or the emulator that goes away is what this is about, and no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Says nothing: the log of requests is written by the server."""

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = calls.read(self.command, self.path, self.headers, body)
        upstream, dice = self.server.aim()
        fault = dice.throw(call.service, call.operation)
        answer = self._answer(call, fault, upstream, body, dice.plan)
        self.server.record(call, fault)
        if answer is None:
            self._hang_up()
        else:
            self._send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_request

    def _answer(self, call: Call, fault: Fault | None, upstream: str, body: bytes, plan: Plan) -> Answer | None:
        """What the caller gets; None: nothing at all."""
        instead = {
            Fault.BROKEN: calls.broken(call),
            Fault.THROTTLED: calls.throttled(call),
            Fault.LIMIT: calls.limit(),
            Fault.DROPPED: None,
        }
        if fault in instead:
            return instead[fault]
        if fault is Fault.LATE:
            time.sleep(plan.late_seconds)
        answer = self._pass_on(upstream, body)
        if fault is Fault.SLOW:
            time.sleep(plan.slow_seconds)
        if fault is Fault.BROKEN_AFTER:
            return calls.broken(call)
        return None if fault is Fault.LOST else answer

    def _pass_on(self, upstream: str, body: bytes) -> Answer | None:
        """The emulator's answer; None if it gave none, as while it stands still or is gone."""
        connection = http.client.HTTPConnection(upstream, timeout=UPSTREAM_SECONDS)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in NOT_PASSED_ON:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            headers = {name: value for name, value in response.getheaders() if name.lower() not in NOT_PASSED_ON}
            return Answer(response.status, headers, response.read())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def aim_file(directory: Path) -> Path:
    return directory / "aim.json"


def requests_file(directory: Path) -> Path:
    return directory / "requests.log"


if __name__ == "__main__":
    killable.main(lambda directory, port: Server(directory, port).serve_forever(0.2))
