"""Which types nest in which, and what an annotation without nested entities leaves open."""

from __future__ import annotations

from collections.abc import Iterable

from medner.core.records import Document, Entity

#: (outer type, inner type).
Pairs = frozenset[tuple[str, str]]


def nested_pairs(documents: Iterable[Document]) -> Pairs:
    """The pairs (outer type, inner type) of which one stands inside the other in completely annotated documents."""
    found = set()
    for document in documents:
        for outer in document.entities:
            for inner in document.entities:
                if inner != outer and outer.span != inner.span and outer.span.contains(inner.span):
                    found.add((outer.label, inner.label))
    return frozenset(found)


def is_open(entity: Entity, annotated: Iterable[Entity], missing: Pairs) -> bool:
    """Whether an annotation that may lack nested entities of these pairs does not say if ``entity`` is one."""
    return any((outer.label, entity.label) in missing and outer.span.contains(entity.span) for outer in annotated)
