"""CCKS2019 task 1 JSON lines: ``{"originalText", "entities": [{"label_type", "start_pos", "end_pos"}]}``.

``start_pos`` counts from 0, ``end_pos`` is exclusive, ``label_type`` is the Chinese name, and there are no entity
strings. ``overlap`` stands in the training files and not in the test file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TextIO

from pydantic import BaseModel, ConfigDict

from medner.store.corpora.format import Format, Mention, Reading, Writing
from medner.store.corpora.json_out import to_line, write_lines
from medner.store.corpora.source import RawRecord, json_lines, parse, read_records
from medner.store.records import Document, Entity


class _EntityRecord(BaseModel):
    model_config = ConfigDict(extra="allow")
    label_type: str
    start_pos: int
    end_pos: int
    overlap: int | None = None


class _Record(BaseModel):
    model_config = ConfigDict(extra="allow")
    originalText: str  # noqa: N815
    entities: list[_EntityRecord] = []


def _read(reading: Reading) -> Iterator[Document]:
    return read_records(reading, json_lines(reading), _understand)


def _understand(reading: Reading, record: RawRecord) -> Document:
    parsed = parse(_Record, reading, record)
    mentions = []
    for number, entity in enumerate(parsed.entities):
        reading.drop_keys(entity.model_extra)
        if entity.overlap is not None and not reading.layout.overlap_key:
            reading.set_layout(replace(reading.layout, overlap_key=True))
        mentions.append(Mention(entity.start_pos, entity.end_pos, entity.label_type, None, f"entities.{number}"))
    return reading.document(reading.made_up_id(record.place), parsed.originalText, mentions, line=record.place)


def _write(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    write_lines((to_line(_record(document, writing)) for document in documents), out, writing.layout)


def _record(document: Document, writing: Writing) -> dict[str, object]:
    writing.lose_id()
    crowded = _overlapping(document.entities) if writing.layout.overlap_key else frozenset()
    entities = []
    for entity in document.entities:
        record: dict[str, object] = {"label_type": writing.label(entity.label, chinese=True)}
        if writing.layout.overlap_key:
            record["overlap"] = int(entity in crowded)
        record |= {"start_pos": entity.start, "end_pos": entity.end}
        entities.append(record)
    return {"originalText": document.text, "entities": entities}


def _overlapping(entities: tuple[Entity, ...]) -> frozenset[Entity]:
    found: set[Entity] = set()
    furthest: Entity | None = None
    for entity in entities:
        if furthest is not None and entity.start < furthest.end:
            found |= {furthest, entity}
        if furthest is None or entity.end > furthest.end:
            furthest = entity
    return frozenset(found)


FORMAT = Format("ccks", "CCKS2019 JSON lines", _read, write_stream=_write)
