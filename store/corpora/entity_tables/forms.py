"""The forms of files that hold a table: CSV, TSV, Excel, Parquet; each takes a row at a time."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from medner.core.errors import UserError
from medner.core.files.atomic import replacing_bytes, replacing_file
from medner.core.records import KeptValue
from medner.store.corpora.tables.extra import library

#: Takes a row.
WriteRow = Callable[[Sequence[KeptValue]], None]
_BATCH_ROWS = 8_192
#: What a sheet can hold.
_SHEET_ROWS = 1_048_576
_CELL_CHARACTERS = 32_767
#: Columns that hold numbers in Parquet; the others hold text.
_NUMBERS = {"start": "int64", "end": "int64", "score": "float64", "page": "int64", "paragraph": "int64"}
#: What XML has no place for, a carriage return, and what would be taken for the form that these are written in.
_ESCAPED = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_WIDTHS = {"text": 28, "document": 18, "label_name": 14, "taggers": 18}


@contextmanager
def _delimited(path: Path, names: Sequence[str], cut: Callable[[], None], *, delimiter: str) -> Iterator[WriteRow]:
    """UTF-8 with a byte order mark, without which Excel takes Chinese for another encoding."""
    del cut
    with replacing_file(path) as out:
        out.write("\ufeff")
        rows = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
        rows.writerow(names)
        yield rows.writerow


@contextmanager
def _excel(path: Path, names: Sequence[str], cut: Callable[[], None]) -> Iterator[WriteRow]:
    """A workbook of one sheet, of several where one is full; texts are texts, also where they begin like a formula."""
    openpyxl, cells = library("openpyxl", "Excel files"), library("openpyxl.cell", "Excel files")
    book = openpyxl.Workbook(write_only=True)
    row = _SHEET_ROWS
    sheet: Any = None

    def cell(value: KeptValue) -> object:
        if not isinstance(value, str):
            return value
        if len(value) > _CELL_CHARACTERS // 2 and len(value.encode("utf-16-le")) // 2 > _CELL_CHARACTERS:
            cut()
            value = value.encode("utf-16-le")[: 2 * _CELL_CHARACTERS].decode("utf-16-le", "ignore")
        value = _ESCAPED.sub(lambda match: "".join(f"_x{ord(char):04X}_" for char in match[0]), value)
        if value[:1] not in ("=", "#"):
            return value
        text = cells.WriteOnlyCell(sheet, value)
        text.data_type = "s"
        return text

    def write(values: Sequence[KeptValue]) -> None:
        nonlocal row, sheet
        if row == _SHEET_ROWS:
            sheet = book.create_sheet("entities" if sheet is None else f"entities {len(book.worksheets) + 1}")
            sheet.freeze_panes = "A2"
            for number, name in enumerate(names):
                sheet.column_dimensions[openpyxl.utils.get_column_letter(number + 1)].width = _WIDTHS.get(name, 12)
            sheet.append([cell(name) for name in names])
            row = 1
        sheet.append([cell(value) for value in values])
        row += 1

    with replacing_bytes(path) as out, closing(book):
        try:
            yield write
        except BaseException:
            # Else its rows, which are no file yet, would complain when they are let go of.
            for begun in book.worksheets:
                begun.close()
            raise
        if sheet is None:
            row = _SHEET_ROWS - 1
            sheet = book.create_sheet("entities")
            sheet.append([cell(name) for name in names])
        book.save(out)


@contextmanager
def _parquet(path: Path, names: Sequence[str], cut: Callable[[], None]) -> Iterator[WriteRow]:
    """A table whose columns have one type each: what is kept of the input is text."""
    del cut
    pa, pq = library("pyarrow", "Parquet files"), library("pyarrow.parquet", "Parquet files")
    schema = pa.schema([(name, getattr(pa, _NUMBERS.get(name, "string"))()) for name in names])
    waiting: list[list[KeptValue]] = []
    with replacing_bytes(path) as out, pq.ParquetWriter(out, schema, compression="zstd") as writer:

        def flush() -> None:
            columns = [
                pa.array(values, field.type) for values, field in zip(zip(*waiting, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            waiting.clear()

        def write(values: Sequence[KeptValue]) -> None:
            waiting.append(
                [
                    value if name in _NUMBERS or value is None else str(value)
                    for name, value in zip(names, values, strict=True)
                ]
            )
            if len(waiting) == _BATCH_ROWS:
                flush()

        yield write
        if waiting:
            flush()


Form = Callable[[Path, Sequence[str], Callable[[], None]], AbstractContextManager[WriteRow]]
FORMS: dict[str, Form] = {
    ".csv": partial(_delimited, delimiter=","),
    ".tsv": partial(_delimited, delimiter="\t"),
    ".xlsx": _excel,
    ".parquet": _parquet,
}


def form_of(path: Path) -> Form:
    """The form that a file's suffix names. UserError for another, and where its library is missing."""
    suffix = path.suffix.lower()
    if suffix not in FORMS:
        raise UserError(f"{path}: a table is written as {', '.join(FORMS)}; end the name in one of them")
    if suffix == ".xlsx":
        library("openpyxl", "Excel files")
    if suffix == ".parquet":
        library("pyarrow", "Parquet files")
    return FORMS[suffix]
