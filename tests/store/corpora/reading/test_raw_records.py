"""Damaged files still give their good records."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.core.errors import BadInputError, UserError
from medner.store.corpora import BadRecords, read_documents
from medner.store.corpora.reading.raw_records import files_in

Make = Callable[..., Path]


def record(number: int) -> str:
    entity = {"start_idx": 2, "end_idx": 3, "type": "sym", "entity": "发热"}
    return json.dumps({"text": f"患者发热第{number}天。", "entities": [entity]}, ensure_ascii=False)


WHOLE = "[" + ", ".join(record(number) for number in range(5)) + "]"


@settings(max_examples=80)
@given(cut=st.integers(2, len(WHOLE.encode()) - 1))
def test_a_cut_off_array_gives_what_stands_before_the_cut(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """Wherever the file ends, also inside a character: the complete records are there, and the cut is said."""
    path = tmp_path_factory.mktemp("cut") / "notes.json"
    data = WHOLE.encode()[:cut]
    path.write_bytes(data)
    bad = BadRecords()
    documents = list(read_documents(path, format="cmeee", skip_bad=bad))
    complete = sum(
        data.startswith(("[" + ", ".join(record(n) for n in range(count))).encode()) for count in range(1, 6)
    )
    assert [one.text for one in documents] == [f"患者发热第{number}天。" for number in range(complete)]
    assert len(bad) == 1
    with pytest.raises(BadInputError):
        list(read_documents(path, format="cmeee"))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ('{"text": "无引号, "entities": []}', "not valid JSON"),
        ('{"text": "少括号", "entities": [}', "not valid JSON"),
        ('{"text": "少括号", "entities": []', "not valid JSON"),
        ('{"text": 5, "entities": []}', "valid string"),
        ('{"text": "患", "entities": 1}', "valid array"),
        ("7", "object"),
        ("乱写", "not valid JSON"),
        ('{"text": "\\ud800"}', "not valid JSON|Invalid JSON"),
    ],
)
def test_reading_goes_on_after_a_broken_record(make: Make, broken: str, reason: str) -> None:
    """One bad record is kept with its reason and text; its neighbours are read."""
    path = make(f"[{record(0)}, {broken}, {record(2)}, {record(3)}]")
    bad = BadRecords()
    documents = list(read_documents(path, skip_bad=bad))
    assert [one.id for one in documents] == ["notes-1", "notes-3", "notes-4"]
    assert [one.line for one in bad] == [2]
    assert broken[:5] in bad.records[0].raw
    with pytest.raises(BadInputError, match=reason):
        list(read_documents(path))


def test_a_missing_comma_is_said_and_costs_no_record(make: Make) -> None:
    """Two records without a comma between them are both read; the fault is a bad record of its own."""
    bad = BadRecords()
    assert len(list(read_documents(make(f"[{record(0)} {record(1)}]"), skip_bad=bad))) == 2
    assert [one.reason for one in bad] == ["a comma is missing before this record"]


def test_lines_that_are_not_utf8_are_bad_alone(make: Make) -> None:
    """A GB18030 line among UTF-8 lines is one bad record with the way out."""
    good = json.dumps({"id": "a", "text": "头痛"}, ensure_ascii=False).encode()
    path = make(good + b"\n" + '{"id": "b", "text": "发热"}'.encode("gb18030") + b"\r\n\n" + good, "n.jsonl")
    bad = BadRecords()
    assert len(list(read_documents(path, skip_bad=bad))) == 2
    assert [(one.line, "iconv" in one.reason) for one in bad] == [(2, True)]
    assert json.loads(bad.records[0].to_line())["raw"].startswith('{"id": "b"')


@pytest.mark.parametrize("name", ["cmeee", "ccks", "jsonl", "text", "bio", "label-studio", "doccano"])
@pytest.mark.parametrize("content", ["", "\ufeff", " \n\n"])
def test_an_empty_file_is_an_error(make: Make, name: str, content: str) -> None:
    """No format reads an empty file as no documents."""
    with pytest.raises(BadInputError, match="empty"):
        list(read_documents(make(content), format=name))


def test_a_folder_without_permission_is_an_error(tmp_path: Path) -> None:
    """A folder that cannot be listed is never read as empty."""
    with pytest.raises(UserError, match="cannot be read"):
        files_in(tmp_path / "missing", ".txt")
