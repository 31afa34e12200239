"""The records of a JSON file: an array, lines, objects that take several lines, or a list inside one object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum

from medner.core.characters import is_blank
from medner.store.corpora.reading.format import Reading
from medner.store.corpora.reading.notes import Note
from medner.store.corpora.reading.raw_records import (
    RawRecord,
    after_white,
    array_layout,
    filled_lines,
    json_array,
    read_unicode,
)

_BOM = "\ufeff"
_DECODER = json.JSONDecoder()
_OF_FILES = (Note.GB18030, Note.UTF16_FILE, Note.UTF8_FILE)
#: Keys that hold the text of a record in one of the tools that medner knows.
TEXT_KEYS = ("text", "originalText", "content", "sentence", "context", "data", "tokens", "tokenized_text", "dialogue")


class Container(StrEnum):
    """How the records of a JSON file are held."""

    ARRAY = "a JSON array"
    LINES = "JSON lines"
    OBJECTS = "JSON objects of several lines"


def json_records(reading: Reading, is_record: Callable[[object], bool]) -> Iterator[RawRecord]:
    """The records of the file, decoded; what cannot be decoded becomes a record with an error.

    ``is_record`` tells where to go on after a broken element of an array. Sets the reading's layout.
    """
    try:
        yield from _records(reading, is_record)
    finally:
        # The file may have been opened several times; it is one file all the same.
        reading.notes.update({note: 1 - reading.notes[note] for note in _OF_FILES if reading.notes[note] > 1})


def _records(reading: Reading, is_record: Callable[[object], bool]) -> Iterator[RawRecord]:
    text = _whole_unless_lines(reading)
    if text is None:
        yield from _unwrapped_single(reading, _decoded_lines(reading))
        return
    if text.startswith("[", after_white(text, _mark(text))):
        layout = replace(array_layout(text, reading.layout), lines=False)
        reading.set_layout(layout)
        yield from json_array(reading, text, is_record)
        return
    reading.unit = "record"
    reading.set_layout(replace(reading.layout, bom=text.startswith(_BOM), lines=None))
    yield from _unwrapped_single(reading, _objects(text))


def container_of(text: str) -> Container:
    """How this text, the beginning of a file or all of it, holds its records."""
    at = after_white(text, _mark(text))
    line, _, rest = text[at:].partition("\n")
    if line.startswith("["):
        return Container.LINES if not is_blank(rest) and _is_whole(line) else Container.ARRAY
    if _is_whole(line) or is_blank(rest):
        return Container.LINES
    try:
        _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return Container.LINES
    return Container.OBJECTS


def wrapped_records(value: object, text_key: str | None = None) -> list[object] | None:
    """The records that an object of a whole file holds: its one list of records, or records by their ids; else None."""
    if not isinstance(value, dict):
        return None
    data = value.get("data")
    if isinstance(data, dict) and any(isinstance(each, str) for each in data.values()):
        return None  # a task of Label Studio
    if any(isinstance(value.get(key), (str, list)) for key in TEXT_KEYS[:5]) or (text_key or "").split(".")[0] in value:
        return None
    lists = [[one for one in each if one is not None] for each in value.values() if isinstance(each, list)]
    held = [each for each in lists if each and all(map(_is_recordlike, each))]
    if len(held) == 1:
        return held[0]
    if len(value) == 1 and isinstance(inner := next(iter(value.values())), dict) and not _is_recordlike(inner):
        return wrapped_records(inner, text_key)
    if value and all(isinstance(each, dict) and _is_recordlike(each) for each in value.values()):
        return [each if "id" in each else {"id": name, **each} for name, each in value.items()]
    return None


def decoded(raw: str) -> tuple[object, str | None]:
    """The value of a piece of JSON and None, or None and the reason why it cannot be decoded."""
    try:
        return json.loads(raw), None
    except json.JSONDecodeError as error:
        return None, f"not valid JSON: {error.msg} at character {error.pos}"
    except (ValueError, RecursionError) as error:
        return None, f"not valid JSON: {error}"


def _whole_unless_lines(reading: Reading) -> str | None:
    """The file's text where its records are not lines; None where they are, so that they are read one by one."""
    first = next((record.raw for record in filled_lines(reading)), "")
    if first.lstrip()[:1] != "[" and _is_whole(first):
        return None
    text = read_unicode(reading.path, reading)
    return None if container_of(text) is Container.LINES else text


def _decoded_lines(reading: Reading) -> Iterator[RawRecord]:
    for record in filled_lines(reading):
        value, error = decoded(record.raw)
        if record.place == 1 or reading.layout.lines is None:
            reading.set_layout(replace(reading.layout, lines=True))
        yield replace(record, value=value, error=error)


def _unwrapped_single(reading: Reading, records: Iterator[RawRecord]) -> Iterator[RawRecord]:
    """The records, or where there is a single one that holds records, these."""
    first = next(records, None)
    if first is None:
        return
    held = wrapped_records(first.value, reading.options.text_key)
    second = next(records, None)
    if held is None or second is not None:
        yield first
        if second is not None:
            yield second
        yield from records
        return
    reading.unit = "record"
    reading.set_layout(replace(reading.layout, lines=None))
    for place, value in enumerate(held, 1):
        yield RawRecord(place, json.dumps(value, ensure_ascii=False), value)


def _objects(text: str) -> Iterator[RawRecord]:
    at, place = after_white(text, _mark(text)), 1
    while at < len(text):
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            if text.startswith(",", at):
                reason = "a comma between records, which only an array between [ and ] has"
            yield RawRecord(place, text[at:], error=f"not valid JSON: {reason}; what follows was not read")
            return
        yield RawRecord(place, text[at:end], value)
        at, place = after_white(text, end), place + 1


def _is_recordlike(value: object) -> bool:
    if isinstance(value, dict):
        return any(isinstance(value.get(key), (str, list)) for key in TEXT_KEYS) or isinstance(value.get("data"), dict)
    return (
        isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], (dict, list))
    )


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _mark(text: str) -> int:
    return 1 if text.startswith(_BOM) else 0
