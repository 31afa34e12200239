"""Containers, keys and shapes of JSON that nobody has specified."""

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.core.errors import BadInputError, MednerError
from medner.store.corpora import FORMATS, BadRecords, Layout, read_documents, write_documents
from medner.store.corpora.reading.read_log import ReadLog, note_lines
from medner.store.corpora.reading.read_options import ReadOptions

Make = Callable[..., Path]
TEXT = "患者咳嗽"
SYM = [(2, 4, "sym")]
CMEEE = {"text": TEXT, "entities": [{"start_idx": 2, "end_idx": 3, "type": "sym", "entity": "咳嗽"}]}
OWN = {"text": TEXT, "entities": [{"start": 2, "end": 4, "label": "sym"}]}


def dumps(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def found(path: Path, options: ReadOptions | None = None) -> list[list[tuple[int, int, str]]]:
    reading = read_documents(path, options=options or ReadOptions())
    return [[(one.start, one.end, one.label) for one in document.entities] for document in reading]


@pytest.mark.parametrize(
    "record", [CMEEE, OWN, {"originalText": TEXT, "entities": []}, {"id": 1, "text": TEXT, "label": []}]
)
@pytest.mark.parametrize(
    "hold",
    [
        lambda record: dumps([record, record]),
        lambda record: dumps([record, record], 2),
        lambda record: dumps(record) + "\n" + dumps(record) + "\n",
        lambda record: dumps(record, 1) + "\n" + dumps(record, 1),
        lambda record: "\ufeff" + dumps(record) + "\r\n\r\n" + dumps(record),
        lambda record: dumps({"version": 2, "records": [record, record]}),
        lambda record: dumps({"data": {"train": [record, record]}}),
    ],
)
def test_any_container_holds_any_record(make: Make, hold: Callable[[object], str], record: dict[str, object]) -> None:
    """Arrays, lines, objects of several lines and wrapped lists give the same documents."""
    reading = read_documents(make(hold(record), "a.json"))
    assert [one.text for one in reading] == [TEXT, TEXT]
    assert (
        reading.format.name == read_documents(make(dumps([record]), "b.json"), format=reading.format.name).format.name
    )


@pytest.mark.parametrize("name", ["cmeee", "ccks", "jsonl", "doccano", "label-studio"])
@pytest.mark.parametrize("lines", [True, False])
def test_a_rewrite_keeps_the_container(make: Make, name: str, lines: bool) -> None:
    """Lines stay lines and an array stays an array, byte for byte."""
    documents = list(read_documents(make(dumps(OWN) + "\n" + dumps(OWN), "in.jsonl")))
    path = make("", "x.json")
    write_documents(documents, path, format=name, layout=Layout(lines=lines))
    before = path.read_bytes()
    assert before.startswith(b"{" if lines else b"[")
    reading = read_documents(path)
    back = list(reading)
    write_documents(back, path, format=name, layout=reading.layout)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "record",
    [
        {"text": TEXT, "entities": [{"start_idx": "2", "end_idx": 3.0, "type": "sym", "entity": "咳嗽"}]},
        {"text": TEXT, "label": [{"start_offset": 2, "end_offset": 4, "label": "sym"}]},
        {"text": TEXT, "label": [[2, 4, "咳嗽", "sym"]]},
        {"text": TEXT, "annotations": [{"label": "sym", "start_offset": 2, "end_offset": 4, "user": 1}]},
        {"text": TEXT, "entites": [{"start": 2, "end": 4, "label": "sym"}]},
        {"sentence": TEXT, "entities": [{"name": "咳嗽", "type": "sym", "pos": [2, 4]}]},
        {"text": TEXT, "entities": [{"entity": "咳嗽", "type": "sym", "start": 2, "end": 3}]},
        {"text": TEXT, "entities": [{"start": 2, "end": 4, "value": "咳嗽", "entity": "sym"}]},
        {"text": TEXT, "entities": [{"offset": 2, "length": 2, "category": "sym", "text": "咳嗽"}]},
        {"text": TEXT, "entities": [{"offsets": [[2, 4]], "text": ["咳嗽"], "type": "sym"}]},
        {"text": TEXT, "ents": [{"start": 2, "end": 4, "label": "sym"}], "tokens": [{"start": 0, "end": 2, "tag": 1}]},
        {"text": list(TEXT), "labels": ["O", "O", "B-sym", "E-sym"]},
        {"text": TEXT, "labels": ["O", "O", "B-sym", "I-sym"]},
        [TEXT, {"entities": [[2, 4, "sym"]]}],
        {"data": {"ref": "A", "note": TEXT}, "annotations": [{"result": [
            {"type": "labels", "value": {"start": 2, "end": 4, "text": "咳嗽", "labels": ["sym"]}}]}]},
    ],
)  # fmt: skip
def test_shapes_of_entities_that_are_read(make: Make, record: object) -> None:
    """Whatever the keys are called, start, end and label are the same entity."""
    assert found(make(dumps([record]))) == [SYM]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (dumps({"text": TEXT, "gold": {"sym": [{"begin": 2, "fin": 4}]}}), "looks like annotation: 'gold'"),
        (dumps({"text": TEXT, "entities": [{"entity": "咳嗽", "type": "sym"}]}), "'start' is missing"),
        (dumps({"text": TEXT, "entities": {"sym": ["咳嗽"]}}), "array of entities with offsets"),
        (dumps({"text": TEXT, "entities": ["咳嗽"]}), "no place in the text"),
        (dumps({"tokens": ["患"], "ner_tags": [0]}), "numbers as tags"),
        (dumps({"text": TEXT, "label": [[2, None, "sym"]]}), r"\[2, None, 'sym'\]"),
        (dumps([{"data": {"text": TEXT}, "annotations": [12]}]), "annotation"),
        (dumps([{"instruction": "x", "input": TEXT, "output": "y"}]), "--text-key input"),
        ("{'text': '患者'}\n", "double quotes"),
        (dumps({"text": TEXT}) + ",\n" + dumps({"text": TEXT}) + ",\n", "a comma between records"),
        ("{}", "no format that medner knows"),
    ],
)
def test_what_cannot_be_read_says_why(make: Make, content: str, reason: str) -> None:
    """One line; never an empty gold, never a note."""
    with pytest.raises(MednerError, match=reason):
        list(read_documents(make(content)))


def test_offsets_with_inclusive_ends_name_the_option(make: Make) -> None:
    """Where the string would fit with the other end, the error says so, and the option reads the file."""
    path = make(dumps([{"text": TEXT, "entities": [{"start": 2, "end": 3, "label": "sym", "text": "咳嗽"}]}]))
    with pytest.raises(BadInputError, match="--end inclusive"):
        list(read_documents(path, format="jsonl"))
    assert found(path, ReadOptions(end="inclusive")) == [SYM]


def test_a_text_key_may_lie_deeper(make: Make) -> None:
    """A dot leads into an object; keys like annotation are then left out by choice, and said."""
    path = make(dumps({"visit": {"note": TEXT, "no": 7}, "spo_list": [1]}), "a.jsonl")
    reading = read_documents(path, options=ReadOptions(text_key="visit.note", id_key="visit.no"))
    assert [(one.id, one.text) for one in reading] == [("7", TEXT)]
    assert any("spo_list" in line for line in note_lines(reading))


def test_a_log_is_told_once_a_file(make: Make) -> None:
    """Reading a file again says nothing new; bad records go to the log where the reading has no other place."""
    path = make(dumps(OWN | {"ward": "3"}) + "\n" + dumps({"text": None}) + "\n", "a.jsonl")
    said: list[str] = []
    log = ReadLog(said.append, BadRecords())
    for _ in range(2):
        assert len(list(read_documents(path, options=ReadOptions(log=log)))) == 1
    assert len(said) == 1
    assert "ward (1)" in said[0]
    assert log.bad is not None
    assert len(log.bad) == 2


_KEYS = st.sampled_from(
    [
        "text",
        "data",
        "entities",
        "label",
        "labels",
        "annotations",
        "result",
        "value",
        "start",
        "end",
        "type",
        "start_idx",
        "end_idx",
        "id",
        "spans",
        "tokens",
        "ner_tags",
        "originalText",
        "result_list",
        "prompt",
        "extractions",
        "char_interval",
        "context",
        "entity_label",
        "dialogue",
        "answer",
    ]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", TEXT, "sym", "2", "B-x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, max_size=6), st.sampled_from([None, *FORMATS]))
def test_no_json_whatever_is_a_defect(record: dict[str, object], name: str | None) -> None:
    """Any record is read, or refused with an error of medner's."""
    with tempfile.TemporaryDirectory() as folder, suppress(MednerError):
        path = Path(folder) / "a.json"
        path.write_text(dumps([{"text": TEXT, **record}]), encoding="utf-8")
        list(read_documents(path, format=name))
