"""Entities as a table: what is written comes back from the programs that read such files."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pandas
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Decision,
    Document,
    Entity,
    KeptValue,
    Sentence,
)
from medner.store.corpora import ReadOptions, read_documents
from medner.store.corpora.entity_tables import forms
from medner.store.corpora.entity_tables.forms import FORMS
from medner.store.corpora.entity_tables.rows import COLUMNS, Values, columns_with, entity_rows
from medner.store.corpora.entity_tables.table import entity_table
from medner.store.corpora.reading.read_options import TableOptions

ROW: Values = ("d1", 2, 4, "胸痛", "sym", "临床表现", 0.5, "agreed", "a,b", None)
_TEXTS = st.text(
    st.sampled_from([*"胸痛，\"',;\t=+-@#_x000D\r\n 𠮷😀"]) | st.characters(exclude_categories=["Cs"]), max_size=20
)


def _write(path: Path, rows: Sequence[tuple[dict[str, KeptValue], Values]]) -> Path:
    with entity_table(path) as table:
        for kept, row in rows:
            table.add(tuple(kept.items()), [row])
    return path


def _back(path: Path) -> list[list[object]]:
    """All rows as other programs read them; "" for nothing."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return [table.column_names, *(list(row.values()) for row in table.to_pylist())]
    if path.suffix == ".xlsx":
        book = openpyxl.load_workbook(path)
        return [list(row) for sheet in book for row in sheet.iter_rows(values_only=True)]
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [list(row) for row in csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")]


@pytest.mark.parametrize("suffix", FORMS)
def test_a_row_an_entity(suffix: str, tmp_path: Path) -> None:
    """The id, the kept columns, the place, the text, the type with its name, score and decision."""
    found = _back(_write(tmp_path / f"实体{suffix}", [({"科室": "内科", "年龄": 45}, ROW)]))
    assert found[0] == ["document", "科室", "年龄", *COLUMNS[1:]]
    if suffix in (".csv", ".tsv"):
        assert found[1] == ["d1", "内科", "45", "2", "4", "胸痛", "sym", "临床表现", "0.5", "agreed", "a,b", ""]
    else:
        # A column of Parquet has one type, and what is kept may be anything.
        assert found[1] == ["d1", "内科", 45 if suffix == ".xlsx" else "45", *ROW[1:]]


@pytest.mark.parametrize("suffix", FORMS)
def test_any_text_comes_back(suffix: str) -> None:
    """Through medner's own reader of tables: control characters, CR LF, emoji, what looks like a formula."""

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(_TEXTS, _TEXTS), min_size=1, max_size=3))
    def check(texts: list[tuple[str, str]]) -> None:
        texts = [(f"标{kept}", f"本{text}") for kept, text in texts]
        if suffix in (".csv", ".tsv"):
            texts = [(kept.replace("\0", ""), text.replace("\0", "")) for kept, text in texts]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"out{suffix}"
            _write(path, [({"k": kept}, (str(at), 0, 1, text, *ROW[4:])) for at, (kept, text) in enumerate(texts)])
            options = ReadOptions(text_key="text", id_key="document", table=TableOptions(keep=("k",)))
            found = [(one.kept[0][1], one.text) for one in read_documents(path, options=options)]
        assert found == texts

    check()


def test_excel_opens_it(tmp_path: Path) -> None:
    """CSV begins with the byte order mark by which Excel knows UTF-8; a workbook's texts are no formulas."""
    assert _write(tmp_path / "a.csv", [({}, ROW)]).read_bytes().startswith(b"\xef\xbb\xbfdocument,start")
    path = _write(tmp_path / "a.xlsx", [({"k": '=HYPERLINK("x")'}, (*ROW[:3], "#N/A", *ROW[4:]))])
    cells = openpyxl.load_workbook(path).active[2]
    assert [(cell.value, cell.data_type) for cell in cells[1:5]][::3] == [('=HYPERLINK("x")', "s"), ("#N/A", "s")]
    assert list(pandas.read_excel(path, dtype=str)["k"]) == ['=HYPERLINK("x")']


def test_a_sheet_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows go on in the next sheet, which has the header too."""
    monkeypatch.setattr(forms, "_SHEET_ROWS", 4)
    path = _write(tmp_path / "a.xlsx", [({}, (f"d{at}", *ROW[1:])) for at in range(7)])
    book = openpyxl.load_workbook(path)
    assert [sheet.title for sheet in book] == ["entities", "entities 2", "entities 3"]
    assert [[row[0].value for row in sheet.iter_rows(min_row=2)] for sheet in book] == [
        ["d0", "d1", "d2"],
        ["d3", "d4", "d5"],
        ["d6"],
    ]


def test_a_cell_that_excel_cannot_hold(tmp_path: Path) -> None:
    """Is cut at 32,767 units of UTF-16, counted and told; CSV holds it whole."""
    long = "胸" * 32_760 + "😀" * 9
    for suffix, length, cut in ((".xlsx", 32_763, 1), (".csv", len(long), 0)):
        path = tmp_path / f"a{suffix}"
        with entity_table(path) as table:
            table.add((("k", long),), [ROW])
        assert len(str(_back(path)[1][1])) == length
        assert table.cut == cut
        assert len(list(table.remarks())) == cut


@pytest.mark.parametrize("suffix", FORMS)
def test_a_table_without_entities(suffix: str, tmp_path: Path) -> None:
    """Has its header."""
    with entity_table(tmp_path / f"a{suffix}", ("科室",)):
        pass
    assert _back(tmp_path / f"a{suffix}") == [["document", "科室", *COLUMNS[1:]]]


def test_names_of_kept_columns(tmp_path: Path) -> None:
    """One that the table has already gets another; columns that the first document lacks are told."""
    assert columns_with(("text", "text", "科室")) == (
        "document",
        "input_text",
        "input_input_text",
        "科室",
        *COLUMNS[1:],
    )
    with entity_table(tmp_path / "a.csv") as table:
        table.add((("科室", "内科"),), [ROW])
        table.add((("性别", "女"),), [ROW])
    assert list(table.remarks()) == [f"{tmp_path / 'a.csv'}: without the columns 性别, which the first document lacks"]


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    """With those there are."""
    with pytest.raises(UserError, match=r"\.csv, \.tsv, \.xlsx, \.parquet"), entity_table(tmp_path / "a.xls"):
        pass


def _fail(path: Path) -> None:
    with entity_table(path) as table:
        table.add((), [ROW])
        raise RuntimeError


@pytest.mark.parametrize("suffix", FORMS)
def test_nothing_stays_of_a_run_that_fails(suffix: str, tmp_path: Path) -> None:
    """The table that was there before is as it was."""
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError):
        _fail(path)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(path.name, b"before")]


def test_the_rows_of_an_annotated_document() -> None:
    """In offsets of the document, in text order, the name of a conflict unique in the document."""
    text = "胸痛。\r\n高血压😀咳嗽。"
    document = Document("d", text)
    first = Annotation(
        Sentence("d#0", "胸痛。", 0, "d"), (AnnotatedEntity(Entity(0, 2, "sym"), Decision.AGREED, ("a",), 0.75),)
    )
    second = Annotation(
        Sentence("d#1", "高血压😀咳嗽。", 5, "d"),
        (
            AnnotatedEntity(Entity(4, 6, "sym"), Decision.JUDGED, ("a", "b"), None, "c0"),
            AnnotatedEntity(Entity(0, 3, "dis"), Decision.HUMAN),
        ),
    )
    labels = load_label_set("cmeee-v2")
    assert list(entity_rows(AnnotatedDocument(document, (first, second)), labels)) == [
        ("d", 0, 2, "胸痛", "sym", "临床表现", 0.75, "agreed", "a", None),
        ("d", 5, 8, "高血压", "dis", "疾病", None, "human", "", None),
        ("d", 9, 11, "咳嗽", "sym", "临床表现", None, "judged", "a,b", "s1.c0"),
    ]
    assert [row[5] for row in entity_rows(AnnotatedDocument(document, (first,)), None)] == [""]
