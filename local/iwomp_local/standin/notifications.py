"""SNS: envelopes with the time of publication to the millisecond, as AWS writes it; and faults, where they are wanted.

ministack cuts the time to the second: a build that began just before a trigger would then seem to have begun after it,
and the launcher would take the trigger for covered.
"""

from __future__ import annotations

import contextvars
import json
import random
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime


def say(fact: dict[str, object]) -> None:
    """A line in the emulator's log, in one write, since many threads write there."""
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


def with_milliseconds(build: Callable[..., str]) -> Callable[..., str]:
    """Wraps ministack's making of an envelope. Also says in the emulator's log when each message was published."""

    def build_envelope(topic_arn: str, message_id: str, *rest: object) -> str:
        text, now = build(topic_arn, message_id, *rest), datetime.now(UTC)
        say({"published": message_id, "at": now.timestamp()})
        if rest[-1]:  # raw delivery: no envelope
            return text
        envelope = json.loads(text)
        envelope["Timestamp"] = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps(envelope)

    return build_envelope


def disturbed(faults: dict[str, float]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes SNS deliver some messages twice and some late, so that others overtake them: its documents allow both.

    `faults` has the shares `twice` and `late`, the longest delay `seconds`, and a `seed`.
    """
    chance, lock = random.Random(faults["seed"]), threading.Lock()  # noqa: S311 (repeatable, that is the point)

    def wrap(deliver: Callable[..., None]) -> Callable[..., None]:
        def deliver_disturbed(*arguments: object, **more: object) -> None:
            with lock:
                twice, late = chance.random() < faults["twice"], chance.random() < faults["late"]
                delays = [chance.uniform(0, faults["seconds"]) for _ in range(2)]
            for wanted, seconds, word in ((True, delays[0] if late else 0.0, "late"), (twice, delays[1], "twice")):
                if not wanted:
                    continue
                if seconds == 0.0:
                    deliver(*arguments, **more)
                    continue
                say({"injected": word})
                # The account and region are in context variables, which a thread does not inherit.
                run = contextvars.copy_context().run
                timer = threading.Timer(seconds, run, args=(deliver, *arguments), kwargs=more)
                timer.daemon = True
                timer.start()

        return deliver_disturbed

    return wrap
