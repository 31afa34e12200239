"""What a Doc and its spans know of an annotation beside the spans.

It is plain data, so that it is kept with the Doc. Its tuples may come back as lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spacy.tokens import Doc, Span

from medner._documents import Candidate, Conflict, Document, Entity

#: Where a Doc keeps all of it. Values are what msgpack holds, so `Doc.to_bytes` and `DocBin` take it along.
KEY = "medner"
#: How an entity lies on the tokens.
EXACT, MOVED, LEFT_OUT = "exact", "moved", "left out"

_OF_SPANS = ("score", "decision", "taggers", "conflict", "label_name", "tokens")
_OF_DOCS: Mapping[str, Any] = {"entities": (), "conflicts": (), "failures": (), "complete": True}


def register() -> None:
    """Declares ``doc._.medner_...`` and ``span._.medner_...``; again without effect."""
    for name, without in _OF_DOCS.items():
        Doc.set_extension(f"medner_{name}", getter=_of_doc(name, without), force=True)
    Doc.set_extension("medner_misaligned", getter=_misaligned, force=True)
    for name in _OF_SPANS:
        Span.set_extension(f"medner_{name}", getter=_of_span(name), force=True)


def record(doc: Doc, document: Document, entities: Sequence[dict[str, Any]]) -> None:
    """Keeps what is known of a document with its Doc."""
    doc.user_data[KEY] = {
        "entities": tuple(entities),
        "conflicts": tuple(_conflict(one) for one in document.conflicts),
        "failures": document.failures,
        "complete": document.complete,
    }


def entity_data(entity: Entity, span: tuple[int, int] | None) -> dict[str, Any]:
    """An entity as plain data; ``span`` are the characters of the span that stands for it, None where none does."""
    exact = (entity.start, entity.end)
    return {
        "start": entity.start,
        "end": entity.end,
        "label": entity.label,
        "text": entity.text,
        "label_name": entity.label_name,
        "score": entity.score,
        "decision": entity.decision,
        "taggers": entity.taggers,
        "conflict": None if entity.conflict is None else entity.conflict.id,
        "span": span,
        "tokens": LEFT_OUT if span is None else EXACT if span == exact else MOVED,
    }


def _conflict(conflict: Conflict) -> dict[str, Any]:
    return {
        "id": conflict.id,
        "kind": conflict.kind,
        "start": conflict.start,
        "end": conflict.end,
        "text": conflict.text,
        "judge": conflict.judge,
        "fallback": conflict.fallback,
        "reason": conflict.reason,
        "candidates": tuple(_candidate(one) for one in conflict.candidates),
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "start": candidate.start,
        "end": candidate.end,
        "label": candidate.label,
        "text": candidate.text,
        "taggers": candidate.taggers,
        "score": candidate.score,
        "kept": candidate.kept,
    }


def _known(doc: Doc) -> Mapping[str, Any]:
    return doc.user_data.get(KEY) or {}


def _of_doc(name: str, without: Any) -> Callable[[Doc], Any]:
    return lambda doc: _known(doc).get(name, without)


def _misaligned(doc: Doc) -> tuple[dict[str, Any], ...]:
    """The entities that cut a token."""
    return tuple(one for one in _known(doc).get("entities", ()) if one["tokens"] != EXACT)


def _of_span(name: str) -> Callable[[Span], Any]:
    # Not a value a span: spaCy keeps those by place, and two spans may differ in their labels alone.
    def value(span: Span) -> Any:
        place, label = (span.start_char, span.end_char), span.label_
        entities = _known(span.doc).get("entities", ())
        same = [one for one in entities if one["label"] == label and tuple(one["span"] or ()) == place]
        best = min(same, key=lambda one: one["tokens"] != EXACT, default=None)
        return None if best is None else best[name]

    return value
