"""FilterLogEvents and subscriptions as at AWS: in pages, and by patterns for JSON.

Of itself ministack gives the oldest ten thousand events and says nothing of the rest, and to a pattern for JSON every
line belongs.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

Response = tuple[int, dict[str, str], bytes]
# Any of these groups, of each of which all: key, operator, and the text or number with which it is compared.
Pattern = list[list[tuple[str, str, str | int]]]
PAGE = 10_000
CONDITION = re.compile(r'\(?\s*\$\.(\w+)\s*(?:(!?=)\s*"([^"]*)"|(>=|<)\s*(\d+))\s*\)?')
NUMBERS = {">=": operator.ge, "<": operator.lt}


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
    """The conditions of a pattern for JSON, in groups with `||` between them; None of another pattern."""
    text = text.strip()
    if not text.startswith("{"):
        return None
    groups = text.removeprefix("{").removesuffix("}").split("||")
    found = [[CONDITION.fullmatch(part.strip()) for part in group.split("&&")] for group in groups]
    if not text.endswith("}") or not all(condition for group in found for condition in group):
        raise NotUnderstood(f"the local AWS does not understand the pattern {text}")
    return [[(it[1], it[2], it[3]) if it[2] else (it[1], it[4], int(it[5])) for it in group if it] for group in found]


def is_of(message: str, wanted: Pattern) -> bool:
    try:
        line = json.loads(message)
    except (ValueError, RecursionError):
        return False
    if not isinstance(line, dict):
        return False
    return any(all(holds(line.get(key), comparison, than) for key, comparison, than in group) for group in wanted)


def holds(value: Any, comparison: str, than: str | int) -> bool:
    if isinstance(than, int):
        return isinstance(value, int) and bool(NUMBERS[comparison](value, than))
    return isinstance(value, str) and fnmatchcase(value, than) == (comparison == "=")
