"""What was measured, and how it is said."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Series:
    """The runs of one thing. `unit` is that of each value."""

    name: str
    unit: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def as_json(self) -> dict[str, object]:
        return {"name": self.name, "unit": self.unit, "median": self.median, "values": list(self.values)}

    def __str__(self) -> str:
        low, high = min(self.values), max(self.values)
        return f"{figure(self.median)} {self.unit} ({figure(low)}-{figure(high)})"


@dataclass(frozen=True)
class Row:
    """Ours beside a peer. `more_is_better`: the ratio is the peer's over ours, as of times, or the other way round."""

    measure: str
    ours: Series
    peer: Series
    goal: str = ""
    times_better: bool = False
    """Say how many times better ours is, and not which part of the peer's it takes."""
    note: str = ""

    @property
    def ratio(self) -> float:
        ours, peer = self.ours.median, self.peer.median
        return peer / ours if self.times_better else ours / peer

    def as_json(self) -> dict[str, object]:
        return {
            "measure": self.measure,
            "ours": self.ours.as_json(),
            "peer": self.peer.as_json(),
            "ratio": self.ratio,
            "goal": self.goal,
            "note": self.note,
        }


@dataclass
class Table:
    rows: list[Row] = field(default_factory=list)

    def text(self) -> str:
        head = ("measure", "ours: median (least-most)", "beside it", "ratio", "goal")
        cells = [head, ("-" * 7,) * len(head)]
        for row in self.rows:
            ratio = f"{row.ratio:.1f} x better" if row.times_better else f"{row.ratio:.2f} x"
            cells.append((row.measure, str(row.ours), f"{row.peer.name}: {row.peer}", ratio, row.goal))
        widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
        return "\n".join(
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
            for line in cells
        )


def figure(value: float) -> str:
    """Three digits that count."""
    for least, digits in ((100, 0), (10, 1), (1, 2)):
        if value >= least:
            return f"{value:.{digits}f}"
    return f"{value:.3f}"
