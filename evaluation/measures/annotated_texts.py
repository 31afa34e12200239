"""The texts that several annotators worked on, each with what every one of them marked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from medner.core.records import Document, Entity
from medner.evaluation.measures.matching import Pair


@dataclass(frozen=True, slots=True)
class AnnotatedText:
    """A text, and the entities of each annotator who worked on it; nobody who did is missing."""

    id: str
    text: str
    entities: Mapping[str, frozenset[Entity]]

    def document_of(self, annotator: str) -> Document:
        """The text with what one annotator marked."""
        return Document(self.id, self.text, tuple(self.entities[annotator]))


@dataclass(frozen=True, slots=True)
class AnnotatedTexts:
    """Texts in order of their first annotator. ``repeated`` are (document, annotator) of further annotations by the
    same annotator, which are left out; ``parted`` documents whose text is another one for another annotator.
    """

    texts: tuple[AnnotatedText, ...]
    repeated: tuple[tuple[str, str], ...] = ()
    parted: tuple[str, ...] = ()

    @property
    def annotators(self) -> tuple[str, ...]:
        """All annotators, in order of their first text."""
        return tuple(dict.fromkeys(name for text in self.texts for name in text.entities))

    @property
    def shared(self) -> tuple[AnnotatedText, ...]:
        """The texts that two annotators or more worked on."""
        return tuple(text for text in self.texts if len(text.entities) > 1)

    def pairs(self, one: str, other: str) -> tuple[Pair, ...]:
        """The texts that both worked on, as if the first one's entities were gold."""
        return tuple(
            Pair(text.document_of(one), text.document_of(other))
            for text in self.texts
            if one in text.entities and other in text.entities
        )


@dataclass(slots=True)
class _Row:
    id: str
    text: str
    entities: dict[str, frozenset[Entity]] = field(default_factory=dict)


def gathered(annotators: Iterable[tuple[str, Iterable[Document]]]) -> AnnotatedTexts:
    """The annotators' documents by text: by id where the text is the same, else by the text alone.

    A text that occurs several times is matched in the order of the files, as in an evaluation.
    """
    rows: list[_Row] = []
    by_id: dict[str, _Row] = {}
    by_text: defaultdict[str, list[_Row]] = defaultdict(list)
    repeated: list[tuple[str, str]] = []
    parted: list[str] = []
    for name, documents in annotators:
        waiting: list[Document] = []
        seen: set[str] = set()
        for document in documents:
            row = by_id.get(document.id)
            if document.id in seen:
                repeated.append((document.id, name))
            elif row is not None and row.text == document.text and name not in row.entities:
                row.entities[name] = frozenset(document.entities)
            else:
                waiting.append(document)
            seen.add(document.id)
        for document in waiting:
            row = next((one for one in by_text[document.text] if name not in one.entities), None)
            if row is None:
                row = _Row(document.id, document.text)
                rows.append(row)
                by_text[document.text].append(row)
                if document.id in by_id:
                    parted.append(document.id)
                else:
                    by_id[document.id] = row
            row.entities[name] = frozenset(document.entities)
    texts = tuple(AnnotatedText(one.id, one.text, one.entities) for one in rows)
    return AnnotatedTexts(texts, tuple(repeated), tuple(parted))
