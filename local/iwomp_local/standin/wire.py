"""How answers of the local AWS go onto the wire: head and body in one write, as AWS's own arrive.

hypercorn writes the head at once and the body some half a millisecond later. Go's HTTP transport, and so Terraform's
provider, now and then closes the connection between the two (aws/aws-sdk-go-v2 issue 2737). Its SDK then repeats a call
that has taken effect, and stumbles over what it has made.
"""

from __future__ import annotations

import sys
from typing import Any

import h11
from hypercorn.events import RawData
from hypercorn.protocol.h11 import H11Protocol

REPLACED = "_send_h11_event"  # private to hypercorn, whose version requirements.txt pins
HELD = "_iwomp_held"


def install() -> None:
    """Holds back the head of every answer until the first of its body, or its end, is there."""
    if not hasattr(H11Protocol, REPLACED):
        sys.exit(
            f"hypercorn's H11Protocol has no {REPLACED}, through which the local AWS writes its answers: is the "
            "pinned version of local/requirements.txt installed?"
        )
    setattr(H11Protocol, REPLACED, send_event)


async def send_event(protocol: Any, event: Any) -> None:
    """In the place of H11Protocol's own method of that name, which writes each event by itself."""
    try:
        data = protocol.connection.send(event)
    except h11.LocalProtocolError:
        if protocol.connection.their_state != h11.ERROR:
            raise
        return
    held = getattr(protocol, HELD, b"")
    if isinstance(event, h11.Response):
        setattr(protocol, HELD, held + data)
        return
    setattr(protocol, HELD, b"")
    if data := held + (data or b""):
        await protocol.send(RawData(data=data))
