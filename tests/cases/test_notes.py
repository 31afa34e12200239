"""Notes that look like another format, and other formats that look like notes."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.store.corpora import read_documents
from tests.cases.text_kit import CASES, Make, found, rows


@pytest.mark.parametrize("name", sorted(path.name for path in (CASES / "49-note-read-as-bio").iterdir()))
def test_notes_that_look_like_another_format_are_text(name: str) -> None:
    """A blood group O at a line's end, vitamin B-12, a bracket at the beginning: a note, whole."""
    path = CASES / "49-note-read-as-bio" / name
    assert found(path) == ("text", [(path.read_bytes().decode(), [])])


@pytest.mark.parametrize(
    "note",
    [
        "血型：\tO\n",
        "甲 O\n",
        "O\n",
        "ABO血型\tO\nRh血型\tO\n",
        "维生素\tB-12\n",
        "1 咳嗽\n2 发热\n3 头痛\n4 乏力\n5 恶心\n",
        "体 温 正 常\n",
        "血压120|80mmHg。\n患者咳嗽。\n",
        "白细胞\t10.2\t4\t10\n红细胞\t4.5\t4\t5\n",
        "患者,男,35岁\n主诉:咳嗽,发热,3天\n",
        "体温<38度，心率>100次。",
        "<3天前咳嗽",
        "[]",
        '["咳嗽", 三天]',
        '[诊断]: "肺炎": 1',
        "{\n主诉: 咳嗽\n}",
        "# 主诉\n咳嗽三天。\n",
        "- 咳嗽\n- 发热\n",
        "S-T段抬高，B-超未见异常，E-cadherin O\n",
    ],
)
def test_further_notes_are_text(make: Make, note: str) -> None:
    """What a note has of another format by chance does not make it one."""
    assert found(make(note)) == ("text", [(note, [])])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.conll", rows("1\t胸\tB-sym", "2\t痛\tI-sym"), "first column counts"),
        ("x.bio", rows("胸\tB-sym", "痛\tX-sym"), "unknown tag 'X-sym'"),
        ("x.bio", rows("胸 n B-sym", "痛 I-sym"), "columns where the other lines have"),
        ("x.txt", rows(*["胸 B-sym"] * 12, "痛"), "x.txt:13: a line needs"),
        ("x.txt", "患/O 者/O 咳/B-sym 嗽/I-sym\n", "slash"),
        ("x.txt", "患 者 咳 嗽\nO O B-sym I-sym\n", "lines of tags"),
        ("x.txt", "患者<sym>咳嗽</sym>三天。", "tags in it"),
        ("x.txt", "| 实体 | 类型 |\n|---|---|\n| 咳嗽 | sym |\n", "bars"),
        ("x.txt", "id|病历\n1|患者咳嗽三天\n2|诊断肺炎\n", "bars"),
        ("x.txt", "住院号,病历\n1,患者咳嗽三天\n", "table"),
        ("x.txt", "T1\tsym 2 4\t咳嗽\n", "brat"),
        ("x.txt", "12345|t|咳嗽\n12345|a|患者咳嗽\n", "PubTator"),
        ("x.txt", "# sent_id = 1\n# text = 咳嗽\n1\t咳嗽\t_\tNOUN\n", "CoNLL-U"),
        ("x.txt", "咳嗽,2,4,sym\n发热,5,7,sym\n", "without its text"),
        ("x.txt", "\x0bMSH|^~\\&|A|B\rPID|1\r", "HL7"),
        ("x.txt", "患儿咳嗽。|||2 9 sym|||\n", "not a span"),
        ("x.txt", "患儿咳嗽。|||abc|||1 2 sym|||\n", "between bars"),
        ("x.txt", '{"姓名": "张三", "主诉": "咳嗽"}', "JSON"),
    ],
)
def test_what_looks_like_annotation_is_never_a_note(make: Make, name: str, content: str, reason: str) -> None:
    """It is refused, with what it is or with the line at fault."""
    with pytest.raises(BadInputError, match=reason):
        found(make(content, name))


def test_a_folder_of_notes_holds_notes_alone(make: Make, tmp_path: Path) -> None:
    """An annotated file among the notes of a folder is refused by name; the format text reads it as it is."""
    make("患者咳嗽。", "a.txt")
    make(rows("胸\tB-sym", "痛\tI-sym"), "b.txt")
    with pytest.raises(BadInputError, match=r"b\.txt: looks like bio"):
        list(read_documents(tmp_path))
    assert len(list(read_documents(tmp_path, format="text"))) == 2
