"""Metrics that CloudWatch takes out of log lines: ministack takes none, and nobody would see what a build can count.

After the "Embedded metric format specification" of the CloudWatch user guide: a line that is an object with `_aws`
counts in whatever namespace it names, with the right to write that log and no other. An account policy of the type
METRIC_EXTRACTION_POLICY switches it off for log groups by prefix; here it comes by CloudFormation, as in terraform/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

ACCOUNT_POLICY = "AWS::Logs::AccountPolicy"
OFF = {"EmbeddedMetricFormat": {"Status": "Disabled"}}
CRITERIA = re.compile(r"LogGroupNamePrefix IN (?P<prefixes>\[.*\])")
Record = Callable[[str, str, float, str, dict[str, str]], None]


class MetricsInLogs:
    """Where no metrics are taken out of logs, and what is taken elsewhere."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._off: dict[str, tuple[str, ...]] = {}  # prefixes by policy

    def counting(self, put: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        """Wraps ministack's PutLogEvents."""

        def put_log_events(data: dict[str, Any]) -> Any:
            answer = put(data)
            if answer[0] == 200 and not self._is_off(str(data.get("logGroupName"))):  # noqa: PLR2004 (HTTP's)
                for event in data.get("logEvents", []):
                    for namespace, name, value, dimensions in metrics_of(str(event.get("message", ""))):
                        self._record(namespace, name, value, "None", dimensions)
            return answer

        return put_log_events

    def _is_off(self, group: str) -> bool:
        return any(group.startswith(prefix) for prefixes in self._off.values() for prefix in prefixes)

    def provisioner(self) -> dict[str, Callable[..., Any]]:
        """What ministack's CloudFormation needs for an account policy."""
        return {"create": self._create, "update": self._update, "delete": self._delete}

    def _create(self, _logical_id: str, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, Any]]:
        return self._put(properties)

    def _update(self, _id: str, _old: dict[str, Any], new: dict[str, Any], _stack: str) -> tuple[str, dict[str, Any]]:
        return self._put(new)

    def _put(self, properties: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        criteria = CRITERIA.fullmatch(str(properties.get("SelectionCriteria")))
        kind, document = properties.get("PolicyType"), json.loads(str(properties.get("PolicyDocument")))
        if kind != "METRIC_EXTRACTION_POLICY" or document != OFF or criteria is None:
            raise ValueError(f"{ACCOUNT_POLICY}: the stand-in knows policies that switch metrics off by prefix only")
        name = str(properties["PolicyName"])
        self._off[name] = tuple(json.loads(criteria["prefixes"]))
        return name, {}

    def _delete(self, name: str, _properties: dict[str, Any]) -> None:
        self._off.pop(name, None)


def metrics_of(line: str) -> Iterator[tuple[str, str, float, dict[str, str]]]:
    """Namespace, name, value and dimensions of each metric of a line. A line that is not of the format has none."""
    try:
        entry = json.loads(line)
        for directive in entry["_aws"]["CloudWatchMetrics"]:
            for keys in directive.get("Dimensions") or [[]]:
                dimensions = {key: str(entry[key]) for key in keys}
                for metric in directive["Metrics"]:
                    values = entry[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        yield str(directive["Namespace"]), str(metric["Name"]), float(value), dimensions
    except (ValueError, TypeError, KeyError, AttributeError):
        return
