"""The dashboard asks for what is there: its metrics and the fields of its queries are those of lines that were said.

The lines are the stack's own: whoever renames a metric or a key in Rust finds the widget here that would stay empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from pipeline_under_test import PipelineUnderTest

from iwomp_local.emulator import REGION
from iwomp_local.waiting import wait_for
from iwomp_local.words import OUTCOMES

SAID_SECONDS = 60.0
COLUMNS = 24
OWN = {"@timestamp", "@message"}
"""Fields that CloudWatch adds to each line."""
COMMANDS = {"fields", "filter", "stats", "sort", "limit"}
FUNCTIONS = {"bin", "count", "max", "pct", "ispresent"}
WORDS = {"and", "as", "by", "desc"}
TOKEN = re.compile(r'\s+|"(?P<text>[^"]*)"|(?P<name>@?[a-z_]\w*)|(?P<number>\d+[hd]?)|(?P<sign>[(),*=])', re.IGNORECASE)
NAMES = {"launcher", "notifier", "courier"}
RESULTS = {"delivered", "dropped", "waits", "failed"}  # the courier's, whose words are in no list


@pytest.fixture(scope="module")
def said(pipeline: PipelineUnderTest) -> dict[str, list[dict[str, Any]]]:
    """What the functions have said, by log group: of a deployment, a refusal, a sweep, and news that are none."""
    refused = pipeline.stack.publish(json.dumps({"project": "public", "branch": "not/allowed"}))
    assert pipeline.stack.launcher_verdict(refused)["outcome"] == "refused"
    pipeline.deploy("public")
    # Nobody but the notifier may send to its queue.
    news = {"messageId": "x", "body": "?", "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs"}
    functions = pipeline.stack.emulator.client("lambda")
    for name, event in (("courier", {"Records": [news]}), ("notifier", {"sweep": True})):
        functions.invoke(FunctionName=f"{pipeline.config_path}--{name}", Payload=json.dumps(event))

    def lines() -> dict[str, list[dict[str, Any]]] | None:
        found = {f"/aws/lambda/{pipeline.config_path}--{name}": lines_of(pipeline, name) for name in NAMES}
        told = {line.get("outcome") for line in next(iter_of(found, "notifier"))} & {"deployed"}
        metrics = {name for kept in found.values() for line in kept for name, _ in metrics_of(line)}
        return found if told and {"Sweeps", "Notifications"} <= metrics else None

    return wait_for("the lines of all functions", lines, SAID_SECONDS)


def iter_of(found: dict[str, list[dict[str, Any]]], name: str) -> Iterator[list[dict[str, Any]]]:
    return (lines for group, lines in found.items() if group.endswith(name))


def lines_of(pipeline: PipelineUnderTest, name: str) -> list[dict[str, Any]]:
    group = f"/aws/lambda/{pipeline.config_path}--{name}"
    pages = pipeline.stack.emulator.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    texts = [event["message"] for page in pages for event in page["events"]]
    return [line for text in texts if text.startswith("{") and isinstance(line := json.loads(text), dict)]


def metrics_of(line: dict[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    """Each metric of a line in CloudWatch's embedded format, with the names of its dimensions."""
    for told in line.get("_aws", {}).get("CloudWatchMetrics", []):
        assert told["Namespace"] == "iwomp"
        for metric in told["Metrics"]:
            yield from ((metric["Name"], frozenset(dimensions)) for dimensions in told["Dimensions"])


@pytest.fixture(scope="module")
def widgets(pipeline: PipelineUnderTest) -> list[dict[str, Any]]:
    name = f"{pipeline.config_path}--{REGION}--pipeline"
    body = pipeline.stack.emulator.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def test_every_widget_stands_on_the_grid_and_on_no_other(widgets: list[dict[str, Any]]) -> None:
    assert len(widgets) > 5
    for widget in widgets:
        assert widget["x"] >= 0
        assert widget["x"] + widget["width"] <= COLUMNS
    for one, other in combinations(widgets, 2):
        beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        above = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        assert beside or above, (one["properties"], other["properties"])


def test_every_metric_is_one_that_was_counted(
    widgets: list[dict[str, Any]], said: dict[str, list[dict[str, Any]]], pipeline: PipelineUnderTest
) -> None:
    counted = {metric for lines in said.values() for line in lines for metric in metrics_of(line)}
    known = {"outcome": OUTCOMES, "result": RESULTS}
    queues = {url.rpartition("/")[2] for url in pipeline.stack.emulator.client("sqs").list_queues()["QueueUrls"]}
    for widget in widgets:
        for namespace, name, *dimensions, options in widget["properties"].get("metrics", []):
            assert set(options) <= {"stat", "label", "yAxis"}
            pairs = dict(zip(dimensions[::2], dimensions[1::2], strict=True))
            if namespace == "AWS/SQS":
                assert set(pairs) == {"QueueName"}
                assert pairs["QueueName"] in queues
            else:
                assert (name, frozenset(pairs)) in counted, (name, pairs)
                assert all(value in known[key] for key, value in pairs.items()), pairs


def test_every_query_is_one_and_asks_for_fields_that_were_said(
    widgets: list[dict[str, Any]], said: dict[str, list[dict[str, Any]]]
) -> None:
    queries = [widget["properties"]["query"] for widget in widgets if widget["type"] == "log"]
    assert len(queries) > 2
    for query in queries:
        source, *steps = query.split(" | ")
        lines = said[source.removeprefix("SOURCE '").removesuffix("'")]
        # Rare ones, which not every deployment's report has.
        fields = {key for line in lines for key in line} | {"class", "reason", "rolled_back_by"}
        made: set[str] = set()
        for step in steps:
            names = parsed(step)
            made |= set(re.findall(r"\bas (\w+)", step))
            assert names <= fields | OWN | made, (step, names - fields - OWN - made)


def parsed(step: str) -> set[str]:
    """The fields that a step of a query names; fails where it is none that CloudWatch would take."""
    command, _, rest = step.partition(" ")
    assert command in COMMANDS, step
    names, place, depth = set(), 0, 0
    while place < len(rest):
        token = TOKEN.match(rest, place)
        assert token, f"{step!r} cannot be read at {rest[place:]!r}"
        place = token.end()
        depth += {"(": 1, ")": -1}.get(token["sign"], 0)
        assert depth >= 0, step
        if token["name"] and rest[place : place + 1] == "(":
            assert token["name"] in FUNCTIONS, step
        elif token["name"] and token["name"] not in WORDS:
            names.add(token["name"])
    assert depth == 0, step
    return names


def test_a_query_that_is_none_is_found() -> None:
    assert parsed('filter outcome = "x" and ispresent(class)') == {"outcome", "class"}
    for wrong in ("select outcome", "fields outcome;", "stats count(* by class", "filter nothing(outcome)"):
        with pytest.raises(AssertionError):
            parsed(wrong)
