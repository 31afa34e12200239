"""Rows of tables as documents: the same in every form, unchanged, and nothing lost without a word."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medner.core.characters import is_blank
from medner.core.errors import BadInputError
from medner.store.corpora import guess_format
from medner.store.corpora.tables.cells import looks_numeric
from tests.store.corpora.tables.tables_kit import FORMS, Reader, write_table

ROWS = (("001", "呼吸科", "患者咳嗽三天。"), ("002", "心内科", '胸痛，\r\n"压榨样"，𠮷某😀'))
_CHARACTERS = st.sampled_from([*"患者胸痛，。“”\"',;|\t=+-@#_x000D\r\n 𠮷𪚥😀👨‍👩‍👧\u00a0\u3000"]) | st.characters(
    exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"
)
_CELLS = st.text(_CHARACTERS, min_size=1, max_size=30).filter(
    lambda text: not is_blank(text) and not looks_numeric(text)
)


@pytest.mark.parametrize("suffix", FORMS)
def test_a_row_is_a_document(suffix: str, tmp_path: Path) -> None:
    """With its id, its text as it stands in the cell, and the columns that are kept."""
    reader = Reader()
    found = reader.read(write_table(tmp_path / f"病历{suffix}", ROWS), keep=("科室",))
    assert [(one.id, one.text) for one in found] == [(row[0], row[2]) for row in ROWS]
    assert [one.kept for one in found] == [(("科室", row[1]),) for row in ROWS]
    assert reader.bad == []


@pytest.mark.parametrize("suffix", FORMS)
def test_any_text_comes_through_unchanged(suffix: str) -> None:
    """Emoji, CR LF, rare Han, quotation marks, commas, what looks like a formula or an escape."""

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=4))
    def check(cells: list[tuple[str, str]]) -> None:
        rows = [(f"n{number}", kept, text) for number, (kept, text) in enumerate(cells)]
        with tempfile.TemporaryDirectory() as folder:
            found = Reader().read(write_table(Path(folder) / f"t{suffix}", rows), keep=("科室",), text_key="主诉")
        assert [(one.id, one.kept[0][1], one.text) for one in found] == rows

    check()


@pytest.mark.parametrize("suffix", FORMS[:-1])
def test_a_wrong_name_of_a_column(suffix: str, tmp_path: Path) -> None:
    """The message has the columns there are, and the likely one."""
    path = write_table(tmp_path / f"病历{suffix}", ROWS)
    for wrong in ({"text_key": "主述"}, {"id_key": "住院"}, {"keep": ("科别",)}):
        with pytest.raises(BadInputError, match="there is no such column; the columns are 住院号, 科室, 主诉"):
            Reader().read(path, **wrong)
    with pytest.raises(BadInputError, match="is 主诉 meant"):
        Reader().read(path, text_key="主述")
    with pytest.raises(BadInputError, match="Name it: --text-column NAME; the columns are 住院号"):
        Reader().read(path, text_key=None)


def test_a_wrong_key_to_keep_of_json_lines(tmp_path: Path) -> None:
    """The record's keys are in the message."""
    reader = Reader()
    assert reader.read(write_table(tmp_path / "a.jsonl", ROWS[:1]), keep=("科别",)) == []
    assert "there is no such key to keep; the record has the keys '住院号', '科室', '主诉'" in reader.bad[0]


@pytest.mark.parametrize("suffix", FORMS[:-1])
def test_cells_that_are_no_text_or_no_id(suffix: str, tmp_path: Path) -> None:
    """Rows without text are noted and left out, rows without an id refused, numbers read: each named by its row."""
    rows = (*ROWS, ("003", "外科", ""), ("", "外科", "头痛"), ("005", "外科", "120"), ("006", "", " \u3000"))
    reader = Reader()
    found = reader.read(write_table(tmp_path / f"病历{suffix}", rows))
    first = 1 if suffix in (".parquet", ".db") else 2
    assert [one.id for one in found] == ["001", "002", "005"]
    assert f"2 rows without text (left out): rows {first + 2}, {first + 5}" in reader.told
    assert f"1 rows whose text is a number (read as its digits): row {first + 4}" in reader.told
    assert len(reader.bad) == 1
    assert reader.bad[0].startswith(f"row {first + 3} [住院号]: the row has no id")
    with pytest.raises(BadInputError, match=rf"row {first + 3} \[住院号\]"):
        Reader().read(tmp_path / f"病历{suffix}", skip_bad=False)


@pytest.mark.parametrize("suffix", FORMS[:-1])
@pytest.mark.parametrize("count", [2, 60])
def test_a_column_of_numbers_is_no_column_of_texts(suffix: str, count: int, tmp_path: Path) -> None:
    """Somebody named the wrong one."""
    rows = [(f"{number}", "科", f"{number * 3}.5") for number in range(count)]
    with pytest.raises(BadInputError, match="holds numbers only, no texts"):
        Reader().read(write_table(tmp_path / f"a{suffix}", rows))


@pytest.mark.parametrize("suffix", FORMS)
def test_the_columns_text_and_id_need_no_option(suffix: str, tmp_path: Path) -> None:
    """As the keys of JSON records."""
    path = write_table(tmp_path / f"a{suffix}", ROWS, header=("id", "ward", "text"))
    found = Reader().read(path, text_key=None, id_key=None)
    assert [(one.id, one.text) for one in found] == [(row[0], row[2]) for row in ROWS]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx", ".parquet"])
def test_rows_without_an_id_have_their_number(suffix: str, tmp_path: Path) -> None:
    """As the spreadsheet shows it, behind the file's name; blank rows count and are no documents."""
    rows = (ROWS[0], ("", "", ""), ROWS[1])
    found = Reader().read(write_table(tmp_path / f"病历{suffix}", rows), id_key=None)
    assert [one.id for one in found] == (["病历-1", "病历-3"] if suffix == ".parquet" else ["病历-2", "病历-4"])


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_title_above_the_header(suffix: str, tmp_path: Path) -> None:
    """The message names the row of the header, and --header-row reads it; 0 is no header at all."""
    path = write_table(tmp_path / f"病历{suffix}", [("住院号", "科室", "主诉"), *ROWS], header=("某院出院病历", "", ""))
    with pytest.raises(BadInputError, match="stand in row 2, below a title or a merged header: --header-row 2"):
        Reader().read(path)
    assert [one.id for one in Reader().read(path, header_row=2)] == ["001", "002"]
    bare = write_table(tmp_path / f"b{suffix}", ROWS[1:], header=ROWS[0])
    assert [one.id for one in Reader().read(bare, text_key="3", id_key="1", header_row=0)] == ["001", "002"]
    with pytest.raises(BadInputError, match="there is no row 9"):
        Reader().read(path, header_row=9)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_two_columns_of_one_name(suffix: str, tmp_path: Path) -> None:
    """Are refused only where that name is used."""
    path = write_table(tmp_path / f"病历{suffix}", ROWS, header=("科室", "科室", "主诉"))
    assert len(Reader().read(path, id_key=None)) == 2
    with pytest.raises(BadInputError, match=r"2 columns have this name \(columns 1, 2\)"):
        Reader().read(path, id_key="科室")


def test_the_formats_are_recognised(tmp_path: Path) -> None:
    """By name and content; a table that has another name is read as one where its column is named."""
    names = {".csv": "csv", ".tsv": "csv", ".xlsx": "excel", ".parquet": "parquet", ".db": "sql", ".jsonl": "jsonl"}
    for suffix, name in names.items():
        header = ("id", "科室", "text") if suffix == ".jsonl" else ("住院号", "科室", "主诉")
        assert guess_format(write_table(tmp_path / f"a{suffix}", ROWS, header=header)).name == name
    text = tmp_path / "a.txt"
    text.write_text("住院号,病历\n1,患者咳嗽三天\n", encoding="utf-8")
    with pytest.raises(BadInputError, match="--format csv --text-column NAME"):
        guess_format(text)
    assert [one.text for one in Reader().read(text, text_key="病历")] == ["患者咳嗽三天"]
