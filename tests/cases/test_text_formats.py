"""Files shaped like text that people really have: each is read as what it is, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.service.cli.app import main
from medner.store.corpora import Note, read_documents
from tests.cases.text_kit import CASES, Make, found

EXPORTS = CASES / "25-hospital-exports"
#: Case 05, and exports that are not UTF-8: only text is kept as files.
CCKS_LINE = (
    '{"originalText": "诊断：胃癌。", "entities": [{"label_type": "疾病和诊断", "start_pos": 3, "end_pos": 5}]}\n'
)
BINARY_EXPORTS = {
    "note.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50),
    "notes.xlsx": b"PK\x03\x04\x14\x00\x06" + bytes(50),
    "scan.png": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "notes.csv.gz": b"\x1f\x8b\x08\x00" + bytes(50),
    "notes_gbk.csv": "住院号,病历\n1,患者咳嗽三天\n".encode("gb18030"),
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "01-cmeee-v1-bars/train.txt",
            (
                "cmeee-v1",
                [
                    ("患儿反复咳嗽伴胸部疼痛三天。", [("咳嗽", "sym"), ("胸部疼痛", "sym"), ("胸部", "bod")]),
                    ("未见异常。", []),
                ],
            ),
        ),
        (
            "02-ccks2017-pair/病史特点-1.txt",
            ("ccks2017", [("患者头痛两天，无发热。", [("头痛", "症状和体征"), ("发热", "症状和体征")])]),
        ),
        (
            "02-ccks2017-pair",
            ("ccks2017", [("患者头痛两天，无发热。", [("头痛", "症状和体征"), ("发热", "症状和体征")])]),
        ),
        ("04-ccks2019-bom/subtask1_training_part1.txt", ("ccks", [("，胃癌。", [("胃癌", "疾病和诊断")])])),
        ("13-bioes/train.txt", ("bio", [("胸部疼痛。", [("胸部疼痛", "sym")]), ("肺炎", [("肺", "bod")])])),
        ("17-conll2003/export.conll", ("bio", [("胸痛。", [("胸痛", "sym")])])),
        *((f"18-bio-space-token/{name}.bio", ("bio", [("胸 痛", [("胸", "sym")])])) for name in "abcd"),
    ],
)
def test_annotated_files_are_read(name: str, expected: object) -> None:
    """Each case's file gives the entities that its tool meant."""
    assert found(CASES / name) == expected


def test_the_command_says_what_it_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A guess is told on standard error; what was turned or left out as well."""
    out = tmp_path / "out.jsonl"
    gbk = tmp_path / "train_gbk.txt"
    gbk.write_bytes(CCKS_LINE.encode("gb18030"))
    given = [str(CASES / "17-conll2003/export.conll"), str(gbk)]
    assert main(["convert", *given, "--to", "jsonl", "-o", str(out)]) == 0
    told = capsys.readouterr().err
    assert "export.conll: read as bio" in told
    assert "train_gbk.txt: read as ccks" in told
    assert "DOCSTART" in told
    assert "GB18030" in told
    assert [json.loads(line)["text"] for line in out.read_text(encoding="utf-8").splitlines()] == [
        "胸痛。",
        "诊断：胃癌。",
    ]


TEXT_EXPORTS = (*("hl7.txt", "msg.hl7", "note.html", "note.rtf", "notes.csv", "notes.tsv"),)


#: Tables by their names: these are read, or refused for what is in them (tests/store/corpora/tables).
TABLES = ("notes.csv", "notes.tsv", "notes.xlsx", "notes_gbk.csv")


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        (name, suffix)
        for name in (*TEXT_EXPORTS, *BINARY_EXPORTS)
        for suffix in ("", ".txt", ".md")
        if suffix or name not in TABLES
    ],
)
def test_exports_are_refused_in_one_line(
    name: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the file, what it is and the way out, by whatever name; nothing is annotated as a note."""
    given = tmp_path / f"{name}{suffix}"
    given.write_bytes(BINARY_EXPORTS[name] if name in BINARY_EXPORTS else (EXPORTS / name).read_bytes())
    assert main(["convert", str(given), "--to", "text", "-o", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err.strip()
    assert "\n" not in told
    assert str(given) in told
    assert "which is not read here; " in told


@pytest.mark.parametrize(
    ("name", "entities"), [("webanno.tsv", [("咳嗽", "sym")]), ("webanno.txt", [("咳嗽", "sym")]), ("uima.xmi", [])]
)
@pytest.mark.parametrize("suffix", ["", ".txt", ".md"])
def test_files_of_inception_are_read(name: str, entities: list[tuple[str, str]], suffix: str, make: Make) -> None:
    """By whatever name: with what they say, and not as notes."""
    _, documents = found(make((EXPORTS / name).read_bytes(), f"{name}{suffix}"))
    assert documents == [("患者咳嗽", entities)]


def test_labels_without_their_texts_are_refused(make: Make) -> None:
    """A CCKS table alone says which text files it lacks; with them, it is read."""
    with pytest.raises(BadInputError, match=r"CCKS2018.*1\.txt"):
        found(CASES / "03-ccks2018-csv/train_label.csv")
    with pytest.raises(BadInputError, match=r"CCKS2017.*x\.txtoriginal\.txt"):
        found(make("头痛\t2\t3\t症状和体征\n"))
    table = make((CASES / "03-ccks2018-csv/train_label.csv").read_bytes(), "a/train_label.csv")
    make("患者头痛两天，无发热。", "a/入院现病史-1.txt")
    assert found(table)[1] == [("患者头痛两天，无发热。", [("头痛", "独立症状"), ("发热", "独立症状")])]
    make("患者头痛两天，未见发热。", "a/入院现病史-1.txt")
    with pytest.raises(BadInputError, match="said to be"):
        found(table)
    make("患者头痛两天，未见发热。", "a/b/11.txt")
    expected = [("患者头痛两天，未见发热。", [("头痛", "独立症状"), ("热", "独立症状")])]
    make("1,头痛\t2\t4\t独立症状;热\t10\t11\t独立症状\n", "a/train_label.csv")
    assert found(table) == ("ccks2018", expected)
    make("\ufeff1,头痛\t2\t3\t独立症状;热\t10\t10\t独立症状\r\n", "a/train_label.csv")
    assert found(table) == ("ccks2018", expected)


def test_ccks2017_pairs_of_all_kinds(make: Make, tmp_path: Path) -> None:
    """Byte order marks, CR LF, empty and missing tables; a bad row costs its entity and is named by its line."""
    make("\ufeff患者头痛，\r\n无发热。", "一般项目-2.txtoriginal.txt")
    table = make("\ufeff头痛\t2\t3\t症状\r\n\r\n发热\t8\t9\t症状\r\n", "一般项目-2.txt")
    make("未见异常。", "b-1.txtoriginal.txt")
    make("", "b-1.txt")
    make("仅有文本。", "c-1.txtoriginal.txt")
    reading = read_documents(tmp_path)
    assert {one.id: [entity.text_in(one.text) for entity in one.entities] for one in reading} == {
        "一般项目-2": ["头痛", "发热"],
        "b-1": [],
        "c-1": [],
    }
    assert reading.notes[Note.NO_TABLE] == 1
    make("头痛\t2\t3\t症状\n发烧\t8\t9\t症状\n", "一般项目-2.txt")
    with pytest.raises(BadInputError) as caught:
        list(read_documents(table))
    assert (caught.value.path, caught.value.line) == (str(table), 2)
