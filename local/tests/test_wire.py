"""What the local AWS puts on the wire: an answer whole, and the same again to whoever has to ask twice."""

from __future__ import annotations

import asyncio
import socket
import urllib.parse
import uuid
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from iwomp_local.emulator import REGION, ROOT_KEY, Emulator
from iwomp_local.standin.repeats import Message, Receive, Repeats, Send

ASKED = 50  # the two writes are half a millisecond apart, so of so many some would come in two
RECEIVED_BYTES = 65536
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 terraform-provider-aws/5.100.0 aws-sdk-go-v2/1.36.4 os/linux"
RUST = "aws-sdk-rust/1.3.9 os/linux"


def signed(emulator: Emulator, fields: dict[str, str], headers: dict[str, str], keys: Any = None) -> Any:
    """A call of IAM in the query protocol, ready to be sent."""
    body = urllib.parse.urlencode({"Version": "2010-05-08", **fields})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", f"{emulator.url}/", data=body, headers={**form, **headers})
    credentials = Credentials(*(keys or (ROOT_KEY, ROOT_KEY)))
    SigV4Auth(credentials, "iam", REGION).add_auth(request)
    return request.prepare()


def on_the_wire(emulator: Emulator, prepared: Any) -> bytes:
    lines = {"Host": f"127.0.0.1:{emulator.port}", **prepared.headers}
    head = "".join(
        f"{name}: {value if isinstance(value, str) else value.decode()}\r\n" for name, value in lines.items()
    )
    body = prepared.body if isinstance(prepared.body, bytes) else str(prepared.body).encode()
    return f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body


def test_an_answer_arrives_whole_in_one_piece(emulator: Emulator) -> None:
    request = on_the_wire(emulator, signed(emulator, {"Action": "ListUsers"}, {}))
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=30) as client:
        for _ in range(ASKED):
            client.sendall(request)
            head, _, body = client.recv(RECEIVED_BYTES).partition(b"\r\n\r\n")
            status, *fields = head.decode().split("\r\n")
            headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
            assert status == "HTTP/1.1 200 OK"
            assert len(body) == int(headers["content-length"]) > 0


def test_an_answer_without_a_body_arrives_too(emulator: Emulator) -> None:
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=30) as client:
        for _ in range(2):  # the second shows that the connection is still in order
            client.sendall(f"HEAD /no-such-bucket HTTP/1.1\r\nHost: 127.0.0.1:{emulator.port}\r\n\r\n".encode())
            assert client.recv(RECEIVED_BYTES).startswith(b"HTTP/1.1 ")


def make_user(emulator: Emulator, name: str, agent: str, invocation: str) -> tuple[int, str]:
    headers = {"User-Agent": agent, "amz-sdk-invocation-id": invocation}
    answer = URLLib3Session().send(signed(emulator, {"Action": "CreateUser", "UserName": name}, headers))
    return int(answer.status_code), str(answer.text)


def test_a_call_that_terraform_repeats_is_answered_as_the_first_was(emulator: Emulator) -> None:
    name, invocation = f"user-{uuid.uuid4().hex[:8]}", str(uuid.uuid4())
    status, text = make_user(emulator, name, TERRAFORM, invocation)
    assert status == 200
    assert make_user(emulator, name, TERRAFORM, invocation) == (200, text)
    # Another invocation is another call, and so is another request under the same id.
    assert make_user(emulator, name, TERRAFORM, str(uuid.uuid4()))[0] == 409
    assert make_user(emulator, f"{name}-2", TERRAFORM, invocation)[0] == 200


def test_for_all_others_a_repeated_call_is_a_second_call_as_at_aws(emulator: Emulator) -> None:
    name, invocation = f"user-{uuid.uuid4().hex[:8]}", str(uuid.uuid4())
    assert make_user(emulator, name, RUST, invocation)[0] == 200
    assert make_user(emulator, name, RUST, invocation)[0] == 409


# The memory itself


class Answering:
    """An application that answers each call with its number, when it is let."""

    def __init__(self, status: int = 200, size: int = 1) -> None:
        self.calls, self.status, self.size = 0, status, size
        self.let = asyncio.Event()
        self.let.set()

    async def __call__(self, _scope: Message, receive: Receive, send: Send) -> None:
        self.calls += 1
        number = self.calls
        assert (await receive())["body"]
        await self.let.wait()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": str(number).encode() * self.size, "more_body": False})


async def asked(
    repeats: Repeats, invocation: str = "i", body: bytes = b"x", key: str = "AKIA1", path: str = "/", gone: bool = False
) -> str:
    """What a caller is told, unless it is gone by then."""
    headers = {
        b"authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/{REGION}/iam/aws4_request, ".encode(),
        b"user-agent": TERRAFORM.encode(),
        b"amz-sdk-invocation-id": invocation.encode(),
    }
    scope = {"type": "http", "method": "POST", "raw_path": path.encode(), "headers": list(headers.items())}
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if gone:
            raise ConnectionResetError
        said.append(message)

    await repeats(scope, receive, send)
    return b"".join(message.get("body", b"") for message in said).decode()


def test_a_repetition_waits_for_the_answer_of_a_call_that_is_still_on_its_way() -> None:
    async def both() -> None:
        app = Answering()
        repeats = Repeats(app)
        app.let.clear()
        first = asyncio.create_task(asked(repeats))
        second = asyncio.create_task(asked(repeats))
        await asyncio.sleep(0)
        app.let.set()
        assert list(await asyncio.gather(first, second)) == ["1", "1"]
        assert app.calls == 1

    asyncio.run(both())


def test_an_answer_counts_also_when_nobody_heard_it() -> None:
    async def lost() -> list[str]:
        repeats = Repeats(Answering())
        return [await asked(repeats, gone=True), await asked(repeats)]

    assert asyncio.run(lost()) == ["", "1"]


@pytest.mark.parametrize(
    "other",
    [{"invocation": "j"}, {"body": b"y"}, {"key": "AKIA2"}, {"path": "/other"}],
    ids=lambda other: next(iter(other)),
)
def test_nothing_but_the_very_same_call_of_the_same_caller_is_a_repetition(other: dict[str, Any]) -> None:
    async def two() -> list[str]:
        repeats = Repeats(Answering())
        return [await asked(repeats), await asked(repeats, **other)]

    assert asyncio.run(two()) == ["1", "2"]


@pytest.mark.parametrize("status", [400, 429, 500])
def test_whoever_was_refused_or_throttled_asks_anew(status: int) -> None:
    async def two() -> list[str]:
        repeats = Repeats(Answering(status))
        return [await asked(repeats), await asked(repeats)]

    assert asyncio.run(two()) == ["1", "2"]


def test_the_memory_is_short_in_answers_and_in_bytes() -> None:
    async def many() -> None:
        few = Repeats(Answering(), answers_most=2)
        assert [await asked(few, invocation) for invocation in "abcb"] == ["1", "2", "3", "2"]
        assert await asked(few, "a") == "4"
        small = Repeats(Answering(size=60), bytes_most=100)
        assert [(await asked(small, invocation))[0] for invocation in "aaba"] == ["1", "1", "2", "3"]
        tiny = Repeats(Answering(size=101), bytes_most=100)
        assert [(await asked(tiny))[0] for _ in range(2)] == ["1", "2"]

    asyncio.run(many())
