"""The report as one Markdown page; figures are tables there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from medner.evaluation.paper.grid import Grid, Section
from medner.evaluation.paper.report import PaperReport
from medner.evaluation.paper.words import COMPARABLE, READING, TITLE
from medner.evaluation.reports.tables import printable

_MARKS = re.compile(r"([\\`*_\[\]<>|#~])")


def paper_markdown(report: PaperReport) -> str:
    """The page's text."""
    return "\n\n".join(_blocks(report)) + "\n"


def _blocks(report: PaperReport) -> Iterator[str]:
    yield f"# {TITLE}"
    facts = [("paper", report.source), ("how", report.method), *report.facts]
    yield "\n".join(f"- {_escaped(name)}: {_escaped(value)}" for name, value in facts)
    yield _escaped(COMPARABLE)
    yield _escaped(READING)
    if report.remarks:
        yield "\n".join(f"- {_escaped(remark)}" for remark in report.remarks)
    yield "## Systems"
    for grid in report.systems:
        yield from _grid(grid)
    for section in report.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield f"## {_escaped(section.title)}"
    if section.measured:
        yield _escaped(section.note)
    for grid in section.grids:
        yield from _grid(grid)


def _grid(grid: Grid) -> Iterator[str]:
    yield _escaped(grid.heading)
    if grid.rows:
        rule = ["---" if at < grid.left else "---:" for at in range(len(grid.columns))]
        head = [_escaped(column) for column in grid.columns]
        body = [[_escaped(cell.with_bounds) for cell in row] for row in grid.rows]
        yield "\n".join(_line(cells) for cells in (head, rule, *body))
    yield from map(_escaped, grid.notes)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return _MARKS.sub(r"\\\1", printable(text))
