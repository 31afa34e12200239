"""No output is an input, what a run writes is no input of the next, and two inputs never get one id."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.line_kit import Line, line

__all__ = ["line"]
CASES = Path(__file__).parent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _copy(name: str, to: Path) -> None:
    shutil.copytree(CASES / name, to, dirs_exist_ok=True)


def _ids(path: str | Path) -> list[str]:
    return [json.loads(record)["id"] for record in Path(path).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("option", ["-o", "--html"])
@pytest.mark.parametrize("output", ["note.txt", "./note.txt", "link.txt", "hard.txt"])
def test_an_output_that_is_an_input_is_refused(line: Line, here: Path, option: str, output: str) -> None:
    """Under any of its names; the input stays as it was, and no model is asked."""
    _copy("31-output-is-input", here)
    before = Path("note.txt").read_bytes()
    Path("link.txt").symlink_to("note.txt")
    os.link("note.txt", "hard.txt")
    ended = line.annotate("note.txt", option, output)
    assert ended.code == 2
    assert "note.txt: is an input, and" in ended.err
    assert option in ended.err
    assert Path("note.txt").read_bytes() == before
    assert not line.kit.asked


def test_other_outputs_are_no_inputs_either(line: Line, here: Path) -> None:
    """The journal, recorded answers, the configuration and the traces' file are not written over."""
    _copy("31-output-is-input", here)
    assert line.annotate("note.txt", "-o", "out.jsonl").code == 0
    shutil.copy("out.jsonl", "x.jsonl.journal")
    for words in (
        ("note.txt", "--answers", "out.jsonl", "-o", "out.jsonl"),
        ("x.jsonl.journal", "-o", "x.jsonl"),
        ("note.txt", "--trace", "all", "--traces", "note.txt"),
    ):
        ended = line.annotate(*words)
        assert (ended.code, "is an input, and" in ended.err) == (2, True), words


@pytest.mark.parametrize(
    "words", [("gold.jsonl", "--to", "cmeee", "-o", "gold.jsonl"), (".", "--to", "text", "-o", "note.txt")]
)
def test_convert_does_not_write_over_its_input(line: Line, here: Path, words: tuple[str, ...]) -> None:
    """A file that is named, and one of a folder."""
    _copy("31-output-is-input", here)
    before = {path: path.read_bytes() for path in here.iterdir()}
    ended = line("convert", *words)
    assert (ended.code, "is an input, and" in ended.err) == (2, True)
    assert {path: path.read_bytes() for path in here.iterdir()} == before


def test_refused_records_do_not_replace_an_input(line: Line, here: Path) -> None:
    """The file of refused records is an output as well."""
    Path("a.jsonl.bad.jsonl").write_text('{"id": "x", "text": "咳嗽"}\n{', encoding="utf-8")
    ended = line("convert", "a.jsonl.bad.jsonl", "--from", "jsonl", "--skip-bad", "--to", "jsonl", "-o", "a.jsonl")
    assert (ended.code, "is an input, and" in ended.err) == (2, True)


@pytest.mark.parametrize("option", ["--html", "--json"])
def test_a_report_does_not_replace_what_it_is_about(line: Line, here: Path, option: str) -> None:
    """Neither the gold nor a system's predictions."""
    _copy("31-output-is-input", here)
    shutil.copy("gold.jsonl", "pred.jsonl")
    for name in ("gold.jsonl", "pred.jsonl"):
        for words in (("evaluate", "gold.jsonl", "pred.jsonl"), ("compare", "gold.jsonl", "pred.jsonl", "pred.jsonl")):
            ended = line(*words, option, name)
            assert (ended.code, "is an input, and" in ended.err) == (2, True)


def test_what_a_run_writes_is_no_input_of_the_next(line: Line, here: Path) -> None:
    """The same command over its own folder reads the notes alone each time, and says what it leaves out."""
    _copy("32-output-in-input-folder", here)
    for _ in range(3):
        ended = line.annotate(".", "-o", "out.jsonl", "--html", "page.html")
        assert ended.code == 0
        assert _ids("out.jsonl") == ["note"]
    assert "written by medner: 1 file: out.jsonl" in ended.err
    assert "not read: 1 file: page.html" in ended.err


def test_results_of_every_form_and_name_are_left_out(line: Line, here: Path) -> None:
    """Results under other names, journals, refused records, and what the terminal showed."""
    _copy("32-output-in-input-folder", here)
    assert line.annotate("note.txt", "-o", "first.jsonl").code == 0
    shutil.copy("first.jsonl", "second.json")
    shutil.copy("first.jsonl", "third.txt")
    Path("shown.txt").write_text(line.annotate("note.txt").out, encoding="utf-8")
    Path("old.jsonl.journal").write_text('{"medner_journal": 1}\n', encoding="utf-8")
    Path("x.jsonl.bad.jsonl").write_text('{"path": "x", "line": 1, "raw": "{"}\n', encoding="utf-8")
    ended = line.annotate(".", "-o", "out.jsonl")
    assert _ids("out.jsonl") == ["note"]
    assert "written by medner: 6 files" in ended.err
    # Named itself, a result is read.
    assert line.annotate("first.jsonl", "-o", "again.jsonl").code == 0
    assert _ids("again.jsonl") == ["note"]


def test_a_corpus_of_the_folder_is_not_written_over(line: Line, here: Path) -> None:
    """An output in the folder that holds somebody's own records is refused."""
    _copy("31-output-is-input", here)
    before = Path("gold.jsonl").read_bytes()
    ended = line.annotate(".", "-o", "gold.jsonl")
    assert (ended.code, "is an input, and -o" in ended.err) == (2, True)
    assert Path("gold.jsonl").read_bytes() == before


def test_unread_files_are_counted_and_named(line: Line, here: Path) -> None:
    """Other suffixes, hidden files and folders, links to folders; a folder of nothing else is an error."""
    _copy("32-output-in-input-folder", here)
    for name in ("scan.png", "letter.doc", ".hidden.txt", ".gitattributes"):
        Path(name).write_bytes(b"x")
    Path(".git").mkdir()
    Path(".git", "x.txt").write_text("咳嗽", encoding="utf-8")
    Path("elsewhere").symlink_to("/")
    os.mkfifo("pipe.txt")
    ended = line.annotate(".", "--json")
    assert ended.code == 0
    assert "not read: 6 files: .git/ (a hidden folder), elsewhere/ (a link), .hidden.txt (hidden)" in ended.err
    assert ".gitattributes" not in ended.err
    for name in ("letter.doc", "scan.png", "pipe.txt"):
        assert name in ended.err
    Path("only").mkdir()
    Path("only", "a.doc").write_bytes(b"x")
    ended = line.annotate("only")
    assert ended.code == 2
    assert "holds no file that ends in .txt" in ended.err
    assert "a.doc" in ended.err


def test_files_of_one_name_get_ids_that_differ(line: Line, here: Path) -> None:
    """Folders tell them apart, or the suffix; results can be converted and scored."""
    _copy("33-same-name-inputs", here)
    assert line.annotate("a", "b", "-o", "out.jsonl").code == 0
    assert _ids("out.jsonl") == ["a/01", "b/01"]
    assert line("convert", "out.jsonl", "--to", "brat", "-o", "brat").code == 0
    assert line("evaluate", "out.jsonl", "out.jsonl").code == 0
    assert line.annotate("a/01.txt", "b/01.txt", "-o", "out.jsonl").code == 0
    assert _ids("out.jsonl") == ["a/01", "b/01"]
    Path("a", "01.md").write_text("咳嗽。", encoding="utf-8")
    assert line.annotate("a", "-o", "out.jsonl").code == 0
    assert _ids("out.jsonl") == ["01.md", "01.txt"]
    assert line.annotate("a/01.txt", "-o", "out.jsonl").code == 0
    assert _ids("out.jsonl") == ["01"]


def test_one_file_under_two_names_is_read_once(line: Line, here: Path) -> None:
    """A folder and a file of it, a path said in two ways, a link."""
    _copy("33-same-name-inputs", here)
    Path("link.txt").symlink_to("a/01.txt")
    assert line.annotate("a", "a/01.txt", "./a", "link.txt", "-o", "out.jsonl").code == 0
    assert _ids("out.jsonl") == ["01"]


def test_records_without_ids_differ_by_their_files(line: Line, here: Path) -> None:
    """Made-up ids of two files of one name begin with the folders."""
    for folder in ("x", "y"):
        Path(folder).mkdir()
        Path(folder, "a.jsonl").write_text('{"text": "咳嗽。"}\n', encoding="utf-8")
    assert line.annotate("x", "y", "-o", "out.jsonl").code == 0
    assert _ids("out.jsonl") == ["x/a-1", "y/a-1"]
    assert line("convert", "x/a.jsonl", "y/a.jsonl", "--to", "jsonl", "-o", "c.jsonl").code == 0
    assert _ids("c.jsonl") == ["x/a-1", "y/a-1"]


def test_ids_of_their_own_that_are_alike_are_refused(line: Line, here: Path) -> None:
    """Of two files or of one, before a model is asked; --skip-bad leaves the later ones out and says so."""
    Path("a.jsonl").write_text('{"id": "1", "text": "咳嗽。"}\n', encoding="utf-8")
    Path("b.jsonl").write_text('{"id": "1", "text": "胸痛。"}\n', encoding="utf-8")
    Path("c.jsonl").write_text('{"id": "2", "text": "咳嗽。"}\n{"id": "2", "text": "胸痛。"}\n', encoding="utf-8")
    ended = line.annotate("a.jsonl", "b.jsonl", "-o", "out.jsonl")
    assert (ended.code, "b.jsonl [id]: '1' is the id of a document of a.jsonl too" in ended.err) == (2, True)
    ended = line.annotate("c.jsonl", "-o", "out.jsonl")
    assert (ended.code, "'2' is the id of another of its documents too" in ended.err) == (2, True)
    assert not line.kit.asked
    ended = line.annotate("a.jsonl", "b.jsonl", "-o", "out.jsonl", "--skip-bad")
    assert ended.code == 1
    assert "skipped: b.jsonl [id]" in ended.err
    for words in (("a.jsonl", "b.jsonl"), ("c.jsonl",)):
        ended = line("convert", *words, "--to", "jsonl", "-o", "d.jsonl")
        assert (ended.code, "is the id of" in ended.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "x", "--html", "x"),
        ("-o", "x", "--html", "./x"),
        ("-o", "x", "--html", "x.journal"),
        ("-o", "x", "--trace", "all", "--traces", "x"),
    ],
)
def test_two_outputs_are_two_files(line: Line, here: Path, words: tuple[str, ...]) -> None:
    """One would take the other's place in the end."""
    ended = line.annotate("--text", "咳嗽。", *words)
    assert (ended.code, "name two files" in ended.err or "give two files" in ended.err) == (2, True), ended.err
    assert not line.kit.asked
