"""Files with several systems side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.core.records import Entity
from medner.evaluation.side_by_side import read_side_by_side

GOOD = {"text": "咳嗽三天", "gold": [[0, 1, "sym"]], "one": [], "two": [[0, 3, "dis"]]}


def _file(folder: Path, *lines: object) -> Path:
    path = folder / "side.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def test_inclusive_ends_become_exclusive(tmp_path: Path) -> None:
    """[0, 1] are the first two characters."""
    read = read_side_by_side(_file(tmp_path, GOOD))
    assert read.gold[0].entities == (Entity(0, 2, "sym"),)
    assert {name: documents[0].entities for name, documents in read.systems.items()} == {
        "one": (),
        "two": (Entity(0, 4, "dis"),),
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"one": [[0, 4, "sym"]]}, r":2 \[one\]: .*outside its 4 characters"),
        ({"gold": [[2, 1]]}, r":2 \[gold\.0\.2\]"),
        ({"three": []}, r":2 \[three\]: every line must hold the same systems"),
        ({"gold": None}, r":2 \[gold\]"),
    ],
)
def test_a_bad_line_is_named_with_its_key(tmp_path: Path, change: dict[str, object], said: str) -> None:
    """Line, key and reason are in the message."""
    with pytest.raises(BadInputError, match=said):
        read_side_by_side(_file(tmp_path, GOOD, {**GOOD, **change}))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """No line, no systems."""
    with pytest.raises(BadInputError, match="holds no line"):
        read_side_by_side(_file(tmp_path))


def test_json_cut_off_is_named(tmp_path: Path) -> None:
    """A line that ends in the middle is not valid JSON."""
    path = tmp_path / "side.jsonl"
    path.write_text('{"text": "咳', encoding="utf-8")
    with pytest.raises(BadInputError, match=r"side\.jsonl:1"):
        read_side_by_side(path)
