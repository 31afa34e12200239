"""Tables from Python: rows as documents, entities as tables."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pandas
import pytest

import medner
from tests.store.corpora.tables.tables_kit import write_table

ROWS = (("001", "呼吸科", "患者咳嗽。\r\n胸痛。"), ("002", "心内科", "高血压。"))
KEPT = ["document", "科室", "start", "end", "text", "label", "label_name", "score", "decision", "taggers", "conflict"]


def _quiet(path: Path, **settings: object) -> list[medner.Document]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how the table was read is a warning, and tested apart
        return medner.read(path, text_column="主诉", id_column="住院号", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet", ".jsonl"])
def test_rows_are_documents(suffix: str, tmp_path: Path) -> None:
    """With the columns that are kept."""
    found = _quiet(write_table(tmp_path / f"病历{suffix}", ROWS), keep="科室")
    assert [(one.id, one.text, one.kept) for one in found] == [(row[0], row[2], {"科室": row[1]}) for row in ROWS]


def test_from_a_table_to_a_table_in_a_stream(nlp: medner.Annotator, tmp_path: Path) -> None:
    """Nothing is held but what is under way; the frame has the same columns and rows."""
    path = write_table(tmp_path / "病历.csv", ROWS, encoding="gb18030")
    rows = medner.stream(path, text_column="主诉", id_column="住院号", keep=["科室"])
    with pytest.warns(UserWarning, match="GB18030, not UTF-8"):
        written = medner.write(nlp.pipe(rows), tmp_path / "实体.xlsx")
    assert (written.documents, written.entities) == (2, 3)
    table = pandas.read_excel(tmp_path / "实体.xlsx", dtype={"document": str})
    assert list(table.columns) == KEPT
    frame = nlp.to_frame(_quiet(path, keep="科室"))
    assert list(frame.columns) == KEPT
    for name in ("document", "科室", "start", "end", "text", "label_name"):
        assert list(frame[name]) == list(table[name])


def test_a_stream_reads_as_it_is_taken(tmp_path: Path) -> None:
    """A broken row is an error when it is met, after the documents before it; or a warning with skip_bad."""
    path = write_table(tmp_path / "a.csv", ROWS)
    path.write_bytes(path.read_bytes() + "003\r\n004,外科,头痛\r\n".encode())
    rows = medner.stream(path, text_column="主诉", id_column="住院号")
    assert isinstance(rows, Iterator)
    with pytest.warns(UserWarning, match="read as a table in UTF-8"):
        assert [next(rows).id, next(rows).id] == ["001", "002"]
    with pytest.raises(medner.BadInputError, match="row 4: 1 fields"):
        next(rows)
    rows = medner.stream(path, text_column="主诉", id_column="住院号", skip_bad=True)
    with pytest.warns(UserWarning, match="skipped: .*row 4: 1 fields"):
        assert [one.id for one in rows] == ["001", "002", "004"]


def test_a_database(tmp_path: Path) -> None:
    """By its address, whose password is in no warning."""
    path = write_table(tmp_path / "emr.db", ROWS)
    with pytest.warns(UserWarning, match=r"the rows of the query") as told:
        found = medner.read(f"sqlite:///{path}?password=w0rd", query="SELECT * FROM notes", text_column="主诉")
    assert [one.id for one in found] == ["emr-1", "emr-2"]
    assert not any("w0rd" in str(one.message) for one in told)


def test_messages_name_settings(tmp_path: Path) -> None:
    """Not options of the command line; a setting that there is not is a TypeError, as of any function."""
    path = write_table(tmp_path / "a.csv", ROWS)
    with pytest.raises(medner.UserError, match="Name it: text_column NAME"):
        medner.read(path)
    with pytest.raises(medner.UserError, match="text_key and text_column are one setting"):
        medner.read(path, text_key="a", text_column="b")
    with pytest.raises(TypeError, match="unexpected keyword argument 'textcolumn'"):
        medner.read(path, textcolumn="b")  # type: ignore[call-arg]


def test_documents_of_ones_own_as_a_table(tmp_path: Path) -> None:
    """Without decisions and scores; kept columns are theirs."""
    document = medner.Document("a", "胸痛。", (medner.Entity(0, 2, "sym"),), kept={"科室": "内科"})
    assert medner.write([document], tmp_path / "a.xlsx").entities == 1
    rows = list(openpyxl.load_workbook(tmp_path / "a.xlsx").active.iter_rows(values_only=True))
    assert rows == [tuple(KEPT), ("a", "内科", 0, 2, "胸痛", "sym", None, None, None, None, None)]
    assert medner.read(_jsonl(document, tmp_path))[0].kept == {"科室": "内科"}


def _jsonl(document: medner.Document, folder: Path) -> Path:
    return medner.write([document], folder / "a.jsonl").path
