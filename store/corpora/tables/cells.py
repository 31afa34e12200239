"""The values of cells: as a text to annotate, as an id, and as what is kept."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from medner.core.characters import is_blank, is_unicode
from medner.core.records import KeptValue
from medner.store.corpora.reading.format import Reading
from medner.store.corpora.reading.notes import Note
from medner.store.corpora.tables.columns import Column

_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d+)*|\.\d+)([eE][+-]?\d+)?\s*%?\s*", re.ASCII)
#: A whole number beyond this cannot be told from its neighbours in a spreadsheet, which keeps 15 digits.
_MOST_EXACT = 10**15


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that holds a formula; ``value`` looks up what the spreadsheet program saved with it, None for nothing."""

    value: Callable[[], object]


@dataclass(frozen=True, slots=True)
class ErrorValue:
    """A cell that holds an error of the spreadsheet, such as #N/A."""

    code: str


def is_empty(value: object) -> bool:
    """Whether a cell shows nothing."""
    return value is None or (isinstance(value, str) and is_blank(value)) or _is_nan(value)


def looks_numeric(value: object) -> bool:
    """Whether a cell is a number, or text that is nothing but one."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def text_of(reading: Reading, row: int, column: Column, value: object) -> str | None:
    """The text of a cell, unchanged; None for an empty one, which is noted. BadInputError for what is no text."""
    value = settled(reading, row, column, value)
    if is_empty(value):
        reading.note_row(Note.EMPTY_CELL, row)
        return None
    if looks_numeric(value):
        reading.note_row(Note.NUMBER_CELL, row)
        return value if isinstance(value, str) else number_text(value)
    if not isinstance(value, str):
        raise reading.error(f"the cell holds {_kind(value)}, not a text", row, column.name)
    return _whole(reading, row, column, value)


def id_of(reading: Reading, row: int, column: Column, value: object) -> str:
    """The id in a cell. BadInputError where there is none, or where the number was rounded."""
    value = settled(reading, row, column, value)
    if is_empty(value):
        raise reading.error(
            "the row has no id (the cell is empty, or merged with the one above); without --id-column rows are "
            "numbered",
            row,
            column.name,
        )
    if isinstance(value, str):
        return _whole(reading, row, column, value)
    if isinstance(value, float) and abs(value) >= _MOST_EXACT:
        raise reading.error(
            "the id is a number of more than 15 digits, which a spreadsheet rounds; format the column as text and "
            "enter the ids again",
            row,
            column.name,
        )
    return number_text(value)


def kept_value(reading: Reading, row: int, column: Column, value: object) -> KeptValue:
    """The value of a cell as it goes along: numbers as numbers, dates as ISO 8601, lists as JSON."""
    value = settled(reading, row, column, value)
    if value is None or _is_nan(value):
        return None
    if isinstance(value, str):
        return _whole(reading, row, column, value)
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _MOST_EXACT else value
    return number_text(value)


def number_text(value: object) -> str:
    """A value that is no string as text: 12 for 12.0, dates as ISO 8601."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() and value.tzinfo is None else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def settled(reading: Reading, row: int, column: Column, value: object) -> object:
    """The value behind a formula, which is noted. BadInputError for an error value, and a formula without a value."""
    if isinstance(value, Formula):
        value = value.value()
        if value is None:
            raise reading.error(
                "a formula whose value was not saved; open the file in a spreadsheet program and save it",
                row,
                column.name,
            )
        reading.note_row(Note.FORMULA, row)
    if isinstance(value, ErrorValue):
        raise reading.error(f"the cell holds the error {value.code}", row, column.name)
    return value


def _whole(reading: Reading, row: int, column: Column, value: str) -> str:
    if not is_unicode(value):
        raise reading.error(
            "bytes that are not in the file's encoding (another encoding: --encoding NAME)", row, column.name
        )
    return value


def _is_nan(value: object) -> bool:
    # pandas writes an empty cell so.
    return isinstance(value, float) and math.isnan(value)


def _kind(value: object) -> str:
    kinds = {bool: "true or false", datetime: "a date", date: "a date", time: "a time", bytes: "bytes"}
    return kinds.get(type(value), f"a value of type {type(value).__name__}")
