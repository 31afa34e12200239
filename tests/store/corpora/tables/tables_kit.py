"""Tables in every form, written by the libraries that users have."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from medner.core.records import Document
from medner.store.corpora import BadRecords, ReadOptions, read_documents
from medner.store.corpora.reading.read_log import ReadLog
from medner.store.corpora.reading.read_options import TableOptions

Rows = Sequence[Sequence[str]]
HEADER = ("住院号", "科室", "主诉")
FORMS = (".csv", ".tsv", ".xlsx", ".parquet", ".db", ".jsonl")


def write_table(path: Path, rows: Rows, *, header: Sequence[str] = HEADER, encoding: str = "utf-8") -> Path:
    """Writes rows of text in the form that the suffix names."""
    WRITERS[path.suffix](path, [list(row) for row in rows], list(header), encoding)
    return path


def _csv(path: Path, rows: list[list[str]], header: list[str], encoding: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter="\t" if path.suffix == ".tsv" else ",").writerows([header, *rows])
    path.write_bytes(out.getvalue().encode(encoding))


def _excel(path: Path, rows: list[list[str]], header: list[str], _: str) -> None:
    book = openpyxl.Workbook()
    for row in (header, *rows):
        # A carriage return is kept as spreadsheet programs write it.
        book.active.append([cell.replace("_x", "_x005F_x").replace("\r", "_x000D_") for cell in row])
    for row in book.active.iter_rows():
        for cell in row:
            cell.data_type = "s"
    book.save(path)


def _parquet(path: Path, rows: list[list[str]], header: list[str], _: str) -> None:
    columns = [[row[place] for row in rows] for place in range(len(header))]
    pq.write_table(
        pa.table({name: pa.array(column, pa.string()) for name, column in zip(header, columns, strict=True)}), path
    )


def _sqlite(path: Path, rows: list[list[str]], header: list[str], _: str) -> None:
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as database:
        names = ", ".join(f'"{name}" TEXT' for name in header)
        database.execute(f"CREATE TABLE notes ({names})")
        database.executemany(f"INSERT INTO notes VALUES ({', '.join('?' * len(header))})", rows)  # noqa: S608  ours
    database.close()


def _json_lines(path: Path, rows: list[list[str]], header: list[str], encoding: str) -> None:
    lines = (json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding=encoding, newline="")


WRITERS: dict[str, Any] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".xlsx": _excel,
    ".parquet": _parquet,
    ".db": _sqlite,
    ".jsonl": _json_lines,
}


class Reader:
    """Reads a table; ``told`` holds the notes, ``bad`` the refused rows in words."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.bad: list[str] = []

    def read(self, path: Path, *, skip_bad: bool = True, **options: Any) -> list[Document]:
        """The documents. ``options`` are those of reading and of tables."""
        table = {
            name: options.pop(name) for name in ("keep", "sheet", "query", "delimiter", "header_row") if name in options
        }
        if path.suffix == ".db":
            table.setdefault("query", "SELECT * FROM notes")
        given = {"text_key": "主诉", "id_key": "住院号"} | options
        log = ReadLog(lambda line: self.told.append(line.removeprefix(f"{path}: ")))
        bad = BadRecords() if skip_bad else None
        reading = read_documents(path, skip_bad=bad, options=ReadOptions(**given, log=log, table=TableOptions(**table)))
        documents = list(reading)
        self.bad = [str(one).removeprefix(f"{path}: ") for one in bad or ()]
        return documents
