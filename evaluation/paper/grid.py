"""Tables as rows of cells, before they take the form of a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medner.evaluation.measures.significance import Difference, Interval
from medner.evaluation.reports import wording

Tone = Literal["", "paper", "absent", "good", "bad"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A text, its interval, and how it is coloured; ``bounds`` is empty where there is none."""

    text: str
    bounds: str = ""
    tone: Tone = ""

    @property
    def with_bounds(self) -> str:
        """Text and interval."""
        return f"{self.text} {self.bounds}".rstrip()


@dataclass(frozen=True, slots=True)
class Grid:
    """A table on one data set. Without rows nothing of it was measured; ``heading`` then says so.

    The first ``left`` columns hold words, the others numbers.
    """

    heading: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    left: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A table or figure of the paper on all data sets; ``charts`` are SVG elements."""

    anchor: str
    title: str
    note: str
    grids: tuple[Grid, ...]
    charts: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether anything of it was measured."""
        return any(grid.rows for grid in self.grids)


NOT_MEASURED = Cell("not measured", tone="absent")
NOTHING = Cell(wording.UNKNOWN, tone="absent")
BLANK = Cell("")


def ratio_cell(value: float, bounds: Interval | None = None) -> Cell:
    """A ratio with four digits and its interval."""
    return Cell(wording.ratio(value), _shown(bounds) if bounds is not None else "")


def share_cell(part: int, whole: int, bounds: Interval) -> Cell:
    """A percentage with its interval."""
    return Cell(wording.share(part, whole), percent_bounds(bounds))


def percent_bounds(bounds: Interval) -> str:
    """An interval of shares in per cent; nothing where there is none."""
    return "" if math.isnan(bounds.low) else f"[{100 * bounds.low:.1f}, {100 * bounds.high:.1f}]"


def paper_cells(values: Sequence[float] | None, columns: int) -> tuple[Cell, ...]:
    """The paper's ratios; dashes where it has none."""
    if values is None:
        return (NOTHING,) * columns
    return tuple(Cell(wording.ratio(value), tone="paper") for value in values)


def difference_cells(value: Difference | None) -> tuple[Cell, Cell]:
    """A difference with its interval, coloured where the interval excludes 0, and its p-value."""
    if value is None:
        return BLANK, BLANK
    delta, bounds, p, _ = wording.difference(value)
    return Cell(delta, bounds if bounds != wording.UNKNOWN else "", tone_of(value.low, value.high)), Cell(p)


def tone_of(low: float, high: float) -> Tone:
    """Good when an interval of gains lies above 0, bad when below."""
    return "good" if low > 0 else "bad" if high < 0 else ""


def _shown(bounds: Interval) -> str:
    return "" if math.isnan(bounds.low) else wording.interval(bounds)
