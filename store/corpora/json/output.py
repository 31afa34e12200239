"""JSON arrays and lines written record by record, in the style they were read in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TextIO

from medner.store.corpora.reading.format import Layout

_BOM = "\ufeff"


def write_records(records: Iterable[object], out: TextIO, layout: Layout, *, lines: bool = False) -> None:
    """The records as an array or as lines: as the layout says, else as the format's habit ``lines``."""
    if lines if layout.lines is None else layout.lines:
        write_lines(map(to_line, records), out, layout)
    else:
        write_array(records, out, layout)


def write_array(records: Iterable[object], out: TextIO, layout: Layout) -> None:
    """A JSON array, one element in memory at a time."""
    newline = layout.newline
    between = newline if layout.record_lines else ""
    separator = "," + (newline if layout.record_lines else " ")
    out.write((_BOM if layout.bom else "") + "[")
    empty = True
    for record in records:
        out.write(between if empty else separator)
        out.write(_element(record, layout.indent, newline))
        empty = False
    out.write(("" if empty else between) + "]" + (newline if layout.final_newline else ""))


def write_lines(records: Iterable[str], out: TextIO, layout: Layout) -> None:
    """One record a line."""
    for number, record in enumerate(records):
        out.write((_BOM if layout.bom and number == 0 else "") + record + layout.newline)


def to_line(record: object) -> str:
    """The record as one line of JSON with Chinese characters as they are."""
    return json.dumps(record, ensure_ascii=False)


def _element(record: object, indent: int | None, newline: str) -> str:
    if indent is None:
        return to_line(record)
    lines = json.dumps([record], ensure_ascii=False, indent=indent).split("\n")
    return newline.join(lines[1:-1])
