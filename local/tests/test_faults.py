"""The fault runs in short: `make faults-local` and `make soak` are the long ones. One world for both."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from iwomp_local.emulator import birth
from iwomp_local.faults import run, soak, table
from iwomp_local.faults import world as worlds
from iwomp_local.faults.accounting import Figures, account
from iwomp_local.faults.run import Size
from iwomp_local.faults.world import World
from iwomp_local.story import Story

SEED = 5
PROJECTS = 6
SIZE = Size(PROJECTS, triggers=200, per_second=6.0, share=0.02)
KILLING_SECONDS = 30.0
QUIET_SECONDS = 600.0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    deliveries = {"seed": SEED, **run.DELIVERIES}
    with worlds.running(tmp_path_factory.mktemp("faults"), PROJECTS, deliveries, seconds=0.5) as made:
        yield made


def assert_nothing_wrong(figures: Figures) -> None:
    assert figures.wrong == 0, figures
    assert figures.fates["own build"] + figures.fates["covered"] == figures.triggers, figures.fates


def test_under_faults_nothing_is_lost_doubled_overlapped_or_backward(world: World) -> None:
    figures = run.run_ours(world, SIZE, SEED)
    assert_nothing_wrong(figures)
    assert figures.triggers >= SIZE.triggers
    injected = world.proxy.injected()
    assert sum(injected.values()) > SIZE.triggers / 10, injected
    assert min(world.deliveries().values()) > 0
    # CodeBuild has one error for both, and the launcher tells them apart. The weather is bad for ten seconds at least.
    waited_for = {said.get("class") for said in world.stack.pipeline.launcher_outcomes() if said["outcome"] == "busy"}
    assert {"building", "account_limit"} <= waited_for


def test_killed_at_random_moments_everything_is_accounted_for(world: World) -> None:
    out = io.StringIO()
    struck = soak.disturb(world, Story(out=out), KILLING_SECONDS, SEED)
    world.last_round(QUIET_SECONDS)
    assert_nothing_wrong(account(world.evidence()))
    assert sum(struck.values()) > 1, struck  # how many is a matter of the machine
    assert birth(world.stack.emulator.gateway_pid)


def test_what_is_wrong_is_named_and_ends_in_no() -> None:
    figures, out = Figures(triggers=2, builds=3, doubled=["demo 1 by two builds"]), io.StringIO()
    table.figures(Story(out=out), figures)
    assert not table.verdict(Story(out=out), figures)
    assert "demo 1 by two builds" in out.getvalue()
    assert ["builds", "per", "trigger", "1.50"] in [line.split() for line in out.getvalue().splitlines()]
    assert table.verdict(Story(out=out), Figures(triggers=2, builds=2))
