"""Writes a build's output to CloudWatch Logs as it comes, with the rights of the project's role, as CodeBuild does.

The role's rights matter: a role that may not write its log has no log at AWS either, and the build says so.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from iwomp_local.standin.notifications import say

FLUSH_SECONDS = 0.1  # somebody follows the log: a line must not wait longer than that
BATCH_EVENTS = 1000  # CloudWatch Logs takes 10,000 events a call and 1 MiB; long lines reach the second limit first
LINE_BYTES = 900  # of a longer line, each such piece is an event: then a batch stays under 1 MiB
TRIES = 5
PAUSE_SECONDS = 1.0
CLOSE_SECONDS = 10.0


class BuildLog:
    """One log stream, written by a thread of its own so that output never waits for the network."""

    def __init__(self, client: Any, group: str, stream: str) -> None:
        self._client, self._group, self._stream = client, group, stream
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name=f"log {stream}", daemon=True)

    def open(self) -> None:
        """Creates the stream, and the group if it is missing and the role may. Raises botocore's ClientError."""
        try:
            self._create_stream()
        except self._client.exceptions.ResourceNotFoundException:
            self._client.create_log_group(logGroupName=self._group)
            self._create_stream()
        self._thread.start()

    def _create_stream(self) -> None:
        self._client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)

    def line(self, text: str) -> None:
        now = int(time.time() * 1000)
        encoded = text.encode()
        for start in range(0, max(len(encoded), 1), LINE_BYTES):
            piece = encoded[start : start + LINE_BYTES].decode(errors="replace")
            self._events.put({"timestamp": now, "message": piece + "\n"})

    def container(self, text: str) -> None:
        """A line of CodeBuild's own."""
        self.line(f"[Container] {time.strftime('%Y/%m/%d %H:%M:%S', time.gmtime())} {text}")

    def close(self) -> None:
        """Writes what is left."""
        self._events.put(None)
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _write(self) -> None:
        more = True
        while more:
            event = self._events.get()
            batch: list[dict[str, Any]] = []
            flush_at = time.monotonic() + FLUSH_SECONDS
            while event is not None:
                batch.append(event)
                if len(batch) == BATCH_EVENTS:
                    break
                try:
                    event = self._events.get(timeout=max(0.0, flush_at - time.monotonic()))
                except queue.Empty:
                    break
            more = event is not None
            if batch:
                self._put(batch)

    def _put(self, batch: list[dict[str, Any]]) -> None:
        """Tries again as CodeBuild does: a call that fails once must not cost the rest of the log."""
        for left in reversed(range(TRIES)):
            try:
                self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=batch)
                return
            except (BotoCoreError, ClientError) as error:
                say({"log": self._stream, "lost" if left == 0 else "again": f"{type(error).__name__}: {error}"})
                time.sleep(PAUSE_SECONDS)
