"""Answers the repetition of a call as the call itself was answered, for callers that ride on Go's HTTP transport.

That transport may lose an answer of a server so near (`wire` says how); its SDK then sends the call again, within
seconds and under the same invocation id. Only the Go SDK's calls are remembered: AWS promises nothing of the kind, so
for launcher, worker and commands a lost answer stays what it is at AWS. And only answers of 2xx are: whoever was
refused or throttled asks anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Key = tuple[bytes, ...]

GO_SDK = b"aws-sdk-go"
ANSWERS = 256  # of all callers together; a Terraform run has ten calls on their way at once
ANSWERS_BYTES = 8 * 1024 * 1024
CALLER = re.compile(rb"Credential=([^,\s]+)")  # access key, day, region and service


@dataclass
class Repeats:
    """The emulator's ASGI application, with a short memory."""

    app: App
    answers_most: int = ANSWERS
    bytes_most: int = ANSWERS_BYTES
    _answers: OrderedDict[Key, list[Message]] = field(default_factory=OrderedDict)  # the oldest first
    _bytes: int = 0
    _flying: dict[Key, asyncio.Event] = field(default_factory=dict)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ())) if scope["type"] == "http" else {}
        caller = CALLER.search(headers.get(b"authorization", b""))
        invocation = headers.get(b"amz-sdk-invocation-id")
        if caller is None or not invocation or GO_SDK not in headers.get(b"user-agent", b""):
            await self.app(scope, receive, send)
            return
        read = await whole_request(receive)
        key = (
            caller.group(1),
            headers.get(b"x-amz-security-token", b""),
            invocation,
            scope["method"].encode(),
            scope["raw_path"],
            scope.get("query_string", b""),
            headers.get(b"x-amz-target", b""),
            hashlib.sha256(b"".join(part.get("body", b"") for part in read)).digest(),
        )
        while (first := self._flying.get(key)) is not None:
            await first.wait()
        if (answer := self._answers.get(key)) is not None:
            for message in answer:
                await send(message)
            return
        await self._answer(key, scope, again(read, receive), send)

    async def _answer(self, key: Key, scope: Message, receive: Receive, send: Send) -> None:
        """Lets the emulator answer, and remembers what it said, whether or not anybody was there to hear it."""
        said: list[Message] = []

        async def listen(message: Message) -> None:
            if size([*said, message]) <= self.bytes_most:  # an answer without its end is not remembered
                said.append(message)
            with contextlib.suppress(ConnectionError):  # a caller that is gone may come back to ask
                await send(message)

        self._flying[key] = over = asyncio.Event()
        try:
            await self.app(scope, receive, listen)
        finally:
            self._remember(key, said)
            del self._flying[key]
            over.set()

    def _remember(self, key: Key, said: list[Message]) -> None:
        if not has_succeeded(said):
            return
        self._answers[key] = said
        self._bytes += size(said)
        while len(self._answers) > self.answers_most or self._bytes > self.bytes_most:
            self._bytes -= size(self._answers.popitem(last=False)[1])


async def whole_request(receive: Receive) -> list[Message]:
    """What the caller sends, up to its end or to the caller's."""
    read = [await receive()]
    while read[-1]["type"] == "http.request" and read[-1].get("more_body", False):
        read.append(await receive())
    return read


def again(read: list[Message], receive: Receive) -> Receive:
    """Receives what was read already, then the rest."""
    waiting = list(read)

    async def next_message() -> Message:
        return waiting.pop(0) if waiting else await receive()

    return next_message


def has_succeeded(said: list[Message]) -> bool:
    """Whether this is the whole of an answer that says yes."""
    if not said or said[0]["type"] != "http.response.start" or said[-1].get("more_body", True):
        return False
    return said[0]["status"] in range(200, 300)


def size(said: list[Message]) -> int:
    """Bytes of an answer, its head included."""
    heads = sum(len(name) + len(value) for message in said for name, value in message.get("headers", ()))
    return heads + sum(len(message.get("body", b"")) for message in said)
