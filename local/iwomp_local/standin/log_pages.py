"""FilterLogEvents and subscriptions as at AWS: in pages, and by patterns for JSON.

Of itself ministack gives the oldest ten thousand events and says nothing of the rest, and to a pattern for JSON every
line belongs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

Response = tuple[int, dict[str, str], bytes]
Pattern = list[tuple[str, str, str]]  # key, = or !=, and the text with which it is compared
PAGE = 10_000
CONDITION = re.compile(r'\(?\s*\$\.(\w+)\s*(!?=)\s*"([^"]*)"\s*\)?')


class NotUnderstood(ValueError):
    """A pattern that is one at AWS, or none."""


def in_pages(filter_events: Callable[[dict[str, Any]], Response]) -> Callable[[dict[str, Any]], Response]:
    """Wraps ministack's. A token names the time of the last event, and how many events of that time were told."""

    def filter_log_events(request: dict[str, Any]) -> Response:
        try:
            wanted = json_pattern(request.get("filterPattern") or "")
        except NotUnderstood as error:
            refusal = {"__type": "InvalidParameterException", "message": str(error)}
            return 400, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(refusal).encode()
        limit = min(request.get("limit", PAGE), PAGE)
        since, told = request.get("startTime"), 0
        if token := request.get("nextToken"):
            since, told = (int(part) for part in token.split("-"))
        start = {} if since is None else {"startTime": since}
        status, headers, body = filter_events({**request, **start, "limit": PAGE})
        if status != 200:  # noqa: PLR2004 (HTTP's own word for success)
            return status, headers, body
        events = json.loads(body)["events"]
        page = events[told : told + limit]
        kept = [event for event in page if wanted is None or is_of(event["message"], wanted)]
        answer: dict[str, Any] = {"events": kept, "searchedLogStreams": []}
        if page and (len(events) == PAGE or len(events) > told + limit):
            last = page[-1]["timestamp"]
            before = told if last == since else 0
            answer["nextToken"] = f"{last}-{before + sum(event['timestamp'] == last for event in page)}"
        return status, headers, json.dumps(answer).encode()

    return filter_log_events


def matching(matches: Callable[[str, str], bool]) -> Callable[[str, str], bool]:
    """Wraps ministack's judgement of which lines a subscription is for, which knows words only."""

    def is_subscribed(pattern: str, message: str) -> bool:
        wanted = json_pattern(pattern or "")
        return matches(pattern, message) if wanted is None else is_of(message, wanted)

    return is_subscribed


def json_pattern(text: str) -> Pattern | None:
    """The conditions of a pattern for JSON, all of which have to hold; None of another pattern."""
    text = text.strip()
    if not text.startswith("{"):
        return None
    found = [CONDITION.fullmatch(part.strip()) for part in text.removeprefix("{").removesuffix("}").split("&&")]
    conditions = [(condition[1], condition[2], condition[3]) for condition in found if condition]
    if not text.endswith("}") or len(conditions) != len(found):
        raise NotUnderstood(f"the local AWS does not understand the pattern {text}")
    return conditions


def is_of(message: str, wanted: Pattern) -> bool:
    try:
        line = json.loads(message)
    except (ValueError, RecursionError):
        return False
    if not isinstance(line, dict):
        return False
    return all(
        isinstance(value := line.get(key), str) and fnmatchcase(value, text) == (operator == "=")
        for key, operator, text in wanted
    )
