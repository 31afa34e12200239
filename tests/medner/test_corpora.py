"""Reading and writing from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import medner

GOLD = [
    medner.Document("a", "患者胸痛。", (medner.Entity(2, 4, "sym"),)),
    medner.Document("b", "高血压。", (medner.Entity(0, 3, "dis"),)),
]


@pytest.mark.parametrize("format", ["jsonl", "brat", "label-studio", "doccano"])
def test_what_a_format_holds_comes_back(format: str, tmp_path: Path) -> None:  # noqa: A002
    """Documents written and read again are the same."""
    target = tmp_path / ("out.jsonl" if format != "brat" else "out")
    written = medner.write(GOLD, target, format=format, labels="cmeee-v2")
    assert (written.documents, written.entities, written.losses) == (2, 2, {})
    back = medner.read(target, format=format, labels="cmeee-v2")
    assert [(one.id, one.text) for one in back] == [("a", "患者胸痛。"), ("b", "高血压。")]
    assert [[entity.label for entity in one.entities] for one in back] == [["sym"], ["dis"]]
    assert back[0].entities[0].label_name == "临床表现"


def test_results_come_back_with_their_conflicts(nlp: medner.Annotator, tmp_path: Path) -> None:
    """JSON lines hold decisions and conflicts; reading them gives the same documents."""
    documents = list(nlp.pipe(["查心电图。胸痛。", "咳嗽。"]))
    medner.write(iter(documents), tmp_path / "out.jsonl")
    back = medner.read(tmp_path / "out.jsonl", labels="cmeee-v2")
    assert back == documents
    assert back[0].conflicts


def test_the_command_reads_what_python_writes(nlp: medner.Annotator, tmp_path: Path) -> None:
    """One format of results: each line is what `to_dict` gives."""
    document = nlp.annotate("胸痛。")
    medner.write(document, tmp_path / "out.jsonl")  # type: ignore[arg-type]
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8")) == document.to_dict()


def test_what_a_format_cannot_hold_is_counted(tmp_path: Path) -> None:
    """With a warning, and in what the writing gives."""
    nested = medner.Document("n", "右肺癌。", (medner.Entity(0, 3, "dis"), medner.Entity(0, 2, "bod")))
    with pytest.warns(UserWarning, match="lost: 1"):
        written = medner.write([nested], tmp_path / "out.bio", labels="cmeee-v2")
    assert sum(written.losses.values()) >= 1


def test_a_page_of_several_documents(nlp: medner.Annotator, tmp_path: Path) -> None:
    """`.html` writes the page."""
    medner.write(nlp.pipe(["胸痛。", "咳嗽。"]), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "胸痛" in page
    assert "咳嗽" in page


def test_bad_records_are_named_or_left_out(tmp_path: Path) -> None:
    """The first bad record is an error with its place; with skip_bad each is a warning."""
    path = tmp_path / "gold.jsonl"
    path.write_text('{"id": "a", "text": "胸痛", "entities": []}\n{"text":\n', encoding="utf-8")
    with pytest.raises(medner.BadInputError, match=r"gold\.jsonl:2"):
        medner.read(path)
    with pytest.warns(UserWarning, match=r"skipped: .*gold\.jsonl:2"):
        assert [one.id for one in medner.read(path, skip_bad=True)] == ["a"]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("out.json", {}, "does not tell the format"),
        ("out.jsonl", {"format": "xml"}, "no format 'xml'"),
        ("none/out.jsonl", {}, "none"),
    ],
)
def test_a_writing_that_cannot_be(name: str, settings: dict[str, str], message: str, tmp_path: Path) -> None:
    """Is refused in one line, and nothing is written."""
    with pytest.raises(medner.MednerError, match=message):
        medner.write(GOLD, tmp_path / name, **settings)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_there() -> None:
    """Is named."""
    with pytest.raises(medner.UserError, match="no such file"):
        medner.read("no/such/gold.json")
