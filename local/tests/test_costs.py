"""docs/costs.md adds up, counts what Terraform makes, and README says the same number."""

from __future__ import annotations

import re
from decimal import Decimal

from test_operations import alarms

from iwomp_local.places import REPOSITORY

COSTS = (REPOSITORY / "docs" / "costs.md").read_text()
IDLE = COSTS.split("\n## While nothing is deployed\n")[1].split("\n## ")[0]
ROW = re.compile(r"^\| (?!part|\*\*|-)[^|]+ \| [^|]+ \| ([0-9.]+) \|$", re.MULTILINE)


def test_the_parts_of_an_idle_pipeline_add_up_to_what_is_said() -> None:
    rows = [Decimal(amount) for amount in ROW.findall(IDLE)]
    assert len(rows) > 5, "the table is not found any more"
    assert f"| **together** | | **{sum(rows)}** |" in IDLE
    assert COSTS.startswith(f"# What it costs\n\n**Idle: {sum(rows)} USD a month**")
    assert f"{sum(rows)} USD a month" in (REPOSITORY / "README.md").read_text()


def test_the_alarms_are_as_many_as_terraform_makes() -> None:
    (said,) = re.findall(r"(\d+) alarms . 0\.10 \| ([0-9.]+)", IDLE)
    assert (int(said[0]), Decimal(said[1])) == (len(alarms()), len(alarms()) * Decimal("0.10"))


def test_the_sweep_counts_as_many_metrics_as_it_prints_every_time() -> None:
    (said,) = re.findall(r"(\d+) metrics \((.+?)\), every hour", IDLE)
    sweep = (REPOSITORY / "lambdas" / "notifier" / "src" / "sweep.rs").read_text().split("#[cfg(test)]")[0]
    printed = re.findall(r'counts\.push\(Metric::count\("(\w+)"', sweep)
    assert (int(said[0]), sorted(re.findall(r"`(\w+)`", said[1]))) == (len(printed), sorted(printed))
