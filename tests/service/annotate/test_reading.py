"""What `medner annotate` takes files for, and how it reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from medner.core.errors import BadInputError
from medner.core.records import Document
from medner.store.corpora import write_documents

CASES = Path(__file__).parents[2] / "cases"


def documents(result: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    "text", ["甲\tO\n乙\tB-dis", '{"text": "胸痛"}', "胸痛。|||0 1 sym|||", "MSH|^~\\&|胸痛", "血型 O", "<p>胸痛</p>"]
)
def test_a_text_is_never_guessed(kit: Any, text: str) -> None:
    """What is given behind --text is plain text, whatever it looks like, and nothing is said of a format."""
    result = kit.run("--text", text, "--json", "--encoding", "gb18030")
    assert result.exit_code == 0, result.exception
    [record] = documents(result)
    assert record["text"] == text
    assert "read as" not in result.stderr


def test_every_guess_is_said_but_plain_text(kit: Any, tmp_path: Path) -> None:
    """The line is on standard error; standard output holds the documents alone."""
    (tmp_path / "note.txt").write_text("胸痛。", encoding="utf-8")
    shutil.copy(CASES / "13-bioes" / "train.txt", tmp_path / "train.txt")
    result = kit.run(tmp_path / "note.txt", tmp_path / "train.txt", "--json")
    assert [one["text"] for one in documents(result)] == ["胸痛。", "胸部疼痛。", "肺炎"]
    assert f"{tmp_path / 'train.txt'}: read as bio" in result.stderr.splitlines()
    assert "note.txt: read as" not in result.stderr
    assert "read as" not in kit.run(tmp_path / "train.txt", "--format", "bio").stderr


def test_an_error_of_a_guessed_file_says_the_guess(kit: Any, tmp_path: Path) -> None:
    """Who gave a note learns why a tag is asked for."""
    path = tmp_path / "train.txt"
    path.write_text("胸\tB-sym\n" * 20 + "痛\n", encoding="utf-8")
    error = kit.run(path).exception
    assert isinstance(error, BadInputError)
    assert f"{path}:21" in str(error)
    assert "read as bio" in str(error)
    assert "--format" in str(error)


def test_pairs_of_a_folder_are_one_document(kit: Any, tmp_path: Path) -> None:
    """An annotation table beside its text is no note of its own, named as folder or as files."""
    shutil.copytree(CASES / "02-ccks2017-pair", tmp_path / "in")
    out = tmp_path / "out.jsonl"
    for given in ([tmp_path / "in"], sorted((tmp_path / "in").iterdir())):
        assert kit.run(*given, "-o", out, "--restart").exit_code == 0
        [record] = kit.records(out)
        assert (record["id"], record["text"]) == ("病史特点-1", "患者头痛两天，无发热。")
        assert "entities" in record


def test_a_term_over_a_line_end_is_one_entity(kit: Any, tmp_path: Path) -> None:
    """With --join-lines the models see one line, and the entity is that of the original text."""
    path = tmp_path / "hardbreak.txt"
    text = "患者因反复胸\r\n痛三天入院，既往高血\n压病史。\n\n咳嗽。"
    path.write_bytes(text.encode())
    out = tmp_path / "out.jsonl"
    assert kit.run(path, "-o", out, "--join-lines").exit_code == 0
    [record] = kit.records(out)
    assert record["text"] == text
    assert [(one["text"], one["label"]) for one in record["entities"]] == [
        ("胸\r\n痛", "sym"),
        ("高血\n压", "dis"),
        ("咳嗽", "sym"),
    ]
    assert all(text[one["start"] : one["end"]] == one["text"] for one in record["entities"])
    assert {sentence for _, sentence in kit.asked} == {"患者因反复胸痛三天入院，既往高血压病史。", "咳嗽。"}
    assert kit.run(path, "-o", out, "--restart").exit_code == 0
    [record] = kit.records(out)
    assert [one["text"] for one in record["entities"]] == ["咳嗽"]
    shown = kit.run(path, "--join-lines").stdout
    assert "  临床表现: 胸⏎痛 [5,9)" in shown.splitlines()


def test_files_of_another_encoding(kit: Any, tmp_path: Path) -> None:
    """--encoding holds for every input; UTF-8 files among them stay what they are."""
    (tmp_path / "a.txt").write_bytes("患者胸痛。".encode("big5", "replace"))
    (tmp_path / "b.txt").write_text("患者胸痛。", encoding="utf-8")
    result = kit.run(tmp_path, "--json", "--encoding", "big5")
    assert [one["entities"][0]["text"] for one in documents(result)] == ["胸痛", "胸痛"]


@pytest.mark.parametrize("name", ["webanno-tsv", "cas-json", "cas-xmi"])
def test_files_of_inception_are_read_in_a_folder(kit: Any, tmp_path: Path, name: str) -> None:
    """Beside notes, with their names as ids; a table in the same folder is left out, and the types of an XMI too."""
    texts = {"a": "胸痛😊。", "b": "咳嗽。"}
    write_documents([Document(one, text) for one, text in texts.items()], tmp_path / "in", format=name)
    (tmp_path / "in" / "note.txt").write_text("发热。", encoding="utf-8")
    (tmp_path / "in" / "table.tsv").write_text("id\ttext\n1\t发热\n", encoding="utf-8")
    result = kit.run(tmp_path / "in", "--json")
    assert result.exit_code == 0, result.exception
    assert {one["id"]: one["text"] for one in documents(result)} == {**texts, "note": "发热。"}
    assert "table.tsv" in result.stderr
