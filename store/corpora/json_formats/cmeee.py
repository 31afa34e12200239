"""CMeEE JSON (CBLUE): records ``{"text", "entities": [{"start_idx", "end_idx", "type", "entity"}]}``, array or lines.

Copies with an inclusive and with an exclusive ``end_idx`` are in circulation; which one a file is, is found from
its entity strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TextIO

from medner.core.records import Document
from medner.store.corpora.json.ends import ends_are_inclusive
from medner.store.corpora.json.entities import EntityKeys, as_in_text, entity_mentions, with_ends
from medner.store.corpora.json.fields import drop_unread, id_field, record_fields, text_field
from medner.store.corpora.json.output import write_records
from medner.store.corpora.json.records import json_records
from medner.store.corpora.reading.format import Format, Reading, Writing
from medner.store.corpora.reading.raw_records import RawRecord, read_records

_KEYS = EntityKeys(
    ("start_idx", "start_offset", "start", "start_pos"),
    ("end_idx", "end_offset", "end", "end_pos"),
    ("type", "label", "label_type"),
    ("entity", "text", "mention"),
)


def _read(reading: Reading) -> Iterator[Document]:
    inclusive = ends_are_inclusive(reading, json_records(reading, _is_record), _KEYS)

    def understand(reading: Reading, record: RawRecord) -> Document:
        if reading.layout.end_inclusive is not inclusive:
            reading.set_layout(replace(reading.layout, end_inclusive=inclusive))
        return _understand(reading, record)

    yield from read_records(reading, json_records(reading, _is_record), understand)


def _understand(reading: Reading, record: RawRecord) -> Document:
    fields, place = record_fields(reading, record), record.place
    text, _ = text_field(reading, place, fields, ("text",))
    mentions = entity_mentions(reading, place, fields.get("entities"), "entities", _KEYS)
    drop_unread(reading, fields, ("text", "entities", "id"))
    found = as_in_text(reading, text, with_ends(reading, mentions, inclusive=reading.layout.end_inclusive))
    return reading.document(id_field(reading, place, fields), text, found, line=place)


def _is_record(value: object) -> bool:
    return isinstance(value, dict) and "text" in value


def _write(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    write_records((_record(document, writing) for document in documents), out, writing.layout)


def _record(document: Document, writing: Writing) -> dict[str, object]:
    less = 1 if writing.layout.end_inclusive else 0
    return {
        **writing.id_where_kept(document),
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


FORMAT = Format(
    "cmeee", "CMeEE JSON array", _read, write_stream=_write, expects="'entities' with start_idx, end_idx, type"
)
