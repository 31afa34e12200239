"""CMeEE JSON: the end convention is found, never assumed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.core.labels import load_label_set
from medner.core.records import Entity
from medner.store.corpora import BadRecords, read_documents, write_documents

Make = Callable[..., Path]
TEXT = "患者咳嗽，胸痛。"


def entity(start: int, end: int, words: str | None = None, label: str = "sym") -> dict[str, object]:
    stated: dict[str, object] = {"start_idx": start, "end_idx": end, "type": label}
    return stated if words is None else {**stated, "entity": words}


def array(*entities: dict[str, object], **more: object) -> str:
    return json.dumps([{"text": TEXT, "entities": list(entities), **more}], ensure_ascii=False)


@pytest.mark.parametrize(
    ("entities", "inclusive"),
    [
        ([entity(2, 3, "咳嗽"), entity(5, 6, "胸痛")], True),
        ([entity(2, 4, "咳嗽"), entity(5, 7, "胸痛")], False),
        ([entity(5, 7, "胸痛。")], True),
        ([entity(5, 8, "胸痛。")], False),
        ([entity(2, 3), entity(5, 5, label="bod")], True),
        ([entity(2, 4), entity(0, 8)], False),
        ([], True),
    ],
)
def test_the_end_convention_is_read_and_kept(make: Make, entities: list[dict[str, object]], inclusive: bool) -> None:
    """Entity strings, or else the extremes, tell the convention; a rewrite states the same numbers."""
    path = make(array(*entities))
    reading = read_documents(path)
    documents = list(reading)
    assert reading.layout.end_inclusive is inclusive
    again = path.with_name("again.json")
    write_documents(documents, again, format="cmeee", layout=reading.layout)
    written = json.loads(again.read_text(encoding="utf-8"))[0]["entities"]
    places = [(one["start_idx"], one["end_idx"]) for one in written]
    assert sorted(places) == sorted((one["start_idx"], one["end_idx"]) for one in entities)


def test_a_contradictory_file_says_so(make: Make) -> None:
    """Both conventions in one file are an error that counts them, and names the records."""
    path = make(array(entity(2, 3, "咳嗽"), entity(5, 7, "胸痛")))
    with pytest.raises(BadInputError, match=r"inclusive for 1 entities .*exclusive for 1") as caught:
        list(read_documents(path))
    assert caught.value.key == "end_idx"
    with pytest.raises(BadInputError, match="contradicts"):
        list(read_documents(path, skip_bad=BadRecords()))


@pytest.mark.parametrize("entities", [[entity(2, 3)], [entity(2, 3, "头晕")]])
def test_a_file_that_does_not_tell_is_an_error(make: Make, entities: list[dict[str, object]]) -> None:
    """Without a string that fits, the convention is not guessed."""
    with pytest.raises(BadInputError, match="cannot tell whether"):
        list(read_documents(make(array(*entities))))


def test_a_few_of_the_other_convention_are_bad_records(make: Make) -> None:
    """With a majority of nine to one the rest is skipped as bad, when asked to skip."""
    good = {"text": TEXT, "entities": [entity(2, 3, "咳嗽")]}
    path = make(json.dumps([good] * 9 + [{"text": TEXT, "entities": [entity(2, 4, "咳嗽")]}]))
    bad = BadRecords()
    assert len(list(read_documents(path, skip_bad=bad))) == 9
    assert [(one.line, one.key) for one in bad] == [(10, "entities.0")]


@pytest.mark.parametrize(
    ("entities", "reason", "key"),
    [
        ([entity(2, 3, "咳嗽"), entity(5, 6, "胸闷")], "said to be '胸闷'", "entities.1"),
        ([entity(2, 3, "咳嗽"), entity(5, 60, "胸痛")], "not a span", "entities.1"),
        ([entity(2, 3, "咳嗽"), entity(-1, 0, "患")], "not a span", "entities.1"),
        ([entity(2, 3, "咳嗽", "xyz")], "unknown label 'xyz'", "entities.0"),
        ([entity(2, 3, "咳嗽"), {"end_idx": 3, "type": "sym"}], "is missing", "entities.1.start_idx"),
        ([entity(2, 3, "咳嗽"), {**entity(2, 3), "start_idx": "two"}], "valid integer", "entities.1.start_idx"),
    ],
)
def test_a_bad_entity_names_record_key_and_reason(
    make: Make, entities: list[dict[str, object]], reason: str, key: str
) -> None:
    """The error carries file, place, key and reason."""
    path = make(array(*entities))
    with pytest.raises(BadInputError, match=reason) as caught:
        list(read_documents(path, labels=load_label_set("cmeee-v2")))
    assert (caught.value.path, caught.value.line, caught.value.key) == (str(path), 1, key)


def test_chinese_labels_become_codes_and_are_written_back(make: Make) -> None:
    """With a label set a Chinese name means its code; the rewrite has the name again."""
    labels = load_label_set("cmeee-v2")
    path = make(array(entity(2, 3, "咳嗽", "临床表现")))
    reading = read_documents(path, labels=labels)
    documents = list(reading)
    assert documents[0].entities == (Entity(2, 4, "sym"),)
    write_documents(documents, path, format="cmeee", labels=labels, layout=reading.layout)
    assert json.loads(path.read_text(encoding="utf-8"))[0]["entities"][0]["type"] == "临床表现"


def test_unknown_keys_are_counted(make: Make) -> None:
    """Keys the format does not have are left out, and said."""
    reading = read_documents(make(array(entity(2, 3, "咳嗽") | {"by": "x"}, source="y")))
    list(reading)
    assert reading.dropped_keys == {"by": 1, "source": 1}


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_rewrite_keeps_the_style(make: Make, indent: int | None, end: str) -> None:
    """One line or indented, with a last line end or without, with a byte order mark: byte-equal."""
    value = json.loads(array(entity(2, 3, "咳嗽"), entity(5, 6, "胸痛"))) * 2
    path = make("\ufeff" + json.dumps(value, ensure_ascii=False, indent=indent) + end)
    before = path.read_bytes()
    reading = read_documents(path)
    documents = list(reading)
    write_documents(documents, path, format="cmeee", layout=reading.layout)
    assert path.read_bytes() == before
