"""Files shaped like text that people really have: each is read as what it is, or refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medner.core.errors import BadInputError, UserError
from medner.service.cli.app import main
from medner.store.corpora import Note, ReadOptions, read_documents

CASES = Path(__file__).parent
EXPORTS = CASES / "25-hospital-exports"
#: Case 05, and exports that are not UTF-8: only text is kept as files.
CCKS_LINE = (
    '{"originalText": "诊断：胃癌。", "entities": [{"label_type": "疾病和诊断", "start_pos": 3, "end_pos": 5}]}\n'
)
BINARY_EXPORTS = {
    "note.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50),
    "note.docx": b"PK\x03\x04\x14\x00\x06" + bytes(50),
    "notes.xlsx": b"PK\x03\x04\x14\x00\x06" + bytes(50),
    "note.pdf": b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n",
    "scan.png": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "notes.csv.gz": b"\x1f\x8b\x08\x00" + bytes(50),
    "notes_gbk.csv": "住院号,病历\n1,患者咳嗽三天\n".encode("gb18030"),
}
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a file and gives its path."""

    def write(content: str | bytes, name: str = "x.txt") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def found(path: Path, **options: object) -> tuple[str, list[tuple[str, list[tuple[str, str]]]]]:
    """A file's format, and its texts with their entities."""
    reading = read_documents(path, options=ReadOptions(**options))  # type: ignore[arg-type]
    documents = list(reading)
    return reading.format.name, [
        (one.text, [(entity.text_in(one.text), entity.label) for entity in one.entities]) for one in documents
    ]


def rows(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


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


TEXT_EXPORTS = (
    *("cda.xml", "hl7.txt", "msg.hl7", "note.html", "note.rtf", "notes.csv", "notes.tsv", "uima.xmi"),
    *("webanno.tsv", "webanno.txt"),
)


@pytest.mark.parametrize("name", [*TEXT_EXPORTS, *BINARY_EXPORTS])
@pytest.mark.parametrize("suffix", ["", ".txt", ".md"])
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


_WHOLE = [("胸部痛。", [("胸部痛", "sym")])]


@pytest.mark.parametrize(
    "content",
    [
        rows("胸\tB-sym", "部\tM-sym", "痛\tE-sym", "。\tO"),
        rows("胸 B-sym", "部 I-sym", "痛 L-sym", "。 O"),
        rows("胸 B_sym", "部 I_sym", "痛 I_sym", "。 O"),
        rows("胸 sym-B", "部 sym-I", "痛 sym-I", "。 O"),
        rows("胸\tI-sym", "部\tI-sym", "痛\tI-sym", "。\tO"),
        rows("胸 n B-sym", "部 n I-sym", "痛 n I-sym", "。 w O"),
        rows("胸部\tB-sym", "痛\tI-sym", "。\tO"),
        rows("-DOCSTART- O", "", "胸 B-sym", "部 I-sym", "痛 I-sym", "。 O"),
        rows("胸0\tB-sym", "部1\tI-sym", "痛0\tI-sym", "。0\tO"),
        rows("\ufeff胸\tB-sym", "部\tI-sym", "痛\tI-sym", "。\tO").replace("\n", "\r\n"),
        "\n" + rows("胸\tB-sym", "部\tI-sym", "痛\tI-sym", "。\tO"),
    ],
)
@pytest.mark.parametrize("suffix", [".txt", ".bio", ".conll"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_tags_of_every_scheme_are_read(make: Make, content: str, suffix: str, encoding: str) -> None:
    """Schemes, spellings, columns and encodings are found from the file."""
    if encoding != "utf-8":
        content = content.removeprefix("\ufeff")
    assert found(make(content.encode(encoding), f"x{suffix}")) == ("bio", _WHOLE)


def test_single_tokens_and_iob1(make: Make) -> None:
    """S, U and W are whole entities; in IOB1 a B parts two entities of one type; in BIO a stray I is an error."""
    for letter in "SUW":
        assert found(make(rows("胸\tB-sym", "痛\tE-sym", f"肺\t{letter}-bod"))) == (
            "bio",
            [("胸痛肺", [("胸痛", "sym"), ("肺", "bod")])],
        )
    assert found(make(rows("胸\tI-sym", "痛\tI-sym", "头\tB-sym", "痛\tI-sym", "肺\tI-bod"))) == (
        "bio",
        [("胸痛头痛肺", [("胸痛", "sym"), ("头痛", "sym"), ("肺", "bod")])],
    )
    with pytest.raises(BadInputError, match="does not continue"):
        found(make(rows("胸\tB-sym", "痛\tO", "肺\tI-bod")))
    with pytest.raises(BadInputError, match="without its last tag"):
        found(make(rows("胸\tB-sym", "痛\tI-sym", "。\tO", "肺\tB-bod", "炎\tE-bod")))


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


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-le", "big5", "utf-8"])
def test_encodings_are_named_or_found(make: Make, encoding: str) -> None:
    """--encoding is used for whatever file; UTF-8 with Chinese in it stays UTF-8, and that is noted."""
    path = make("患者咳嗽。".encode(encoding))
    assert found(path, encoding=encoding) == ("text", [("患者咳嗽。", [])])
    plain = make("患者咳嗽。", "y.txt")
    reading = read_documents(plain, options=ReadOptions(encoding="big5"))
    assert [one.text for one in reading] == ["患者咳嗽。"]
    assert reading.notes[Note.UTF8_FILE] == 1


def test_an_encoding_that_does_not_fit_is_said(make: Make) -> None:
    """The message names the encoding; what is in none that is known names the option."""
    with pytest.raises(BadInputError, match="ascii"):
        found(make("患者".encode("gb18030")), encoding="ascii")
    with pytest.raises(BadInputError, match="--encoding"):
        found(make("患兒咳嗽三天，發熱。".encode("big5")))
    with pytest.raises(BadInputError, match="utf-16-le"):
        found(make("患者咳嗽\n".encode("utf-16-le")))
    with pytest.raises(UserError, match="--encoding"):
        found(make("患者"), encoding="gb99")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("counted", ["text", "lf", "mark", "utf16", "lf and mark"])
def test_brat_offsets_of_other_tools_are_turned(make: Make, mark: str, counted: str) -> None:
    """Offsets that count CR LF as one, the byte order mark, or UTF-16 units are known by the entities' strings."""
    text = "主诉：\r\n咳嗽😀，\r\n胸痛。"
    seen = mark + text if "mark" in counted else text
    seen = seen.replace("\r\n", "\n") if "lf" in counted else seen
    lines = []
    for number, word in enumerate(("咳嗽", "胸痛"), 1):
        start = seen.index(word)
        if counted == "utf16":
            start = len(seen[:start].encode("utf-16-le")) // 2
        lines.append(f"T{number}\tsym {start} {start + 2}\t{word}\r\n")
    make(mark + text, "a.txt")
    ann = make(mark + "".join(lines), "a.ann")
    assert found(ann) == ("brat", [(text, [("咳嗽", "sym"), ("胸痛", "sym")])])


def test_brat_strings_that_are_nowhere_stay_errors(make: Make) -> None:
    """Turning offsets needs nearly all strings to fit; an .ann file that does not belong to its text is refused."""
    make("主诉：\r\n咳嗽，胸痛。", "a.txt")
    with pytest.raises(BadInputError, match="said to be"):
        found(make("T1\tsym 0 2\t咳嗽\nT2\tsym 1 3\t胸痛\n", "a.ann"))
