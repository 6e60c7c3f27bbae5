"""From the apply to `make destroy`, on a stack of its own: nobody else has to run before it."""

from __future__ import annotations

from pathlib import Path

import pipeline_under_test

from iwomp_local.emulator import REGION

# Of every kind of project one, and of every resource that only some projects have.
PROJECTS = ("token", "ssh", "own", "seen", "scheduled", "told", "article")
MOST_CALLS = 480
"""Of the apply, for all of these; 461 when it was last looked."""


def test_an_apply_is_whole_and_destroy_leaves_nothing_but_what_was_written_by_hand(tmp_path: Path) -> None:
    log = tmp_path / "apply.log"
    with pipeline_under_test.running(tmp_path, PROJECTS, log) as pipeline:
        assert_calls_are_few_and_none_was_made_twice(log.read_text(errors="replace"))
        assert pipeline.stack.terraform.pending_changes() == ""
        result = pipeline.deploy("token")
        assert result.status == "SUCCEEDED", result.log
        stack, cp = pipeline.stack, pipeline.config_path
        stack.terraform.destroy()
        assert stack.terraform.resources() == []
        client = stack.emulator.client
        assert client("sqs").list_queues().get("QueueUrls", []) == []
        assert client("sns").list_topics()["Topics"] == []
        assert client("lambda").list_functions()["Functions"] == []
        assert client("lambda").list_event_source_mappings()["EventSourceMappings"] == []
        assert client("codebuild").list_projects()["projects"] == []
        assert client("ecr").describe_repositories()["repositories"] == []
        assert client("logs").describe_log_groups()["logGroups"] == []
        assert client("cloudwatch").describe_alarms()["MetricAlarms"] == []
        roles = [role["RoleName"] for role in client("iam").list_roles()["Roles"]]
        assert [name for name in roles if name.startswith(cp)] == []
        states = [
            client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in client("kms").list_keys()["Keys"]
        ]
        ours = {(state["Origin"], state["KeyState"]) for state in states if state["KeyManager"] == "CUSTOMER"}
        assert ours == {("AWS_KMS", "PendingDeletion"), ("EXTERNAL", "Enabled")}, "the App's key was made by hand"
        pages = client("ssm").get_paginator("describe_parameters").paginate()
        names = [parameter["Name"] for page in pages for parameter in page["Parameters"]]
        managed = {f"/{cp}/token", f"/{cp}/ssh", f"/{cp}-credentials/token"}
        assert not managed & set(names)
        assert f"/{cp}/article" in names
        assert REGION in stack.pipeline.outputs["topic_arn"]


def assert_calls_are_few_and_none_was_made_twice(log: str) -> None:
    """The SDK repeats a call whose answer it lost; what has taken effect then stands in its own way."""
    assert 100 < log.count("HTTP Request Sent") <= MOST_CALLS, "or the provider's calls are not logged any more"
    assert [line for line in log.splitlines() if "retrying request" in line] == []
