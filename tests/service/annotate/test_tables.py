"""Tables in, tables out: the whole run, from a hospital's export to a file of entities."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pandas
import pytest

from medner.core.errors import BadInputError, ExternalError, UserError
from medner.service.annotate.journal import journal_path
from medner.service.inputs.annotation_inputs import Inputs, open_inputs
from medner.service.inputs.document_ids import DocumentIds
from medner.service.inputs.source_names import InputFile
from medner.service.inputs.splitting import Splitting
from medner.store.corpora import ReadOptions
from tests.store.corpora.tables.tables_kit import write_table

ROWS = (("001", "呼吸科", "患者咳嗽。\r\n胸痛😀。"), ("002", "心内科", "高血压，口服阿司匹林。"), ("003", "外科", ""))
OPTIONS = ("--text-column", "主诉", "--id-column", "住院号", "--keep", "科室")


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet", ".jsonl"])
def test_from_an_export_to_excel(suffix: str, kit: Any, tmp_path: Path) -> None:
    """One command; offsets count in the cell's own text, and the kept column stands beside each entity."""
    path = write_table(tmp_path / f"病历{suffix}", ROWS[:2], encoding="gb18030" if suffix == ".csv" else "utf-8")
    table = tmp_path / "实体.xlsx"
    result = kit.run(path, *OPTIONS, "--table", table)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert f"written: {table}" in result.stderr
    rows = list(openpyxl.load_workbook(table).active.iter_rows(values_only=True))
    assert rows[0][:7] == ("document", "科室", "start", "end", "text", "label", "label_name")
    assert [row[:7] for row in rows[1:]] == [
        ("001", "呼吸科", 2, 4, "咳嗽", "sym", "临床表现"),
        ("001", "呼吸科", 7, 9, "胸痛", "sym", "临床表现"),
        ("002", "心内科", 0, 3, "高血压", "dis", "疾病"),
        ("002", "心内科", 6, 10, "阿司匹林", "dru", "药物"),
    ]
    assert not journal_path(table).exists()


def test_the_encoding_is_told_once(kit: Any, tmp_path: Path) -> None:
    """One line says how the file was read, another what was left out, by its row."""
    path = write_table(tmp_path / "病历.csv", ROWS, encoding="gb18030")
    result = kit.run(path, *OPTIONS, "--table", tmp_path / "a.csv")
    assert result.stderr.count("GB18030") == 1
    assert f"{path}: 1 rows without text (left out): row 4" in result.stderr
    assert list(pandas.read_csv(tmp_path / "a.csv", dtype=str)["document"]) == ["001", "001", "002", "002"]


def test_json_lines_hold_the_kept_columns_too(kit: Any, tmp_path: Path) -> None:
    """And they come along when that file is the input of another run."""
    first, second = tmp_path / "out.jsonl", tmp_path / "again.csv"
    path = write_table(tmp_path / "病历.csv", ROWS[:2])
    assert kit.run(path, *OPTIONS, "-o", first, "--table", tmp_path / "a.parquet").exit_code == 0
    assert [record["kept"] for record in kit.records(first)] == [{"科室": "呼吸科"}, {"科室": "心内科"}]
    assert list(pandas.read_parquet(tmp_path / "a.parquet")["科室"]) == ["呼吸科", "呼吸科", "心内科", "心内科"]
    assert kit.run(first, "--table", second).exit_code == 0
    assert list(pandas.read_csv(second)["科室"]) == ["呼吸科", "呼吸科", "心内科", "心内科"]


def test_a_stopped_run_goes_on(kit: Any, tmp_path: Path) -> None:
    """The journal lies beside the table; what was done is not done again."""
    rows = [(f"{number}", "内科", f"第{number}天胸痛。") for number in range(12)]
    path, table = write_table(tmp_path / "病历.csv", rows), tmp_path / "实体.xlsx"
    kit.before = lambda strategy, sentence: UserError("the power is gone") if sentence == rows[6][2] else None
    assert isinstance(kit.run(path, *OPTIONS, "--table", table).exception, UserError)
    assert not table.exists()
    assert journal_path(table).exists()
    kit.asked.clear()
    kit.before = lambda strategy, sentence: None
    result = kit.run(path, *OPTIONS, "--table", table)
    assert "going on after" in result.stderr
    assert 0 < len(kit.asked) < 24
    assert len(pandas.read_excel(table)) == 12
    assert not journal_path(table).exists()


def test_a_large_table_is_read_while_the_run_goes_on(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and only its beginning before the work begins; a bad row is told when it is met."""
    defaults = Inputs.survey.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "hold_documents", 3)
    rows = [(f"{number}", "内科", f"第{number}天胸痛。") for number in range(9)]
    path = write_table(tmp_path / "病历.csv", [*rows, ("3", "内科", "咳嗽。")])
    result = kit.run(path, *OPTIONS, "--table", tmp_path / "a.csv", "--skip-bad")
    assert result.exit_code == 1
    assert "a large table: 3 rows are read, the others while the work goes on" in result.stderr
    assert f"skipped: {path}: row 11 [住院号]: '3' is the id of another of its documents too" in result.stderr
    assert len(pandas.read_csv(tmp_path / "a.csv")) == 9
    assert isinstance(kit.run(path, *OPTIONS, "--table", tmp_path / "b.csv").exception, BadInputError)
    assert not (tmp_path / "b.csv").exists()
    assert kit.run(path, *OPTIONS, "--table", tmp_path / "b.csv", "--limit", "5").exit_code == 0
    assert len(pandas.read_csv(tmp_path / "b.csv")) == 5


def test_what_follows_a_large_table(tmp_path: Path) -> None:
    """Other inputs come in their turn; every input has its hash at once."""
    first = write_table(tmp_path / "a.csv", [(f"{number}", "内科", "胸痛。") for number in range(9)])
    note = tmp_path / "b.txt"
    note.write_text("咳嗽。", encoding="utf-8")
    options = ReadOptions(text_key="主诉", id_key="住院号")
    inputs = Inputs([InputFile(first, "a.csv"), InputFile(note, "b.txt", id="b")], options=options)
    survey = inputs.survey(Splitting(256), hashes=True, hold_documents=4)
    assert (survey.documents, survey.complete, sorted(survey.hashes)) == (4, False, ["a.csv", "b.txt"])
    found = [one.document.id for one in inputs.split_documents(Splitting(256))]
    assert found == [*map(str, range(9)), "b"]


def test_ids_of_millions_of_rows() -> None:
    """Repeated ones are found, also among those of which only hashes are held."""
    ids, source = DocumentIds(), InputFile(Path("a.csv"), "a.csv")
    for number in range(200_000):
        ids.add(f"{number:08}", source)
    for number in (3, 60_000, 140_000, 199_999):
        with pytest.raises(BadInputError, match="is the id of another"):
            ids.add(f"{number:08}", source)


def test_a_folder_of_tables(kit: Any, tmp_path: Path) -> None:
    """Is read where the column is named; else its tables are listed as not read."""
    folder = tmp_path / "exports"
    folder.mkdir()
    for name in ("一月.csv", "二月.xlsx"):
        write_table(folder / name, [(f"{name}1", "内科", "胸痛。")])
    assert kit.run(folder, *OPTIONS, "--table", tmp_path / "a.csv").exit_code == 0
    assert sorted(pandas.read_csv(tmp_path / "a.csv")["document"]) == ["一月.csv1", "二月.xlsx1"]
    error = kit.run(folder).exception
    assert isinstance(error, UserError)
    assert "not read: 2 files" in str(error)


def test_mistakes_are_said_before_a_model_is_loaded(kit: Any, tmp_path: Path) -> None:
    """A table named with -o, a suffix that there is not, a wrong column, one file for two outputs."""
    path = write_table(tmp_path / "病历.csv", ROWS)
    for arguments, reason in (
        ((*OPTIONS, "-o", tmp_path / "a.xlsx"), "for a table of entities: --table"),
        ((*OPTIONS, "--table", tmp_path / "a.xls"), r"a table is written as .csv, .tsv, .xlsx, .parquet"),
        (("--text-column", "主述"), "is 主诉 meant"),
        ((*OPTIONS, "--table", tmp_path / "a.csv", "--html", tmp_path / "a.csv"), "would both write it"),
        ((*OPTIONS, "--table", path), "is an input"),
    ):
        error = kit.run(path, *arguments).exception
        assert isinstance(error, UserError)
        assert reason in str(error)
    assert kit.orders == []


def test_a_database_by_an_environment_variable(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address, which may hold a password, is on no command line, in no message and in no journal."""
    path = write_table(tmp_path / "emr.db", ROWS[:2])
    monkeypatch.setenv("EMR_URL", f"sqlite:///{path}?password=w0rd")
    arguments = ("env:EMR_URL", "--query", "SELECT * FROM notes", *OPTIONS, "--table", tmp_path / "a.csv")
    kit.before = lambda strategy, sentence: ExternalError("busy") if "阿司匹林" in sentence else None
    stopped = kit.run(*arguments)
    assert "w0rd" not in stopped.output + journal_path(tmp_path / "a.csv").read_text(encoding="utf-8")
    kit.before = lambda strategy, sentence: None
    result = kit.run(*arguments)
    assert result.exit_code == 0
    assert "password=***" in result.stderr
    assert "w0rd" not in result.output
    assert list(pandas.read_csv(tmp_path / "a.csv", dtype=str)["document"]) == ["001", "001", "002", "002"]
    error = kit.run("env:NO_SUCH_URL", "--query", "SELECT 1").exception
    assert isinstance(error, UserError)
    assert "NO_SUCH_URL: the environment variable is not set" in str(error)


def test_two_databases_are_two_inputs(tmp_path: Path) -> None:
    """Of one name or not; their rows have ids of their own."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_table(tmp_path / name / "emr.db", ROWS[:1])
    urls = [f"sqlite:///{tmp_path}/{name}/emr.db" for name in ("a", "b")]
    with open_inputs(urls, None, None) as sources:
        assert [one.shown for one in sources] == urls
        assert len({one.stem for one in sources}) == 2


@pytest.mark.parametrize(
    ("module", "suffix", "options"),
    [
        ("openpyxl", ".xlsx", ()),
        ("pyarrow.parquet", ".parquet", ()),
        ("sqlalchemy", ".db", ("--query", "SELECT * FROM notes")),
        ("openpyxl", ".csv", ("--table", "a.xlsx")),
        ("pyarrow", ".csv", ("--table", "a.parquet")),
    ],
)
def test_a_library_that_is_missing(
    module: str, suffix: str, options: tuple[str, ...], kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the command that installs it."""
    path = write_table(tmp_path / f"病历{suffix}", ROWS)
    monkeypatch.setitem(sys.modules, module, None)
    os.chdir(tmp_path)
    error = kit.run(path, *OPTIONS, *options).exception
    assert isinstance(error, UserError)
    assert "is missing: " in str(error)
    assert str(error).endswith("need pip install 'medner[tables]'")


def test_csv_needs_no_library(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In and out."""
    for module in ("openpyxl", "pyarrow", "sqlalchemy"):
        monkeypatch.setitem(sys.modules, module, None)
    path = write_table(tmp_path / "病历.csv", ROWS)
    assert kit.run(path, *OPTIONS, "--table", tmp_path / "a.csv").exit_code == 0


def test_a_broken_row_stops_the_run_and_is_named(kit: Any, tmp_path: Path) -> None:
    """With --skip-bad it is listed and counted, and the exit code is 1."""
    path = write_table(tmp_path / "病历.csv", ROWS[:2])
    path.write_bytes(path.read_bytes() + "004,外科\r\n".encode())
    error = kit.run(path, *OPTIONS, "--table", tmp_path / "a.csv").exception
    assert isinstance(error, BadInputError)
    assert str(error).startswith(f"{path}: row 4: 2 fields, but there are 3 columns")
    result = kit.run(path, *OPTIONS, "--table", tmp_path / "a.csv", "--skip-bad")
    assert result.exit_code == 1
    assert f"skipped: {path}: row 4: 2 fields" in result.stderr
