"""CCKS2019 task 1: ``{"originalText", "entities": [{"label_type", "start_pos", "end_pos"}]}``, lines or an array.

``start_pos`` counts from 0, ``end_pos`` is exclusive, ``label_type`` is the Chinese name, and there are no entity
strings. ``overlap`` stands in the training files and not in the test file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TextIO

from medner.core.records import Document, Entity
from medner.store.corpora.json.entities import EntityKeys, as_in_text, entity_mentions, with_ends
from medner.store.corpora.json.fields import drop_unread, id_field, record_fields, text_field
from medner.store.corpora.json.output import write_records
from medner.store.corpora.json.records import json_records
from medner.store.corpora.reading.format import Format, Reading, Writing
from medner.store.corpora.reading.raw_records import RawRecord, read_records

_KEYS = EntityKeys(
    ("start_pos", "start", "start_idx", "start_offset"),
    ("end_pos", "end", "end_idx", "end_offset"),
    ("label_type", "type", "label"),
    ("entity", "text", "mention"),
    unused=("overlap",),
)


def _read(reading: Reading) -> Iterator[Document]:
    return read_records(reading, json_records(reading, _is_record), _understand)


def _understand(reading: Reading, record: RawRecord) -> Document:
    fields, place = record_fields(reading, record), record.place
    text, _ = text_field(reading, place, fields, ("originalText",))
    entities = fields.get("entities")
    mentions = list(entity_mentions(reading, place, entities, "entities", _KEYS))
    drop_unread(reading, fields, ("originalText", "entities", "id"))
    if not reading.layout.overlap_key and isinstance(entities, list):
        overlap = any(isinstance(one, dict) and one.get("overlap") is not None for one in entities)
        reading.set_layout(replace(reading.layout, overlap_key=overlap))
    found = as_in_text(reading, text, with_ends(reading, mentions, inclusive=False))
    return reading.document(id_field(reading, place, fields), text, found, line=place)


def _is_record(value: object) -> bool:
    return isinstance(value, dict) and "originalText" in value


def _write(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    write_records((_record(document, writing) for document in documents), out, writing.layout, lines=True)


def _record(document: Document, writing: Writing) -> dict[str, object]:
    crowded = _overlapping(document.entities) if writing.layout.overlap_key else frozenset()
    entities = []
    for entity in document.entities:
        record: dict[str, object] = {"label_type": writing.label(entity.label, chinese=True)}
        if writing.layout.overlap_key:
            record["overlap"] = int(entity in crowded)
        record |= {"start_pos": entity.start, "end_pos": entity.end}
        entities.append(record)
    return {**writing.id_where_kept(document), "originalText": document.text, "entities": entities}


def _overlapping(entities: tuple[Entity, ...]) -> frozenset[Entity]:
    found: set[Entity] = set()
    furthest: Entity | None = None
    for entity in entities:
        if furthest is not None and entity.start < furthest.end:
            found |= {furthest, entity}
        if furthest is None or entity.end > furthest.end:
            furthest = entity
    return frozenset(found)


FORMAT = Format(
    "ccks", "CCKS2019 JSON lines", _read, write_stream=_write, expects="'entities' with start_pos, end_pos, label_type"
)
