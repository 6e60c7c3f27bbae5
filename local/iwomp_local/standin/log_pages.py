"""FilterLogEvents in pages, as at AWS: ministack gives the oldest ten thousand events and says nothing of the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Response = tuple[int, dict[str, str], bytes]
PAGE = 10_000


def in_pages(filter_events: Callable[[dict[str, Any]], Response]) -> Callable[[dict[str, Any]], Response]:
    """Wraps ministack's. A token names the time of the last event, and how many events of that time were told."""

    def filter_log_events(request: dict[str, Any]) -> Response:
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
        answer: dict[str, Any] = {"events": page, "searchedLogStreams": []}
        if page and (len(events) == PAGE or len(events) > told + limit):
            last = page[-1]["timestamp"]
            before = told if last == since else 0
            answer["nextToken"] = f"{last}-{before + sum(event['timestamp'] == last for event in page)}"
        return status, headers, json.dumps(answer).encode()

    return filter_log_events
