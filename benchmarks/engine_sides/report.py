"""The tables of a comparison, and its numbers as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine_sides.rounds import Row
from engine_sides.starts import StartRow

#: What ratios are against, where nothing is named: the first of these that was measured.
REFERENCES = ("baseline", "transformers", "medner bf16", "medner f32")


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the least and the most."""

    median: float
    low: float
    high: float

    def text(self, digits: int) -> str:
        """All three, for a table."""
        return f"{self.median:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def spread(values: Sequence[float]) -> Spread:
    """The median of some numbers, and their ends."""
    return Spread(statistics.median(values), min(values), max(values))


def reference_of(rows: Sequence[Row], named: str | None) -> str | None:
    """The side that ratios are against; None, and a line that says so, when the named one was not measured."""
    sides = list(dict.fromkeys(row.side for row in rows))
    for wanted in REFERENCES if named is None else (named,):
        for side in sides:
            if side == wanted or side.startswith(f"{wanted} "):
                return side
    if named is not None and sides:
        print(f"--reference: no side {named!r} was measured; there are {', '.join(sides)}")
    return sides[0] if sides and named is None else None


def ratios(row: Row, rows: Sequence[Row], reference: str | None) -> Spread | None:
    """How many times the reference's sentences a second a row has, round by round."""
    theirs = next((one for one in rows if one.side == reference and one.at_a_time == row.at_a_time), None)
    if theirs is None:
        return None
    return spread([b["seconds"] / a["seconds"] for a, b in zip(row.runs, theirs.runs, strict=True)])


def print_table(rows: Sequence[Row], count: int, named: str | None) -> None:
    """Prints a line a side and width: speed, ratio, passes, processor time, memory, entities."""
    if not rows:
        return
    reference = reference_of(rows, named)
    print(f"\nMedians of {len(rows[0].runs)} rounds [slowest, fastest]; times: sentences/s over those of {reference}")
    heads = ["side", "at a time", "sentences/s", "times", "passes", "processor s", "resident MB", "peak MB", "entities"]
    print(f"| {' | '.join(heads)} |   (passes and processor seconds a sentence)")
    print("|" + "---|" * len(heads))
    for row in rows:
        ratio = ratios(row, rows, reference)
        cells = [
            row.side,
            str(row.at_a_time),
            spread([count / run["seconds"] for run in row.runs]).text(2),
            "" if ratio is None else ratio.text(2),
            f"{row.runs[-1]['passes'] / count:.2f}",
            f"{statistics.median(run['processor_seconds'] for run in row.runs) / count:.3f}",
            _megabytes(row.memory.get("resident")),
            _megabytes(row.memory.get("peak")),
            "" if row.side.startswith("encoder") else f"{row.runs[-1]['entities']:.0f}",
        ]
        print(f"| {' | '.join(cells)} |")


def print_starts(rows: Sequence[StartRow]) -> None:
    """Prints a line a side, cold and warm: seconds to the first entity and to the end, memory."""
    if not rows:
        return
    print(f"\nmedner annotate --text, medians of {len(rows[0].starts)} starts [least, most], seconds")
    print(
        "| side | data folder | to the first entity | to the end | processor s | peak MB |\n|---|---|---|---|---|---|"
    )
    for row in rows:
        peak = _megabytes(max(start.peak_bytes for start in row.starts))
        first = spread([start.first_line_s for start in row.starts]).text(1)
        end = spread([start.end_s for start in row.starts]).text(1)
        worked = statistics.median(start.processor_s for start in row.starts)
        print(f"| {row.name} | {'cold' if row.cold else 'warm'} | {first} | {end} | {worked:.1f} | {peak} |")


def as_json(about: Mapping[str, Any], rows: Sequence[Row], starts: Sequence[StartRow]) -> dict[str, Any]:
    """Every number of every round."""
    return {**about, "rows": [asdict(row) for row in rows], "starts": [asdict(row) for row in starts]}


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 2**20:.0f}"
