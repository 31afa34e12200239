"""Rows of an entity's string, its start, its end and its type, as the CCKS tables of 2017 and 2018 have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from medner.store.corpora.reading.format import Mention

_ROW = re.compile(r"([^\t]+)\t\s*(\d+)\s*\t\s*(\d+)\s*\t\s*(\S[^\t]*?)\s*")


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row as the table has it; what ``end`` counts is the table's habit. ``key`` names the row."""

    text: str
    start: int
    end: int
    label: str
    key: str


def table_row(line: str, key: str) -> TableRow | None:
    """The row of a line; None when the line is none."""
    match = _ROW.fullmatch(line)
    return None if match is None else TableRow(match[1], int(match[2]), int(match[3]), match[4], key)


def as_mentions(
    rows: Sequence[TableRow], text: str, end: Literal["inclusive", "exclusive"] | None, *, inclusive: bool
) -> list[Mention]:
    """The rows as mentions: with the end that ``end`` says, else under which most strings fit, else ``inclusive``."""
    if end is None:
        fitting = {past: sum(_fits(row, text, past) for row in rows) for past in (0, 1)}
        past = int(inclusive) if fitting[0] == fitting[1] else int(fitting[1] > fitting[0])
    else:
        past = int(end == "inclusive")
    return [Mention(row.start, row.end + past, row.label, _stated(row, text, past), row.key) for row in rows]


def is_table(lines: Iterable[str]) -> bool:
    """Whether all lines are rows whose strings are as long as their places, under one reading of the end or another."""
    rows = [table_row(line.removesuffix("\r"), "") for line in lines]
    return bool(rows) and all(row is not None and len(row.text) - (row.end - row.start) in (0, 1) for row in rows)


def _fits(row: TableRow, text: str, past: int) -> bool:
    return text[row.start : row.end + past].strip() == row.text.strip()


def _stated(row: TableRow, text: str, past: int) -> str:
    """The string to check; one that lacks the white space at its edges, which editors take away, is the text's."""
    there = text[row.start : row.end + past]
    return there if _fits(row, text, past) else row.text
