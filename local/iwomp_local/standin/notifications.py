"""SNS envelopes with the time of publication to the millisecond, as AWS writes it.

ministack cuts it to the second: a build that began just before a trigger would then seem to have begun after it, and
the launcher would take the trigger for covered.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime


def with_milliseconds(build: Callable[..., str]) -> Callable[..., str]:
    """Wraps ministack's making of an envelope. Also says in the emulator's log when each message was published."""

    def build_envelope(topic_arn: str, message_id: str, *rest: object) -> str:
        text, now = build(topic_arn, message_id, *rest), datetime.now(UTC)
        print(json.dumps({"published": message_id, "at": now.timestamp()}), flush=True)
        if rest[-1]:  # raw delivery: no envelope
            return text
        envelope = json.loads(text)
        envelope["Timestamp"] = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps(envelope)

    return build_envelope
