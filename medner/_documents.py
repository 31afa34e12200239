"""Documents and entities as a person uses them: every offset counts code points of the whole text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from medner.core.errors import UserError
from medner.core.records.places import SourcePlace, places_of

if TYPE_CHECKING:
    import pandas

    from medner.core.labels import LabelSet
    from medner.core.records import AnnotatedDocument, Annotation
    from medner.core.records import Document as PlainDocument


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entity that taggers proposed in a conflict. ``kept``: whether it is in the result. ``end`` is exclusive."""

    start: int
    end: int
    label: str
    text: str
    label_name: str = ""
    taggers: tuple[str, ...] = ()
    score: float | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Conflict:
    """A place where taggers disagree, and how it was settled.

    ``id`` is unique within the document. ``kind`` is one of ``same_span_other_type``, ``overlap_same_type``,
    ``overlap_other_type`` and ``no_overlap``; where the configuration asks, also ``doubtful`` (all
    taggers gave it, with a low probability) and ``maybe`` (none gave it: its candidates have no ``taggers``).
    ``judge`` decided, or where it could not, the rule named in ``fallback`` (``reason`` says why). ``prompt`` and
    ``answer`` are those of a judge that is a language model.
    """

    id: str
    kind: str
    start: int
    end: int
    text: str
    candidates: tuple[Candidate, ...]
    judge: str = ""
    judge_version: str = ""
    fallback: str | None = None
    reason: str = ""
    prompt: str = field(default="", repr=False)
    answer: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity: ``document.text[start:end] == text``. ``label`` is the type's code, ``label_name`` its Chinese name.

    Of annotated documents also why it is there: ``decision`` (``agreed``, ``judged``, ``fallback`` or ``human``),
    the ``taggers`` that proposed it, the filter's ``score``, and the ``conflict`` it comes from, where it was disputed.
    ``places`` say where it stands in a PDF, Word or CDA file: several where it goes on in another line.
    """

    start: int
    end: int
    label: str
    text: str = ""
    label_name: str = ""
    decision: str | None = None
    taggers: tuple[str, ...] = ()
    score: float | None = None
    conflict: Conflict | None = field(default=None, repr=False)
    places: tuple[SourcePlace, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the documents of one run share: their label set, and what a page says about the run."""

    labels: LabelSet | None = None
    configuration: Mapping[str, str] = field(default_factory=dict)
    notices: Mapping[str, str] = field(default_factory=dict)

    def name_of(self, code: str) -> str:
        """The Chinese name of a type; "" where it is not known."""
        return self.labels.type_of(code).name if self.labels is not None and code in self.labels else ""


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its entities, in text order, outer before inner.

    ``conflicts`` are the places where taggers disagreed. ``failures`` say in words which agent could not answer;
    ``complete`` is False where a sentence has no result at all. ``kept`` are the columns of its row that go along
    (:func:`medner.read` with ``keep``), ``places`` where its text stands in a PDF, Word or CDA file. Documents of your
    own: ``Document("1", text, [Entity(0, 2, "sym")])``; UserError for an entity outside the text.
    """

    id: str
    text: str
    entities: tuple[Entity, ...] = ()
    conflicts: tuple[Conflict, ...] = field(default=(), repr=False)
    failures: tuple[str, ...] = ()
    complete: bool = True
    kept: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    places: tuple[SourcePlace, ...] = field(default=(), repr=False)
    _source: AnnotatedDocument | None = field(default=None, repr=False, compare=False)
    _run: RunFacts = field(default=RunFacts(), repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, value in (("id", self.id), ("text", self.text)):
            if not isinstance(value, str):
                raise UserError(f"Document: {name} must be a string, got {type(value).__name__}")
        checked = {(one.start, one.end, one.label): self._checked(one) for one in self.entities}
        places = sorted(checked, key=lambda place: (place[0], -place[1], place[2]))
        object.__setattr__(self, "entities", tuple(checked[place] for place in places))

    def _checked(self, entity: Entity) -> Entity:
        if not 0 <= entity.start < entity.end <= len(self.text):
            raise UserError(
                f"document {self.id!r}: [{entity.start}, {entity.end}) is no place in its {len(self.text)} characters; "
                "offsets count from 0, and the end is exclusive"
            )
        text = self.text[entity.start : entity.end]
        if entity.text not in ("", text):
            raise UserError(
                f"document {self.id!r}: the entity is {entity.text!r}, but its text at [{entity.start}, {entity.end}) "
                f"is {text!r}"
            )
        if not entity.text:
            entity = replace(entity, text=text, label_name=entity.label_name or self._run.name_of(entity.label))
        if self.places and not entity.places:
            entity = replace(entity, places=places_of(self.places, entity.start, entity.end))
        return entity

    def to_dict(self) -> dict[str, Any]:
        """The document as plain data, as a line of `medner annotate -o` has it (docs/formats.md)."""
        import json

        return dict(json.loads(self.to_json()))

    def to_json(self) -> str:
        """The same as one line of JSON."""
        from medner.store.corpora import annotated_to_line, document_to_line

        return document_to_line(as_plain(self)) if self._source is None else annotated_to_line(self._source)

    def to_html(self, *, language: str = "zh") -> str:
        """A whole HTML page of the document; ``language`` (``zh`` or ``en``) is the interface's."""
        from medner._display import page

        return page([self], language=language)

    def to_frame(self) -> pandas.DataFrame:
        """A pandas table, a row an entity."""
        from medner._display import frame

        return frame([self])

    def _repr_html_(self) -> str:
        from medner._display import fragment

        return fragment(self)

    def __str__(self) -> str:
        lines = (f"  {one.label_name or one.label}: {one.text} [{one.start},{one.end})" for one in self.entities)
        return "\n".join([self.text, *lines])


def as_plain(document: Document) -> PlainDocument:
    """The record of a document: its text and its result, without how the result came about."""
    from medner.core.records import Document as PlainDocument
    from medner.core.records import Entity as PlainEntity

    entities = tuple(PlainEntity(one.start, one.end, one.label) for one in document.entities)
    return PlainDocument(document.id, document.text, entities, tuple(document.kept.items()), tuple(document.places))


def from_plain(document: PlainDocument, run: RunFacts) -> Document:
    """A document as it was read: entities without provenance."""
    entities = tuple(Entity(one.start, one.end, one.label) for one in document.entities)
    return Document(document.id, document.text, entities, kept=dict(document.kept), places=document.places, _run=run)


def from_annotated(source: AnnotatedDocument, run: RunFacts) -> Document:
    """An annotated document."""
    entities: list[Entity] = []
    conflicts: list[Conflict] = []
    several = len(source.annotations) > 1
    for number, annotation in enumerate(source.annotations):
        by_id = _conflicts(annotation, f"s{number}." if several else "", source, run)
        conflicts += by_id.values()
        entities += _entities(annotation, by_id, source, run)
    failures = tuple(f"{one.agent}: {one.message}" for annotation in source.annotations for one in annotation.failures)
    complete = all(annotation.complete for annotation in source.annotations)
    document = source.document
    return Document(
        document.id,
        document.text,
        tuple(entities),
        tuple(conflicts),
        failures,
        complete,
        dict(document.kept),
        document.places,
        source,
        run,
    )


def annotated_of(document: Document) -> AnnotatedDocument | None:
    """The record that an annotated document was made of; None where it is not annotated."""
    return document._source


def facts_of(documents: Iterable[Document]) -> RunFacts:
    """What is known of the run that made the documents: the first that knows a label set."""
    return next((one._run for one in documents if one._run.labels is not None), RunFacts())


def _entities(
    annotation: Annotation, conflicts: Mapping[str, Conflict], source: AnnotatedDocument, run: RunFacts
) -> Iterable[Entity]:
    for one in annotation.entities:
        start, end = (at + annotation.sentence.offset for at in (one.entity.start, one.entity.end))
        yield Entity(
            start,
            end,
            one.entity.label,
            source.document.text[start:end],
            run.name_of(one.entity.label),
            one.decision.value,
            one.taggers,
            one.score,
            conflicts.get(one.conflict_id or ""),
        )


def _conflicts(annotation: Annotation, prefix: str, source: AnnotatedDocument, run: RunFacts) -> dict[str, Conflict]:
    """The conflicts of a sentence by their ids there."""
    verdicts = {verdict.conflict_id: verdict for verdict in annotation.verdicts}
    text, offset = source.document.text, annotation.sentence.offset
    found: dict[str, Conflict] = {}
    for one in annotation.conflicts:
        verdict = verdicts.get(one.id)
        kept = () if verdict is None else verdict.kept
        start, end = one.region.start + offset, one.region.end + offset
        candidates = tuple(
            Candidate(
                each.entity.start + offset,
                each.entity.end + offset,
                each.entity.label,
                text[each.entity.start + offset : each.entity.end + offset],
                run.name_of(each.entity.label),
                each.taggers,
                each.score,
                each.entity in kept,
            )
            for each in one.candidates
        )
        settled = Conflict(f"{prefix}{one.id}", one.kind.value, start, end, text[start:end], candidates)
        if verdict is not None:
            settled = replace(
                settled,
                judge=verdict.judge,
                judge_version=verdict.judge_version,
                fallback=None if verdict.fallback is None else verdict.fallback.value,
                reason=verdict.fallback_reason,
                prompt=verdict.prompt,
                answer=verdict.answer,
            )
        found[one.id] = settled
    return found
