"""The lists of `make defences`: each defence and its test are where they say. The run takes minutes, it is not here."""

from __future__ import annotations

from collections import Counter

import pytest
from test_threat_model import defined

from iwomp_local.defences import listed
from iwomp_local.defences.listed import Defect, Defence, all_defences
from iwomp_local.defences.tree import RUN
from iwomp_local.places import REPOSITORY

LEAST = 35
DEFENCES = all_defences()


def test_there_are_defences_in_every_part() -> None:
    parts = Counter(defence.file.split("/")[0] for defence in DEFENCES)
    assert set(parts) == {"contract", "lambdas", "worker", "terraform"}
    assert parts.total() >= LEAST


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.title)
def test_what_defends_stands_once_in_its_file(defence: Defence) -> None:
    text = (REPOSITORY / defence.file).read_text()
    assert defence.off(text) != text


def test_every_test_that_must_fail_exists() -> None:
    assert {defence.fails for defence in DEFENCES} - defined() == set()


def test_terraforms_tests_can_be_run_one_by_one() -> None:
    for defence in DEFENCES:
        if defence.command[0] == "terraform":
            runs = [block[1] for block in RUN.finditer((REPOSITORY / listed.test_file(defence.command)).read_text())]
            assert runs.count(defence.fails) == 1, defence.title


def test_a_list_that_does_not_fit_the_code_is_a_defect() -> None:
    with pytest.raises(Defect, match="is 2 times in"):
        DEFENCES[0].off(DEFENCES[0].old * 2)
    with pytest.raises(Defect, match="is 0 times in"):
        DEFENCES[0].off("")
