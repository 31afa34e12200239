"""doccano (sequence labelling): ``{"id", "text", "label": [[start, end, "label"], ...]}``, lines or an array.

Ends are exclusive. Exports over the years name the text ``data``, the list ``labels``, ``entities`` or ``annotations``,
and write objects with ``start_offset`` and ``end_offset``, for example where there are relations; all are read. doccano
gives every text an ``id`` of its own when it imports, so ids are written under a key that it carries along.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from medner.core.records import Document
from medner.store.corpora.json.entities import EntityKeys, as_in_text, entity_mentions, with_ends
from medner.store.corpora.json.fields import drop_unread, id_field, record_fields, text_field
from medner.store.corpora.json.output import write_records
from medner.store.corpora.json.records import json_records
from medner.store.corpora.reading.format import Format, Reading, Writing, number_or_text
from medner.store.corpora.reading.notes import Note
from medner.store.corpora.reading.raw_records import RawRecord, read_records
from medner.store.corpora.reading.read_options import EVERY_ANNOTATOR

#: doccano keeps keys that it does not know with the text, and exports them again.
ID = "document_id"
_IDS = (ID, f"meta.{ID}", f"metadata.{ID}", "id")
_TEXTS = ("text", "data")
_LISTS = ("label", "labels", "entities", "annotations")
_KEYS = EntityKeys(
    ("start_offset", "start"), ("end_offset", "end"), ("label", "type"), ("entity", "text"), unused=("user",)
)


def _read(reading: Reading) -> Iterator[Document]:
    return read_records(reading, json_records(reading, _is_record), _understand)


def _understand(reading: Reading, record: RawRecord) -> Document:
    fields, place = record_fields(reading, record), record.place
    text, text_key = text_field(reading, place, fields, _TEXTS)
    mentions = [
        mention
        for key in _LISTS
        for mention in entity_mentions(reading, place, _of_annotator(reading, fields.get(key)), key, _KEYS)
    ]
    relations = fields.get("relations")
    reading.notes[Note.OTHER_LAYER] += len(relations) if isinstance(relations, list) else 0
    meta = [key for key in ("meta", "metadata") if isinstance(fields.get(key), dict) and set(fields[key]) <= {ID}]  # type: ignore[call-overload]
    drop_unread(reading, fields, (text_key, *_LISTS, "relations", "id", ID, *meta))
    found = as_in_text(reading, text, with_ends(reading, mentions, inclusive=False))
    return reading.document(id_field(reading, place, fields, _IDS), text, found, line=place)


def _of_annotator(reading: Reading, items: object) -> object:
    """The entities without those of other users than --annotator, where they say whose they are."""
    wanted = reading.options.annotator
    if wanted in (None, EVERY_ANNOTATOR) or not isinstance(items, list):
        return items
    kept = [one for one in items if not (isinstance(one, dict) and "user" in one and str(one["user"]) != wanted)]
    reading.notes[Note.OTHER_ANNOTATOR] += len(items) - len(kept)
    return kept


def _is_record(value: object) -> bool:
    return isinstance(value, dict) and any(key in value for key in _TEXTS)


def _write(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    write_records((_record(document, writing) for document in documents), out, writing.layout, lines=True)


def _record(document: Document, writing: Writing) -> dict[str, object]:
    record: dict[str, object] = {}
    if writing.layout.own_ids:
        key = writing.layout.id_key
        record["id" if key == "id" else ID] = number_or_text(document.id)
    record["text"] = document.text
    record["label"] = [[entity.start, entity.end, writing.label(entity.label)] for entity in document.entities]
    return record


FORMAT = Format("doccano", "doccano JSON lines", _read, write_stream=_write, expects="'label' with [start, end, label]")
