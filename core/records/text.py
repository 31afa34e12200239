"""Texts and what is marked in them: documents, sentences, spans, entities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from medner.core.records.places import SourcePlace, checked_places


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of text: ``text[start:end]``, never empty."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span needs 0 <= start < end, got [{self.start}, {self.end})")

    def __len__(self) -> int:
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """Whether the two share a character."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Span) -> bool:
        """Whether ``other`` lies inside this span (equal spans contain one another)."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A labelled span. ``label`` is a type's code in the label set in use (``dis``, ``sym`` ...)."""

    start: int
    end: int
    label: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"an entity needs 0 <= start < end, got [{self.start}, {self.end})")
        if not self.label:
            raise ValueError("an entity needs a label")

    @property
    def span(self) -> Span:
        """The entity's place, without its label."""
        return Span(self.start, self.end)

    def text_in(self, source: str) -> str:
        """The entity's text, taken from ``source``; ValueError when the span does not lie inside it."""
        if self.end > len(source):
            raise ValueError(f"[{self.start}, {self.end}) lies outside a text of {len(source)} characters")
        return source[self.start : self.end]

    def shifted(self, offset: int) -> Entity:
        """The same entity, ``offset`` code points further on."""
        return Entity(self.start + offset, self.end + offset, self.label)


#: The value of a column that is kept: text, a number, true or false, or nothing.
KeptValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Document:
    """A text with an id and, where known, its entities (gold or predicted), in order and without repeats.

    ``kept`` are further columns of the row that it comes from, by name, which go along to the result. ``places`` say
    where the text stands in its file, in text order, where the file has pages, paragraphs or sections.
    """

    id: str
    text: str
    entities: tuple[Entity, ...] = ()
    kept: tuple[tuple[str, KeptValue], ...] = ()
    places: tuple[SourcePlace, ...] = ()

    def __post_init__(self) -> None:
        for entity in self.entities:
            if entity.end > len(self.text):
                raise ValueError(
                    f"document {self.id!r}: [{entity.start}, {entity.end}) lies outside its {len(self.text)} characters"
                )
        object.__setattr__(self, "entities", in_order(self.entities))
        if self.places:
            object.__setattr__(self, "places", checked_places(self.places, len(self.text)))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A piece of a document: ``document.text[offset:offset + len(text)] == text``."""

    id: str
    text: str
    offset: int = 0
    document_id: str = ""


def in_order(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """The entities without repeats: by start, longer first, then label, so that an outer entity precedes its inner."""
    return tuple(sorted(set(entities), key=lambda entity: (entity.start, -entity.end, entity.label)))
