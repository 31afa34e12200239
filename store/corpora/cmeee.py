"""CMeEE JSON (CBLUE): an array of ``{"text", "entities": [{"start_idx", "end_idx", "type", "entity"}]}``.

Copies with an inclusive and with an exclusive ``end_idx`` are in circulation; which one a file is, is found from
its entity strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TextIO

from pydantic import BaseModel, ConfigDict

from medner.store.corpora.format import Format, Mention, Reading, Writing
from medner.store.corpora.json_out import write_array
from medner.store.corpora.source import RawRecord, array_layout, json_array, parse, read_records, read_unicode
from medner.store.records import Document

# Under skip_bad a file may hold a few entities of the other convention: they are bad records, up to one in ten.
_CLEAR_MAJORITY = 9


class _EntityRecord(BaseModel):
    model_config = ConfigDict(extra="allow")
    start_idx: int
    end_idx: int
    type: str
    entity: str | None = None


class _Record(BaseModel):
    model_config = ConfigDict(extra="allow")
    text: str
    entities: list[_EntityRecord] = []


def _read(reading: Reading) -> Iterator[Document]:
    text = read_unicode(reading.path)
    inclusive = _ends_are_inclusive(reading, json_array(reading, text, _is_record))
    reading.set_layout(replace(array_layout(text, reading.layout), end_inclusive=inclusive))
    yield from read_records(reading, json_array(reading, text, _is_record), _understand)


def _understand(reading: Reading, record: RawRecord) -> Document:
    parsed = parse(_Record, reading, record)
    past = 1 if reading.layout.end_inclusive else 0
    mentions = []
    for number, entity in enumerate(parsed.entities):
        reading.drop_keys(entity.model_extra)
        mentions.append(
            Mention(entity.start_idx, entity.end_idx + past, entity.type, entity.entity, f"entities.{number}")
        )
    name = reading.made_up_id(record.place)
    return reading.document(name, parsed.text, mentions, line=record.place)


def _is_record(value: object) -> bool:
    return isinstance(value, dict) and "text" in value


def _ends_are_inclusive(reading: Reading, records: Iterator[RawRecord]) -> bool:
    """What the entities say about ``end_idx``; BadInputError when they say nothing, or contradict one another."""
    first: dict[bool, int] = {}
    votes = {True: 0, False: 0}
    seen = 0
    for record in records:
        for text, entity in _entities_of(record.value):
            seen += 1
            vote = _vote(text, entity)
            if vote is not None:
                votes[vote] += 1
                first.setdefault(vote, record.place)
    if seen and not first:
        raise reading.error(
            "cannot tell whether end_idx is inclusive or exclusive: no entity string equals the text at its place "
            "under either reading; check that 'entity', 'start_idx' and 'end_idx' belong to this text",
            None,
            "end_idx",
        )
    most = votes[True] >= votes[False]
    if votes[not most] and not (reading.skips_bad and votes[most] >= _CLEAR_MAJORITY * votes[not most]):
        raise reading.error(
            f"end_idx contradicts itself: inclusive for {votes[True]} entities (first in record {first[True]}), "
            f"exclusive for {votes[False]} (first in record {first[False]}); correct the fewer, or split the file",
            first[not most],
            "end_idx",
        )
    return most


def _entities_of(value: object) -> Iterator[tuple[str, dict[str, object]]]:
    if isinstance(value, dict) and isinstance(value.get("text"), str) and isinstance(value.get("entities"), list):
        for entity in value["entities"]:
            if isinstance(entity, dict):
                yield value["text"], entity


def _vote(text: str, entity: dict[str, object]) -> bool | None:
    start, end, words = entity.get("start_idx"), entity.get("end_idx"), entity.get("entity")
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start <= end <= len(text)):
        return None
    if isinstance(words, str):
        if end < len(text) and text[start : end + 1] == words:
            return True
        return False if start < end and text[start:end] == words else None
    # Without the string only the extremes speak: an exclusive end cannot be the start, an inclusive one not the length.
    if start == end:
        return True
    return False if end == len(text) else None


def _write(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    write_array((_record(document, writing) for document in documents), out, writing.layout)


def _record(document: Document, writing: Writing) -> dict[str, object]:
    writing.lose_id()
    less = 1 if writing.layout.end_inclusive else 0
    return {
        "text": document.text,
        "entities": [
            {
                "start_idx": entity.start,
                "end_idx": entity.end - less,
                "type": writing.label(entity.label),
                "entity": entity.text_in(document.text),
            }
            for entity in document.entities
        ],
    }


FORMAT = Format("cmeee", "CMeEE JSON array", _read, write_stream=_write)
