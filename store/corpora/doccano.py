"""doccano JSON lines (sequence labelling): ``{"id", "text", "label": [[start, end, "label"], ...]}``.

Ends are exclusive. Exports with relations write ``entities`` with ``start_offset`` and ``end_offset`` in place of
``label``; they are read too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from medner.store.corpora.format import Format, Mention, Note, Reading, Writing
from medner.store.corpora.json_out import to_line, write_lines
from medner.store.corpora.source import RawRecord, json_lines, parse, read_records
from medner.store.records import Document


class _EntityRecord(BaseModel):
    model_config = ConfigDict(extra="allow")
    start_offset: int
    end_offset: int
    label: str


class _Record(BaseModel):
    model_config = ConfigDict(extra="allow")
    text: str
    id: str | int | None = None
    label: list[tuple[int, int, str]] = Field(default=[], validation_alias=AliasChoices("label", "labels"))
    entities: list[_EntityRecord] = []
    relations: list[object] = []


def _read(reading: Reading) -> Iterator[Document]:
    return read_records(reading, json_lines(reading), _understand)


def _understand(reading: Reading, record: RawRecord) -> Document:
    parsed = parse(_Record, reading, record)
    reading.notes[Note.OTHER_LAYER] += len(parsed.relations)
    mentions = [
        Mention(start, end, label, None, f"label.{number}") for number, (start, end, label) in enumerate(parsed.label)
    ] + [
        Mention(one.start_offset, one.end_offset, one.label, None, f"entities.{number}")
        for number, one in enumerate(parsed.entities)
    ]
    name = reading.made_up_id(record.place) if parsed.id is None else str(parsed.id)
    return reading.document(name, parsed.text, mentions, line=record.place)


def _write(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    write_lines((to_line(_record(document, writing)) for document in documents), out, writing.layout)


def _record(document: Document, writing: Writing) -> dict[str, object]:
    record: dict[str, object] = {}
    if writing.layout.own_ids:
        record["id"] = number_or_text(document.id)
    record["text"] = document.text
    record["label"] = [[entity.start, entity.end, writing.label(entity.label)] for entity in document.entities]
    return record


def number_or_text(id: str) -> str | int:  # noqa: A002
    """The id as the whole number it spells, else as it is; either way ``str()`` gives it back."""
    return int(id) if id.isascii() and id.isdigit() and len(id) <= 18 and str(int(id)) == id else id


FORMAT = Format("doccano", "doccano JSON lines", _read, write_stream=_write)
