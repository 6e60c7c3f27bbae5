"""What every test may use. Unit tests share a bare local AWS; the end-to-end tests share a stack of their own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pipeline_under_test
import pytest
from local_aws import emulator
from pipeline_under_test import Iwomp, PipelineUnderTest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from iwomp_boundary.pipeline import Pipeline
from iwomp_boundary.snapshot import Snapshot, read

__all__ = ["emulator"]


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PipelineUnderTest]:
    with (
        pipeline_under_test.running(tmp_path_factory.mktemp("pipeline")) as running,
        pipeline_under_test.with_what_takes_long(running),
    ):
        yield running


@pytest.fixture(scope="session")
def applied(pipeline: PipelineUnderTest) -> Snapshot:
    """The policies of the shared stack, read back. No test changes them for longer than it runs."""
    stack = pipeline.stack
    found = Pipeline.find(stack.emulator.client, stack.pipeline.config_path)
    return read(found, {stack.ci.arn: (stack.pipeline.outputs["topic_arn"],)})


@pytest.fixture
def iwomp(pipeline: PipelineUnderTest, tmp_path: Path) -> Iwomp:
    return partial(pipeline.stack.iwomp, folder=tmp_path, IWOMP_CONFIG_PATH="")


# In several processes, a file goes to one of them, whole, so that what its tests share is made once. The files whose
# tests share the stack go together, in three parts, since most of them wait: three processes have a stack each.
STACK = {
    "test_boundary.py": "rights",
    "test_broad_policies.py": "rights",
    "test_ci.py": "rights",
    "test_dashboard.py": "ways",
    "test_delivery.py": "deliveries",
    "test_doctor.py": "deliveries",
    "test_github_app.py": "deliveries",
    "test_image.py": "deliveries",
    "test_iwomp.py": "deliveries",
    "test_notifications.py": "ways",
    "test_pipeline.py": "ways",
    "test_secret_matrix.py": "rights",
    "test_thief.py": "rights",
    "test_two_pipelines.py": "ways",
}


# What takes longest begins first, or it would end alone.
FIRST = (
    "rights",
    "test_afternoon.py",
    "deliveries",
    "ways",
    "test_accept.py",
    "test_hostile_git.py",
    "test_faults.py",
    "test_self.py",
)


def group_of(file: str) -> str:
    return STACK.get(file, file)


class InGroups(LoadScopeScheduling):  # type: ignore[misc]  # it is untyped
    """xdist's own `loadgroup` writes its groups where this pytest does not look."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(Path(nodeid.partition("::")[0]).name)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> InGroups:
    config.option.loadscopereorder = False  # it would put last what has few tests, however long they take
    return InGroups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    users = {item.path.name for item in items if "pipeline" in fixtures_of(item)}
    if missing := sorted(users - set(STACK)):
        raise pytest.UsageError(
            f"STACK in tests/conftest.py lacks {', '.join(missing)}: it would get a stack of its own"
        )
    items.sort(key=lambda item: (*FIRST, group := group_of(item.path.name)).index(group))


def fixtures_of(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []
