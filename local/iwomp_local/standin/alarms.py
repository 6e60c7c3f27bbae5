"""DescribeAlarms as AWS answers it: ministack leaves out fields, so that Terraform would plan changes for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

Response = tuple[int, dict[str, str], bytes]
# Kept as numbers by ministack, but the query protocol wants ISO times, and nobody here reads them.
LEFT_OUT = ("StateUpdatedTimestamp", "AlarmConfigurationUpdatedTimestamp", "StateTransitionedTimestamp", "Tags")


def complete(describe: Callable[..., Response], to_xml: Callable[[int, str, str], Response]) -> Callable[..., Response]:
    """Wraps ministack's DescribeAlarms: the query protocol gets every field that its JSON answer has."""

    def describe_alarms(params: dict[str, Any], data: Any, is_cbor: bool, is_json: bool = False) -> Response:
        if is_cbor or is_json:
            return describe(params, data, is_cbor, is_json)
        status, headers, body = describe(params, request_of(params), False, True)
        if status != 200:  # noqa: PLR2004 (HTTP's own word for success)
            return status, headers, body
        answer = json.loads(body)
        for alarm in answer["MetricAlarms"] + answer["CompositeAlarms"]:
            for name in LEFT_OUT:
                alarm.pop(name, None)
        return to_xml(200, "DescribeAlarmsResponse", f"<DescribeAlarmsResult>{xml(answer)}</DescribeAlarmsResult>")

    return describe_alarms


def request_of(params: dict[str, Any]) -> dict[str, Any]:
    """The query parameters as the JSON protocol would carry them."""
    flat = {key: value[0] if isinstance(value, list) else value for key, value in params.items()}
    request: dict[str, Any] = {
        key: flat[key] for key in ("AlarmNamePrefix", "StateValue", "MaxRecords", "NextToken") if flat.get(key)
    }
    for name in ("AlarmNames", "AlarmTypes"):
        if members := [value for key, value in flat.items() if key.startswith(f"{name}.member.")]:
            request[name] = members
    return request


def xml(value: Any) -> str:
    """A JSON value as the query protocol writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "".join(f"<member>{xml(item)}</member>" for item in value)
    if isinstance(value, dict):
        return "".join(f"<{key}>{xml(item)}</{key}>" for key, item in value.items() if item not in (None, ""))
    return escape(str(value))
