"""What the programs talk to while they are measured: AWS's answers from memory, and Lambda's Runtime API.

A small server in a process of its own, for what a measurement waits for is not to be the server.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

Answer = tuple[dict[str, str], str]
IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:root</Arn>"
    "<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Aws:
    """SSM with these parameters, a CodeBuild where nothing runs and every build may start, and who is asking."""

    parameters: dict[str, str]
    latency_seconds: float = 0
    started: int = 0

    async def answer(self, call: Call) -> Answer:
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        operation = call.headers.get("x-amz-target", "").rpartition(".")[2]
        if not operation:
            return {"Content-Type": "text/xml"}, IDENTITY
        asked = json.loads(call.body or b"{}")
        return {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(getattr(self, operation)(asked))

    def GetParameter(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"Parameter": self._parameter(asked["Name"])}

    def GetParameters(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = [self._parameter(name) for name in asked["Names"] if name in self.parameters]
        return {"Parameters": found, "InvalidParameters": [n for n in asked["Names"] if n not in self.parameters]}

    def PutParameter(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.parameters[asked["Name"]] = asked["Value"]
        return {"Version": 1, "Tier": "Standard"}

    def ListBuildsForProject(self, _asked: dict[str, Any]) -> dict[str, Any]:
        return {"ids": []}

    def BatchGetBuilds(self, _asked: dict[str, Any]) -> dict[str, Any]:
        return {"builds": [], "buildsNotFound": []}

    def StartBuild(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.started += 1
        return {"build": {"id": f"{asked['projectName']}:1", "projectName": asked["projectName"]}}

    def ChangeMessageVisibilityBatch(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}

    def _parameter(self, name: str) -> dict[str, Any]:
        kind = "SecureString" if "-credentials/" in name else "String"
        return {"Name": name, "Type": kind, "Value": self.parameters[name], "Version": 1}


@dataclass
class RuntimeApi:
    """Hands the same event out as often as it is let, and writes down when it was asked, did so, and was answered."""

    event: str
    limit: int = 1
    asked: list[float] = field(default_factory=list)
    handed: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)

    async def answer(self, call: Call) -> Answer:
        if call.path.endswith("/next"):
            asked = self.asked
            asked.append(time.monotonic())
            number = len(asked)
            while number > self.limit:
                await asyncio.sleep(0.002)
                if asked is not self.asked:
                    raise ConnectionError("whoever asked is gone")
            self.handed.append(time.monotonic())
            headers = {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": f"00000000-0000-4000-8000-{number:012}",
                "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 15_000),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:bench",
                "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            }
            return headers, self.event.replace("NUMBER", f"{number:04}")
        self.answered.append(time.monotonic())
        return {}, '{"status":"OK"}'


async def serve(
    answer: Callable[[Call], Awaitable[Answer]], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        while line := await reader.readline():
            method, path, _ = line.decode().split(" ")
            headers = {}
            while pair := (await reader.readline()).decode().strip():
                name, _, value = pair.partition(":")
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            if headers.get("transfer-encoding") == "chunked":
                body = b"".join([piece async for piece in chunks(reader)])
            more, text = await answer(Call(method, path, headers, body))
            head = "".join(f"{name}: {value}\r\n" for name, value in more.items())
            writer.write(f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(text.encode())}\r\n\r\n{text}".encode())
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
        return
    finally:
        writer.close()


async def chunks(reader: asyncio.StreamReader) -> Any:
    while size := int((await reader.readline()).partition(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readline()
    await reader.readline()


def run(aws: Aws, runtime: RuntimeApi, certificate: str | None, pipe: Connection) -> None:
    """The server's process: says its ports, then answers what it is asked through the pipe until that is closed."""

    async def main() -> None:
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        servers = [
            await asyncio.start_server(lambda r, w: serve(aws.answer, r, w), "127.0.0.1", 0, ssl=context),
            await asyncio.start_server(lambda r, w: serve(runtime.answer, r, w), "127.0.0.1", 0),
        ]
        pipe.send([server.sockets[0].getsockname()[1] for server in servers])
        loop = asyncio.get_running_loop()
        while (wish := await loop.run_in_executor(None, receive, pipe)) is not None:
            if isinstance(wish, dict):
                aws.parameters.update(wish)
            if isinstance(wish, int):
                runtime.limit = wish
            if wish == "anew":
                runtime.limit, runtime.asked, runtime.handed, runtime.answered = 1, [], [], []
                aws.started = 0
            pipe.send(Seen(runtime.asked[:], runtime.handed[:], runtime.answered[:], aws.started))

    asyncio.run(main())


def receive(pipe: Connection) -> Any:
    try:
        return pipe.recv()
    except EOFError:
        return None


@dataclass(frozen=True)
class Seen:
    """When the Runtime API was asked for an event, gave it and was answered, and how many builds were started."""

    asked: list[float]
    handed: list[float]
    answered: list[float]
    started: int


@dataclass
class StandIn:
    aws_port: int
    runtime_port: int
    pipe: Connection

    def put(self, parameters: dict[str, str]) -> None:
        self.pipe.send(parameters)
        self.pipe.recv()

    def seen(self, wish: str | int = "look") -> Seen:
        """The wish may be to begin `anew`, with one event, or how many events there are to be since then."""
        self.pipe.send(wish)
        seen: Seen = self.pipe.recv()
        return seen


@contextmanager
def stand_in(
    parameters: dict[str, str], event: str = "{}", certificate: str | None = None, latency_seconds: float = 0
) -> Iterator[StandIn]:
    ours, theirs = multiprocessing.Pipe()
    runtime = RuntimeApi(event)
    server = multiprocessing.Process(
        target=run, args=(Aws(parameters, latency_seconds), runtime, certificate, theirs), daemon=True
    )
    server.start()
    theirs.close()
    try:
        aws_port, runtime_port = ours.recv()
        yield StandIn(aws_port, runtime_port, ours)
    finally:
        ours.close()
        server.join(5)
        server.kill()
