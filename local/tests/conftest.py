"""What every test may use. Unit tests share a bare local AWS; the end-to-end tests share a stack of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pipeline_under_test
import pytest
from pipeline_under_test import PipelineUnderTest

from iwomp_local.boundary.snapshot import Snapshot, read
from iwomp_local.emulator import Emulator, Lifetime


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    directory = tmp_path_factory.mktemp("aws")
    with Emulator.start(directory, [Path("/usr/local/bin"), Path("/usr/bin")], Lifetime.WITH_STARTER) as running:
        yield running


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PipelineUnderTest]:
    with pipeline_under_test.running(tmp_path_factory.mktemp("pipeline")) as running:
        yield running


@pytest.fixture(scope="session")
def applied(pipeline: PipelineUnderTest) -> Snapshot:
    """The policies of the shared stack, read back. No test changes them for longer than it runs."""
    stack = pipeline.stack
    return read(stack.pipeline, {stack.ci.arn: (stack.pipeline.outputs["topic_arn"],)})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests know no order, with one exception: what takes the shared stack down comes after all that use it.

    Where two processes share the work, each has a stack of its own, and keeps this order among its tests.
    """
    items.sort(key=lambda item: item.get_closest_marker("takes_the_stack_down") is not None)
