"""Notes that hold nothing that can be seen: no crash, and no harm to the notes beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from medner.core.errors import BadInputError
from medner.service.cli.app import main

CASE = Path(__file__).parents[2] / "cases" / "34-blank-note-u3000"
BLANK = {
    "u3000": "\u3000\u3000\n\u3000",
    "nbsp": "\xa0",
    "zero-width": "\u200b\u200c\u200d\u2060",
    "marks": "\ufeff\ufeff",
    "next-line": "\x85\x85",
    "separators": "\u2028\u2029",
    "line-breaks": "\n\r\n\r\n\n",
    "controls": "\x07\x0c\x1f",
    "format": "\u202a\u202c\xad\u180e",
    "fillers": "\u3164\u2800",
    "selector": "\ufe0f",
    "spaces": "  \t ",
    "nothing": "",
}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder of three notes, two of them blank."""
    return Path(shutil.copytree(CASE, tmp_path / "notes"))


def test_a_folder_with_blank_notes_is_annotated(kit: Any, notes: Path, tmp_path: Path) -> None:
    """With --skip-bad the blank ones are named and left out; the other one has its entities."""
    result = kit.run(notes, "--skip-bad", "-o", tmp_path / "out.jsonl")
    assert result.exit_code == 1, result.stderr  # something was left out
    said = " ".join(result.stderr.split())
    assert "blank.txt: the file is empty" in said
    assert "nbsp.txt: the file is empty" in said
    [record] = kit.records(tmp_path / "out.jsonl")
    assert [one["text"] for one in record["entities"]] == ["咳嗽"]


def test_without_skip_bad_the_message_names_the_note(kit: Any, notes: Path) -> None:
    """A blank note is refused as an empty file is."""
    result = kit.run(notes)
    assert isinstance(result.exception, BadInputError)
    assert str(result.exception).endswith("blank.txt: the file is empty")


@pytest.mark.parametrize("name", BLANK)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_whatever_is_blank_is_an_empty_file(kit: Any, tmp_path: Path, name: str, encoding: str) -> None:
    """In every encoding, with every kind of white space, controls and characters without width."""
    (tmp_path / "note.txt").write_bytes(BLANK[name].encode(encoding))
    result = kit.run(tmp_path / "note.txt")
    assert isinstance(result.exception, BadInputError)
    assert "the file is empty" in str(result.exception)


@pytest.mark.parametrize("name", BLANK)
def test_a_blank_text_is_refused_in_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--text` with nothing to see in it ends with a message, before any model is loaded."""
    assert main(["annotate", "--text", BLANK[name]]) not in (0, 4)
    assert "empty" in capsys.readouterr().err


@pytest.mark.parametrize("name", BLANK)
def test_a_blank_document_has_no_entities(kit: Any, tmp_path: Path, name: str) -> None:
    """A record of a corpus whose text is blank is kept, without entities, and the page can be made of it."""
    lines = [{"id": "blank", "text": BLANK[name]}, {"id": "note", "text": f"{BLANK[name]}咳嗽。{BLANK[name]}"}]
    corpus = tmp_path / "notes.jsonl"
    corpus.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    result = kit.run(corpus, "-o", tmp_path / "out.jsonl", "--html", tmp_path / "out.html")
    assert result.exit_code == 0, result.stderr
    blank, note = kit.records(tmp_path / "out.jsonl")
    assert (blank["text"], blank["entities"]) == (BLANK[name], [])
    [entity] = note["entities"]
    assert (entity["text"], entity["start"]) == ("咳嗽", len(BLANK[name]))
    assert note["text"] == lines[1]["text"]


def test_a_long_blank_beginning_hides_no_note(kit: Any, tmp_path: Path) -> None:
    """A note behind more white space than is looked at for its format is still a note."""
    (tmp_path / "note.txt").write_text("\u3000\n" * 40_000 + "咳嗽。", encoding="utf-8")
    result = kit.run(tmp_path / "note.txt", "-o", tmp_path / "out.jsonl")
    assert result.exit_code == 0, result.stderr
    [record] = kit.records(tmp_path / "out.jsonl")
    assert [one["start"] for one in record["entities"]] == [80_000]
