"""medner's own JSON lines: one document a line, with its entities, their provenance, and the whole annotation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from medner.core.characters import is_blank
from medner.core.errors import BadInputError, UserError
from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Decision,
    Document,
    Entity,
    KeptValue,
    in_order,
)
from medner.store.corpora.json.entities import EntityKeys, as_in_text, entity_mentions, with_ends
from medner.store.corpora.json.fields import drop_unread, id_field, kept_fields, record_fields, text_field
from medner.store.corpora.json.output import to_line, write_records
from medner.store.corpora.json.places import (
    EntityPlace,
    PlaceLine,
    entity_places_json,
    places_json,
    read_places,
    records_of,
)
from medner.store.corpora.json.records import json_records
from medner.store.corpora.reading.format import Format, Mention, Reading, Writing
from medner.store.corpora.reading.raw_records import RawRecord, first_problem, parse, read_records

PROVENANCE = ("decision", "taggers", "score", "conflict")
_KEYS = EntityKeys(("start",), ("end",), ("label", "type"), ("text", "entity"), unused=(*PROVENANCE, "places"))


class EntityLine(BaseModel):
    """An entity in offsets of the document; the keys after ``text`` are the provenance, where it is known."""

    model_config = ConfigDict(extra="forbid")
    start: int
    end: int
    label: str
    text: str | None = None
    decision: Decision | None = None
    taggers: tuple[str, ...] = ()
    score: float | None = None
    conflict: str | None = None
    places: tuple[EntityPlace, ...] = ()


class DocumentLine(BaseModel):
    """A line of the file.

    ``entities`` are the result. ``sentences`` is the whole annotation it comes from, in offsets of the sentences;
    ``given`` are the entities the document had before it was annotated, ``kept`` further columns of its row, ``places``
    where the text stands in the file that it was read from.
    """

    model_config = ConfigDict(extra="forbid")
    id: str | None = None
    text: str
    kept: dict[str, KeptValue] = {}
    places: tuple[PlaceLine, ...] = ()
    entities: tuple[EntityLine, ...] = ()
    given: tuple[EntityLine, ...] = ()
    sentences: tuple[Annotation, ...] | None = None


_ANNOTATIONS = TypeAdapter(tuple[Annotation, ...])


def annotated_to_line(document: AnnotatedDocument) -> str:
    """The annotated document as one line of JSON without its end; :func:`line_to_annotated` gives it back equal."""
    text = document.document.text
    record: dict[str, Any] = {"id": document.document.id, "text": text, **_origin(document.document)}
    record["entities"] = [
        {**_entity(annotated.entity, document.document), **_provenance(annotated)}
        for annotated in result_of(document.annotations)
    ]
    if document.document.entities:
        record["given"] = [_entity(entity, document.document) for entity in document.document.entities]
    record["sentences"] = _ANNOTATIONS.dump_python(document.annotations, mode="json")
    for sentence in record["sentences"]:
        if not sentence["left_out"]:
            # Lines are as they were before a run could leave something out.
            del sentence["left_out"]
    return to_line(record)


def line_to_annotated(line: str) -> AnnotatedDocument:
    """The annotated document of a line; BadInputError when it is none or contradicts itself.

    A line without ``sentences`` is a document that is not annotated: its entities are the document's own.
    """
    try:
        parsed = DocumentLine.model_validate_json(line, strict=True)
    except ValidationError as error:
        reason, _, key = first_problem(error, None)
        raise BadInputError(reason, key=key) from error
    if parsed.id is None:
        raise BadInputError("an annotated document needs its id", key="id")
    own = parsed.given if parsed.sentences is not None else parsed.entities
    _check_texts(parsed)
    entities = tuple(Entity(one.start, one.end, one.label) for one in own)
    try:
        places = records_of(parsed.places, len(parsed.text))
    except ValueError as error:
        raise BadInputError(str(error), key="places") from error
    document = Document(parsed.id, parsed.text, entities, tuple(parsed.kept.items()), places)
    return AnnotatedDocument(document, parsed.sentences or ())


def read_annotated(path: Path) -> Iterator[AnnotatedDocument]:
    """The annotated documents of a file, as `medner annotate -o` writes it.

    BadInputError names file and line; UserError when the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                if not is_blank(line):
                    try:
                        yield line_to_annotated(line)
                    except BadInputError as error:
                        raise BadInputError(error.reason, path=path, line=number, key=error.key) from error
    except UnicodeDecodeError as error:
        raise BadInputError("not UTF-8 text", path=path) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def document_to_line(document: Document) -> str:
    """The document and its entities as one line of JSON without its end."""
    return to_line(_record(document))


def _record(document: Document) -> dict[str, object]:
    return {
        "id": document.id,
        "text": document.text,
        **_origin(document),
        "entities": [_entity(entity, document) for entity in document.entities],
    }


def _origin(document: Document) -> dict[str, object]:
    """What is known of where the document comes from."""
    kept: dict[str, object] = {"kept": dict(document.kept)} if document.kept else {}
    return kept | ({"places": places_json(document.places)} if document.places else {})


def _entity(entity: Entity, document: Document) -> dict[str, object]:
    text = entity.text_in(document.text)
    fields: dict[str, object] = {"start": entity.start, "end": entity.end, "label": entity.label, "text": text}
    places = entity_places_json(document.places, entity)
    return fields | {"places": places} if places else fields


def _provenance(annotated: AnnotatedEntity) -> dict[str, object]:
    known: dict[str, object] = {"decision": annotated.decision.value, "taggers": list(annotated.taggers)}
    if annotated.score is not None:
        known["score"] = annotated.score
    if annotated.conflict_id is not None:
        known["conflict"] = annotated.conflict_id
    return known


def result_of(annotations: Iterable[Annotation]) -> list[AnnotatedEntity]:
    """The annotated entities of the sentences in offsets of the document, in the order of :func:`in_order`."""
    found: dict[Entity, AnnotatedEntity] = {}
    for annotation in annotations:
        for one in annotation.entities:
            entity = one.entity.shifted(annotation.sentence.offset)
            found.setdefault(entity, AnnotatedEntity(entity, one.decision, one.taggers, one.score, one.conflict_id))
    return [found[entity] for entity in in_order(found)]


def _check_texts(parsed: DocumentLine) -> None:
    """BadInputError unless every entity and sentence is literally where it says it is."""
    for name, entities in (("entities", parsed.entities), ("given", parsed.given)):
        for number, one in enumerate(entities):
            key = f"{name}.{number}"
            if not one.label or not 0 <= one.start < one.end <= len(parsed.text):
                raise BadInputError(f"[{one.start}, {one.end}) {one.label!r} is no labelled span of the text", key=key)
            if one.text is not None and parsed.text[one.start : one.end] != one.text:
                raise BadInputError(f"{one.text!r} is not at [{one.start}, {one.end}) of the text", key=key)
    if parsed.sentences is None:
        return
    for number, annotation in enumerate(parsed.sentences):
        sentence, key = annotation.sentence, f"sentences.{number}"
        if sentence.offset < 0 or not parsed.text.startswith(sentence.text, sentence.offset):
            raise BadInputError(f"the sentence is not at {sentence.offset} of the text", key=key)
        if any(one.entity.end > len(sentence.text) for one in annotation.entities):
            raise BadInputError("an entity reaches beyond the sentence", key=key)
    stated = {Entity(one.start, one.end, one.label) for one in parsed.entities}
    if stated != {one.entity for one in result_of(parsed.sentences)}:
        raise BadInputError(
            "'entities' and 'sentences' disagree; to keep corrected entities, take 'sentences' out", key="entities"
        )


def _read(reading: Reading) -> Iterator[Document]:
    return read_records(reading, json_records(reading, _is_record), _understand)


def _understand(reading: Reading, record: RawRecord) -> Document:
    fields, place = record_fields(reading, record), record.place
    reading.annotations = ()
    if fields.get("sentences") is not None:
        return _understand_annotated(reading, record)
    text, text_key = text_field(reading, place, fields, ("text",))
    items = fields.get("entities")
    mentions = list(entity_mentions(reading, place, items, "entities", _KEYS))
    if isinstance(items, list):
        reading.provenance.update(key for one in items if isinstance(one, dict) for key in PROVENANCE if one.get(key))
    reading.provenance.update(key for key in ("given",) if fields.get(key))
    drop_unread(reading, fields, (text_key, "entities", "id", "kept", "places", "given", "sentences"))
    found = as_in_text(reading, text, with_ends(reading, mentions, inclusive=False))
    kept = kept_fields(reading, place, fields)
    document = reading.document(id_field(reading, place, fields), text, found, line=place, kept=kept)
    return replace(document, places=read_places(reading, place, fields.get("places"), len(text)))


def _understand_annotated(reading: Reading, record: RawRecord) -> Document:
    """A document with its whole annotation, which must not contradict itself."""
    parsed = parse(DocumentLine, reading, record)
    try:
        _check_texts(parsed)
    except BadInputError as error:
        raise reading.error(error.reason, record.place, error.key) from error
    reading.provenance.update(key for key in ("given", "sentences") if getattr(parsed, key))
    mentions = []
    for number, one in enumerate(parsed.entities):
        mentions.append(Mention(one.start, one.end, one.label, one.text, f"entities.{number}"))
        reading.provenance.update(one.model_fields_set - {"start", "end", "label", "text", "places"})
    reading.annotations = parsed.sentences or ()
    name = reading.made_up_id(record.place) if parsed.id is None else parsed.id
    document = reading.document(name, parsed.text, mentions, line=record.place, kept=tuple(parsed.kept.items()))
    try:
        return replace(document, places=records_of(parsed.places, len(parsed.text)))
    except ValueError as error:
        raise reading.error(str(error), record.place, "places") from error


def _is_record(value: object) -> bool:
    return isinstance(value, dict) and "text" in value


def _write(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    write_records((_line(document, writing) for document in documents), out, writing.layout, lines=True)


def _line(document: Document, writing: Writing) -> dict[str, object]:
    if writing.labels is not None:
        named = tuple(Entity(one.start, one.end, writing.label(one.label)) for one in document.entities)
        document = replace(document, entities=named)
    return _record(document)


FORMAT = Format("jsonl", "medner's JSON lines", _read, write_stream=_write, expects="'entities' with start, end, label")
