"""The bare local AWS that tests share which need no pipeline, here and in other rooms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iwomp_local.emulator import Emulator, Lifetime


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    directory = tmp_path_factory.mktemp("aws")
    with Emulator.start(directory, [Path("/usr/local/bin"), Path("/usr/bin")], Lifetime.WITH_STARTER) as running:
        yield running
