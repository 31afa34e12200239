"""What each of the smaller formats reads, refuses and loses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medner.core.errors import BadInputError, UserError
from medner.core.labels import load_label_set
from medner.core.records import Document, Entity
from medner.store.corpora import BadRecords, Loss, Note, read_documents, write_documents

Make = Callable[..., Path]


def lines(*records: object) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records)


def test_ccks_reads_marks_overlap_and_edge_white(make: Make) -> None:
    """A byte order mark, any order of keys, `overlap` and white space at an edge are read; the last is counted."""
    entity = {"end_pos": 6, "label_type": "疾病和诊断", "overlap": 0, "start_pos": 2}
    path = make("\ufeff" + lines({"entities": [entity], "originalText": "诊断 胃癌。"}), "a.txt")
    labels = load_label_set("ccks2019")
    reading = read_documents(path, labels=labels)
    documents = list(reading)
    assert reading.format.name == "ccks"
    assert documents == [Document("a-1", "诊断 胃癌。", (Entity(2, 6, "dis"),))]
    assert reading.notes[Note.EDGE_WHITE] == 1
    write_documents(documents, path, format="ccks", labels=labels, layout=reading.layout)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert json.loads(path.read_text(encoding="utf-8-sig"))["entities"] == [entity]


def test_repeated_entities_are_kept_once(make: Make) -> None:
    """The same entity twice is one entity, and counted."""
    reading = read_documents(make(lines({"text": "发热", "label": [[0, 2, "sym"], [0, 2, "sym"]]}), "a.jsonl"))
    assert [len(one.entities) for one in reading] == [1]
    assert reading.notes[Note.REPEATED] == 1


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        ("发\tO\n热\tI-sym\n", "does not continue", 2),
        ("发\tB-sym\n热\tI-dis\n", "does not continue", 2),
        ("发\tO\n热\tX\n", "unknown tag", 2),
        ("发\tO\n热\n", "a line needs", 2),
        ("发\tO\n\n\n热\tB-\n", "unknown tag", 4),
    ],
)
def test_bio_names_the_line(make: Make, content: str, reason: str, line: int) -> None:
    """A bad line is named by its own number; the other blocks are read when bad ones are skipped."""
    path = make(content + "\n\n咳\tB-sym\r\n嗽\tI-sym\r\n", "a.bio")
    with pytest.raises(BadInputError, match=reason) as caught:
        list(read_documents(path))
    assert caught.value.line == line
    bad = BadRecords()
    assert list(read_documents(path, skip_bad=bad))[-1].entities == (Entity(0, 2, "sym"),)
    assert len(bad) == 1


def test_bio_reads_words_and_spaces(make: Make) -> None:
    """Tokens of several characters, white-space tokens and a space before the tag are read."""
    document = next(read_documents(make("CT B-pro\n\t\tI-pro\n平扫\tI-pro\n \tO\n无\tB-sym\n", "a.conll")))
    assert document == Document("a-1", "CT\t平扫 无", (Entity(0, 5, "pro"), Entity(6, 7, "sym")))


def test_bio_keeps_the_outermost(tmp_path: Path) -> None:
    """Nested, crossing and doubled entities are lost one by one, each under its name."""
    entities = (Entity(0, 4, "sym"), Entity(0, 4, "dis"), Entity(0, 2, "bod"), Entity(3, 6, "sym"), Entity(6, 8, "sym"))
    path = tmp_path / "a.bio"
    report = write_documents([Document("a", "胸部疼痛乏力咳嗽", entities)], path, format="bio")
    assert report.losses == {Loss.IDS: 1, Loss.SAME_SPAN: 1, Loss.NESTED: 1, Loss.CROSSING: 1}
    assert next(read_documents(path)).entities == (Entity(0, 4, "dis"), Entity(6, 8, "sym"))


def test_brat_reads_fragments_of_a_broken_line(make: Make) -> None:
    """Fragments around a line break are one entity, written as brat demands; other layers are counted."""
    make("胸部\r\n疼痛", "a.txt")
    ann = make("T1\tsym 0 2;4 6\t胸部 疼痛\nT2\tbod 0 2\t胸部\nA1\tNeg T1\n#1\tNote T1\tx\n", "a.ann")
    reading = read_documents(ann)
    documents = list(reading)
    assert documents == [Document("a", "胸部\r\n疼痛", (Entity(0, 6, "sym"), Entity(0, 2, "bod")))]
    assert reading.notes[Note.OTHER_LAYER] == 2
    target = ann.parent / "out"
    write_documents(documents, target, format="brat")
    assert (target / "a.ann").read_text(encoding="utf-8").splitlines() == [
        "T1\tsym 0 2;4 6\t胸部 疼痛",
        "T2\tbod 0 2\t胸部",
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("T1\tsym 0 2;3 5\t胸部 疼痛", "discontinuous"),
        ("T1\tsym 0 2\t腹部", "said to be"),
        ("T1\tsym 0 99\t胸部", "not a span"),
        ("T1 sym 0 2 胸部", "text-bound"),
    ],
)
def test_a_bad_brat_line_costs_its_entity_alone(make: Make, row: str, reason: str) -> None:
    """The error names the .ann file and the line; with skipping, the document stays with its good entities."""
    make("胸部及疼痛", "a.txt")
    ann = make(f"T0\tbod 0 2\t胸部\n{row}\n", "a.ann")
    with pytest.raises(BadInputError, match=reason) as caught:
        list(read_documents(ann))
    assert (caught.value.path, caught.value.line) == (str(ann), 2)
    bad = BadRecords()
    assert [one.entities for one in read_documents(ann, skip_bad=bad)] == [(Entity(0, 2, "bod"),)]
    assert [one.raw for one in bad] == [row]


def test_brat_refuses_what_would_break_its_lines(tmp_path: Path) -> None:
    """A label with white space, and two documents of one id, are errors, and no folder is left."""
    with pytest.raises(UserError, match="white space"):
        write_documents([Document("a", "发热", (Entity(0, 2, "a b"),))], tmp_path / "out", format="brat")
    with pytest.raises(UserError, match="two documents"):
        write_documents([Document("a", "发热"), Document("a", "咳嗽")], tmp_path / "out", format="brat")
    assert list(tmp_path.iterdir()) == []


def task(text: str, start: int, end: int, words: str, **more: object) -> dict[str, object]:
    value = {"start": start, "end": end, "text": words, "labels": ["sym"]}
    return {"data": {"text": text}, "annotations": [{"result": [{"type": "labels", "value": value}]}], **more}


def test_label_studio_offsets_are_turned_into_code_points(make: Make) -> None:
    """UTF-16 offsets are recognised by the entity string; code points are left as they are."""
    path = make(json.dumps([task("😀患者发热", 4, 6, "发热", id=7), task("😀患者发热", 3, 5, "发热", id=8)]))
    reading = read_documents(path)
    assert [(one.id, one.entities) for one in reading] == [("7", (Entity(3, 5, "sym"),)), ("8", (Entity(3, 5, "sym"),))]
    assert reading.notes[Note.UTF16] == 1


def test_label_studio_reads_the_finished_annotation(make: Make) -> None:
    """A cancelled annotation is passed over, a second one counted, a prediction taken where there is nothing else."""
    two = task("患者发热", 2, 4, "发热")
    good = two["annotations"][0]  # type: ignore[index]
    two["annotations"] = [{"was_cancelled": True, "result": []}, good, good]
    choice = {"type": "choices", "value": {"choices": ["好"]}}
    predicted = {
        "data": {"text": "患者发热"},
        "annotations": [],
        "predictions": [{"result": [*good["result"], choice]}],
    }
    reading = read_documents(make(json.dumps([two, predicted])))
    assert [one.entities for one in reading] == [(Entity(2, 4, "sym"),)] * 2
    assert reading.notes[Note.OTHER_ANNOTATOR] == reading.notes[Note.OTHER_LAYER] == 1


@pytest.mark.parametrize("value", [{}, {"start": 0}, {"start": "x", "end": 2, "labels": ["sym"]}])
def test_label_studio_names_the_region_at_fault(make: Make, value: dict[str, object]) -> None:
    """A region without its keys is named by its place in the result."""
    bad = {"data": {"text": "发热"}, "annotations": [{"result": [{"type": "labels", "value": value}]}]}
    with pytest.raises(BadInputError) as caught:
        list(read_documents(make(json.dumps([bad]))))
    assert str(caught.value.key).startswith("result.0.value.")


def test_doccano_reads_both_of_its_layouts(make: Make) -> None:
    """`label` lists and `entities` objects give the same; relations are counted."""
    old = {"id": 1, "text": "发热", "label": [[0, 2, "sym"]]}
    new = {"id": 2, "text": "发热", "entities": [{"id": 9, "start_offset": 0, "end_offset": 2, "label": "sym"}]}
    reading = read_documents(make(lines(old, new | {"relations": [{}]}), "a.jsonl"))
    assert reading.format.name == "doccano"
    assert list(reading) == [Document(name, "发热", (Entity(0, 2, "sym"),)) for name in "12"]
    assert reading.notes[Note.OTHER_LAYER] == 1


def test_text_reads_utf8_with_mark_and_gb18030(make: Make, tmp_path: Path) -> None:
    """The mark is not text, GB18030 is recognised and said, line ends stay, subfolders are part of the id."""
    make("患者\r\n发热\t", "a.txt")
    make("\ufeff患者", "b.txt")
    (tmp_path / "sub").mkdir()
    make("患者镕𠀀".encode("gb18030"), "sub/c.txt")
    reading = read_documents(tmp_path)
    assert [(one.id, one.text) for one in reading] == [("a", "患者\r\n发热\t"), ("b", "患者"), ("sub/c", "患者镕𠀀")]
    assert reading.notes[Note.GB18030] == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "binary"),
        (b"\x1f\x8b\x08\x01\x02\x03\x04\xff\xff", "neither"),
        ("患者 CT".encode("utf-16-le"), "--encoding utf-16-le"),
        (b" \n", "empty"),
    ],
)
def test_text_refuses_what_is_not_text(make: Make, data: bytes, reason: str) -> None:
    """Binary and empty files are errors that say so; the other files are read when bad ones are skipped."""
    path = make(data, "a.txt")
    with pytest.raises(BadInputError, match=reason):
        list(read_documents(path, format="text"))
    make("患者", "b.txt")
    bad = BadRecords()
    assert [one.id for one in read_documents(path.parent, skip_bad=bad)] == ["b"]
    assert len(bad) == 1


def test_a_file_that_cannot_be_opened_is_skipped_like_a_bad_one(tmp_path: Path) -> None:
    """By itself it is an error that says why; in a folder, the other files are read."""
    loop = tmp_path / "a.txt"
    loop.symlink_to(loop)  # refuses even the superuser
    (tmp_path / "b.txt").write_text("患者", encoding="utf-8")
    with pytest.raises(BadInputError, match="cannot be read"):
        read_documents(loop)
    bad = BadRecords()
    assert [one.id for one in read_documents(tmp_path, skip_bad=bad)] == ["b"]
    assert "cannot be read" in str(*bad)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.bin"])
def test_a_binary_file_is_called_so_whatever_its_name(make: Make, name: str) -> None:
    """A file with zero bytes is said to be binary, not to be of an unknown format; an image is called an image."""
    with pytest.raises(BadInputError, match="binary"):
        read_documents(make(b"\x01\x02\0\0", name))
    with pytest.raises(BadInputError, match="an image"):
        read_documents(make(b"\x89PNG\r\n\x1a\n\0\0", name))


@pytest.mark.parametrize(
    ("name", "content", "place", "unit"),
    [
        ("a.json", '[\n {"text": "发热"},\n {\n  "text": 7\n }\n]', "a.json: record 2 [text]", "record"),
        ("a.jsonl", '{"text": "发热"}\n{"text": 7}\n', "a.jsonl:2 [text]", "line"),
    ],
)
def test_a_bad_record_is_named_by_what_can_be_counted(
    make: Make, name: str, content: str, place: str, unit: str
) -> None:
    """In an array it is the record's number, which is no line; the kept record says the same."""
    path = make(content, name)
    form = "cmeee" if unit == "record" else "jsonl"
    with pytest.raises(BadInputError) as caught:
        list(read_documents(path, format=form))
    assert place in str(caught.value)
    bad = BadRecords()
    assert len(list(read_documents(path, format=form, skip_bad=bad))) == 1
    (one,) = bad
    assert str(one) == str(caught.value)
    assert json.loads(one.to_line())[unit] == 2


def test_text_to_one_file_holds_one_document(tmp_path: Path) -> None:
    """A second document has no place in a file; nothing is left of the first."""
    with pytest.raises(UserError, match="folder"):
        write_documents([Document("a", "发热"), Document("b", "咳嗽")], tmp_path / "x.txt", format="text")
    assert list(tmp_path.iterdir()) == []
