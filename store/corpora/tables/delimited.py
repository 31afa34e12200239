"""CSV, TSV and their kin: encoding and delimiter are recognised; cells keep their line breaks as they are."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from medner.core.errors import BadInputError
from medner.core.records import Document
from medner.store.corpora.reading.file_encoding import file_encoding
from medner.store.corpora.reading.format import Format, Reading
from medner.store.corpora.tables.columns import clean_name, missing_column
from medner.store.corpora.tables.rows import Row, headed_documents

DELIMITERS = {",": "a comma", "\t": "a tab", ";": "a semicolon", "|": "a bar", "\x01": "the control character 01"}
_HEAD_CHARACTERS = 1 << 16
_SAMPLE_ROWS = 50
#: The longest field. A quotation mark that nothing closes would else take in the rest of the file.
_LONGEST_FIELD = 1 << 24
_HINT = "sep="


def _read(reading: Reading) -> Iterator[Document]:
    encoding = file_encoding(reading.path, reading.options)
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    try:
        with reading.path.open(encoding=encoding.name, errors=encoding.errors, newline="") as file:
            head = file.read(_HEAD_CHARACTERS)
            file.seek(0)
            delimiter = reading.options.table.delimiter or _delimiter(reading, head)
            told = f"read as a table in {encoding.told}; delimiter: {DELIMITERS.get(delimiter, repr(delimiter))}"
            yield from headed_documents(reading, _rows(file, delimiter), told, ragged=False)
    except UnicodeDecodeError as error:
        raise reading.error(f"bytes that are not {encoding.name}", None) from error
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", path=reading.path) from error


def _rows(file: TextIO, delimiter: str) -> Iterator[Row]:
    """The rows, numbered as a spreadsheet numbers them; one that cannot be parsed says why."""
    lines = csv.reader(file, delimiter=delimiter, strict=True)
    number = 0
    while True:
        number += 1
        first = lines.line_num + 1
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(number, (), _broken(first, lines.line_num, error))
            continue
        if number == 1 and len(cells) <= 2 and cells and cells[0].lower().startswith(_HINT):
            continue  # the line by which Excel learns the delimiter
        yield Row(number, cells)


def _broken(first: int, last: int, error: csv.Error) -> str:
    lines = f"line {first}" if first >= last else f"lines {first} to {last}"
    return (
        f"its quotation marks do not fit ({error}; {lines} of the file); a field that begins with one must end with "
        "one, and those inside are doubled"
    )


def _delimiter(reading: Reading, head: str) -> str:
    """What parts the fields: what the file says, else what gives the wanted columns, else the most even rows."""
    line = head.removeprefix("\ufeff").partition("\n")[0].rstrip("\r").strip('"')
    if line.lower().startswith(_HINT) and len(line) == len(_HINT) + 1:
        return line[-1]
    return max(DELIMITERS, key=lambda delimiter: _fit(reading, head, delimiter))


def _fit(reading: Reading, head: str, delimiter: str) -> tuple[bool, float, int]:
    """How well a delimiter fits: whether the columns are there, how even the rows are, how many columns they have."""
    try:
        rows = [row for row in csv.reader(head.splitlines(keepends=True), delimiter=delimiter) if row][:_SAMPLE_ROWS]
    except csv.Error:
        return False, 0.0, 0
    if len(rows) > 1 and len(rows) < _SAMPLE_ROWS:
        rows.pop()  # the last one may be cut off
    if not rows:
        return False, 0.0, 0
    width = max(len(row) for row in rows)
    there = any(missing_column(reading, [clean_name(cell) for cell in row]) is None for row in rows[:10])
    even = sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0
    return there, even, width


def is_delimited(path: Path) -> bool:
    """Whether a file is one of these by its name."""
    return path.suffix.lower() in (".csv", ".tsv", ".tab", ".psv")


FORMAT = Format("csv", "a table of fields with delimiters (CSV, TSV)", _read)
