"""Excel workbooks (.xlsx, .xlsm): one sheet, read row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from medner.core.errors import BadInputError
from medner.core.records import Document
from medner.store.corpora.reading.format import Format, Reading
from medner.store.corpora.tables.cells import ErrorValue, Formula
from medner.store.corpora.tables.extra import library
from medner.store.corpora.tables.rows import Row, headed_documents

SUFFIXES = (".xlsx", ".xlsm")
#: How a workbook writes a character that XML has no place for, a carriage return among them.
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def _read(reading: Reading) -> Iterator[Document]:
    with closing(_opened(reading.path, saved_values=False)) as book:
        sheet = _sheet(reading, book)
        others = [name for name in _names(book) if name != sheet.title]
        told = f"read as the sheet {sheet.title!r} of a workbook"
        if others:
            told += f" (not read: {', '.join(map(repr, others))}; another: --sheet NAME)"
        with closing(_SavedValues(reading.path, sheet.title)) as saved:
            yield from headed_documents(reading, _rows(reading, sheet, saved), told, ragged=True)


def _opened(path: Path, *, saved_values: bool) -> Any:
    """The workbook. ``saved_values``: formulas as the values that were saved with them."""
    openpyxl = library("openpyxl", "Excel files")
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=saved_values, keep_links=False)
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror or error}", path=path) from error
    except Exception as error:
        # What the library raises of a damaged file can be anything.
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> BadInputError:
    what = "no ZIP archive" if isinstance(error, BadZipFile) else f"{type(error).__name__}: {error}"
    return BadInputError(
        f"cannot be read as an Excel workbook ({what}); open it in a spreadsheet program and save it as .xlsx, without "
        "a password",
        path=path,
    )


def _names(book: Any) -> list[str]:
    """The names of the sheets that hold cells."""
    return [sheet.title for sheet in book.worksheets]


def _sheet(reading: Reading, book: Any) -> Any:
    """The sheet that the option names, by name or number; else the first one that is not hidden."""
    names, wanted = _names(book), reading.options.table.sheet
    if not names:
        raise reading.error("the workbook has no sheet with cells", None)
    if wanted is None:
        sheet = next((one for one in book.worksheets if one.sheet_state == "visible"), book.worksheets[0])
    elif wanted in names:
        sheet = book.worksheets[names.index(wanted)]
    elif wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= len(names):
        sheet = book.worksheets[int(wanted) - 1]
    else:
        raise reading.error(f"there is no sheet {wanted!r}; there are {', '.join(names)}", None)
    # The extent that a file states for itself is wrong in files of some programs.
    sheet.reset_dimensions()
    return sheet


def _rows(reading: Reading, sheet: Any, saved: _SavedValues) -> Iterator[Row]:
    rows = enumerate(sheet.iter_rows(), 1)
    while True:
        try:
            number, row = next(rows)
        except StopIteration:
            return
        except Exception as error:
            raise _damaged(reading.path, error) from error
        yield Row(number, [_value(cell, number, place, saved) for place, cell in enumerate(row)])


def _value(cell: Any, number: int, place: int, saved: _SavedValues) -> object:
    value = cell.value
    if isinstance(value, str):
        if cell.data_type == "f":
            return Formula(lambda: saved.at(number, place))
        return ErrorValue(value) if cell.data_type == "e" else _unescaped(value)
    # A formula over several cells is an object of the library.
    return Formula(lambda: saved.at(number, place)) if cell.data_type == "f" else value


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


class _SavedValues:
    """The values that were saved with formulas: a second reading of the sheet, begun when a formula is met."""

    def __init__(self, path: Path, sheet: str) -> None:
        self._path = path
        self._sheet = sheet
        self._book: Any = None
        self._rows: Iterator[Sequence[object]] = iter(())
        self._number = 0
        self._row: Sequence[object] = ()

    def at(self, number: int, place: int) -> object:
        """The value at a row, not before the last one asked for, and a place in it from 0."""
        if self._book is None:
            self._book = _opened(self._path, saved_values=True)
            sheet = self._book[self._sheet]
            sheet.reset_dimensions()
            self._rows = sheet.iter_rows(values_only=True)
        while self._number < number:
            self._row = next(self._rows, ())
            self._number += 1
        value = self._row[place] if place < len(self._row) else None
        return _unescaped(value) if isinstance(value, str) else value

    def close(self) -> None:
        """Closes the file."""
        if self._book is not None:
            self._book.close()


FORMAT = Format("excel", "an Excel workbook (.xlsx)", _read)
