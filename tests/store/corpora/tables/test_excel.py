"""Excel workbooks: sheets, formulas, dates, ids that are numbers, damaged files."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest

from medner.core.errors import BadInputError
from tests.store.corpora.tables.tables_kit import Reader

HEADER: list[Any] = ["住院号", "日期", "主诉"]


def _book(path: Path, *sheets: tuple[str, list[list[Any]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_sheet_by_name_or_number(tmp_path: Path) -> None:
    """The first visible one else; the others are named, so that nobody misses a sheet."""
    path = _book(tmp_path / "a.xlsx", ("门诊", [HEADER, [1, None, "咳嗽"]]), ("住院", [HEADER, [2, None, "胸痛"]]))
    reader = Reader()
    assert [one.text for one in reader.read(path)] == ["咳嗽"]
    assert "the sheet '门诊' of a workbook (not read: '住院'; another: --sheet NAME)" in reader.told[0]
    assert [one.text for one in reader.read(path, sheet="住院")] == ["胸痛"]
    assert [one.text for one in reader.read(path, sheet="2")] == ["胸痛"]
    with pytest.raises(BadInputError, match="no sheet '急诊'; there are 门诊, 住院"):
        reader.read(path, sheet="急诊")


def test_values_that_are_no_text(tmp_path: Path) -> None:
    """Numbers as ids have no .0, dates are ISO 8601, error values and dates are no texts."""
    rows = [HEADER, [123, datetime(2024, 1, 5), "咳嗽"], [124.0, datetime(2024, 1, 5, 8, 30), 37.5], [125, 3, "#N/A"]]
    path = _book(tmp_path / "a.xlsx", ("a", [*rows, [126, True, date(2024, 1, 6)], [1234567890123456789, 1, "胸痛"]]))
    reader = Reader()
    found = reader.read(path, keep=("日期",))
    assert [(one.id, one.kept[0][1], one.text) for one in found] == [
        ("123", "2024-01-05", "咳嗽"),
        ("124", "2024-01-05 08:30:00", "37.5"),
    ]
    assert [line.partition(":")[0] for line in reader.bad] == ["row 4 [主诉]", "row 5 [主诉]", "row 6 [住院号]"]
    assert "holds the error #N/A" in reader.bad[0]
    assert "holds a date, not a text" in reader.bad[1]
    assert "more than 15 digits" in reader.bad[2]


def test_formulas_have_their_saved_values(tmp_path: Path) -> None:
    """What a spreadsheet program saved with them is read and noted; without it the row is refused."""
    path = _book(tmp_path / "a.xlsx", ("a", [HEADER, [1, None, '="胸"&"痛"'], [2, None, "咳嗽"], [3, None, "=C2"]]))
    with ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    assert '<c r="C4"><f>C2</f><v></v></c>' in sheet.replace("<v />", "<v></v>").replace("<v/>", "<v></v>")
    cell = '<c r="C4" t="str"><f>C2</f><v>胸痛三天</v></c>'
    sheet = sheet.replace("<v />", "<v></v>").replace("<v/>", "<v></v>").replace('<c r="C4"><f>C2</f><v></v></c>', cell)
    with ZipFile(path, "w") as book:
        for name, data in {**parts, "xl/worksheets/sheet1.xml": sheet.encode()}.items():
            book.writestr(name, data)
    reader = Reader()
    assert [(one.id, one.text) for one in reader.read(path)] == [("2", "咳嗽"), ("3", "胸痛三天")]
    assert "1 cells that are formulas (the values that were saved with them are read): row 4" in reader.told
    assert reader.bad == [
        "row 2 [主诉]: a formula whose value was not saved; open the file in a spreadsheet program and save it"
    ]


def test_merged_cells(tmp_path: Path) -> None:
    """A title over all columns leads to --header-row; an id over two rows stands in the first one only."""
    path = _book(tmp_path / "a.xlsx", ("a", [["病历"], HEADER, [1, None, "咳嗽"], [None, None, "胸痛"]]))
    book = openpyxl.load_workbook(path)
    book.active.merge_cells("A1:C1")
    book.active.merge_cells("A3:A4")
    book.save(path)
    with pytest.raises(BadInputError, match=r"row 1 \[主诉\]: the names of the columns stand in row 2"):
        Reader().read(path)
    reader = Reader()
    assert [one.text for one in reader.read(path, header_row=2)] == ["咳嗽"]
    assert "row 4 [住院号]: the row has no id (the cell is empty, or merged" in reader.bad[0]


def test_rows_are_padded_and_cells_beyond_the_header_are_no_error(tmp_path: Path) -> None:
    """A spreadsheet's rows end where their last filled cell does."""
    path = _book(tmp_path / "a.xlsx", ("a", [[*HEADER, "备注"], [1, None, "咳嗽"], [2, None, "胸痛", "x", "y"]]))
    found = Reader().read(path, keep=("备注",))
    assert [(one.id, one.kept) for one in found] == [("1", (("备注", None),)), ("2", (("备注", "x"),))]


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 no archive", b"PK\x03\x04" + bytes(80), b"\xd0\xcf\x11\xe0" + bytes(80)]
)
def test_damaged_and_protected_workbooks(content: bytes, tmp_path: Path) -> None:
    """Are refused in one line with the way out: saved again as .xlsx, without a password."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=r"\.xlsx") as caught:
        Reader().read(path)
    assert "password" in str(caught.value)
    assert "\n" not in str(caught.value)
