"""Strict scores: an entity counts when its start, its end and its type are all right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from medner.core.records import Entity, in_order
from medner.evaluation.measures.matching import Pair


@dataclass(frozen=True, slots=True)
class Counts:
    """What was found, invented and missed. Ratios are computed on reading; 0/0 is NaN."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def gold(self) -> int:
        """How many gold entities there are."""
        return self.tp + self.fn

    @property
    def predicted(self) -> int:
        """How many entities were predicted."""
        return self.tp + self.fp

    @property
    def precision(self) -> float:
        """The share of the predicted entities that are right."""
        return _ratio(self.tp, self.predicted)

    @property
    def recall(self) -> float:
        """The share of the gold entities that were found."""
        return _ratio(self.tp, self.gold)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; NaN only when there is neither gold nor prediction."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """The counts of one document: of all entities, of each type that occurs in it, of nested entities alone."""

    overall: Counts
    by_type: Mapping[str, Counts]
    nested: Counts


@dataclass(frozen=True, slots=True)
class Score:
    """Micro counts over documents, with the documents' own counts, which resampling needs."""

    documents: tuple[DocumentCounts, ...]
    overall: Counts
    by_type: Mapping[str, Counts]
    nested: Counts


def score(pairs: Sequence[Pair], labels: Sequence[str] = ()) -> Score:
    """The strict micro score of predictions.

    ``by_type`` holds the types of ``labels`` in that order, then any other type that occurs, sorted.
    """
    documents = tuple(score_document(pair) for pair in pairs)
    seen = {label for document in documents for label in document.by_type}
    types = [*labels, *sorted(seen.difference(labels))]
    by_type = {label: _total(document.by_type.get(label, Counts()) for document in documents) for label in types}
    return Score(
        documents,
        _total(document.overall for document in documents),
        by_type,
        _total(document.nested for document in documents),
    )


def score_document(pair: Pair) -> DocumentCounts:
    """The counts of one document; a missing prediction makes every gold entity a false negative."""
    gold, given = pair.expected, pair.given
    labels = {entity.label for entity in gold | given}
    by_type = {
        label: count({e for e in gold if e.label == label}, {e for e in given if e.label == label})
        for label in sorted(labels)
    }
    nested = nested_entities(gold)
    return DocumentCounts(count(gold, given), by_type, count(nested, touching(given, nested, gold)))


def count(gold: Set[Entity], given: Set[Entity]) -> Counts:
    """The counts of two sets of entities of one text."""
    tp = len(gold & given)
    return Counts(tp, len(given) - tp, len(gold) - tp)


def nested_entities(entities: Iterable[Entity]) -> frozenset[Entity]:
    """The entities that take part in a nesting pair, the outer as well as the inner one.

    Two entities are a nesting pair when the span of one lies inside the span of the other and the spans differ.
    Two types on one and the same span, and spans that cross, are not nesting.
    """
    nested: set[Entity] = set()
    around: list[Entity] = []  # in the order of `in_order` an outer entity always comes before its inner ones
    for entity in in_order(entities):
        around = [outer for outer in around if outer.end > entity.start]
        for outer in around:
            if outer.span != entity.span and outer.span.contains(entity.span):
                nested.update((outer, entity))
        around.append(entity)
    return frozenset(nested)


def touching(given: Set[Entity], nested: Set[Entity], gold: Set[Entity]) -> frozenset[Entity]:
    """The predictions that count in the score of nested entities (after appendix E of the paper).

    These are the right predictions of a nested gold entity, and the wrong predictions that share at least one
    character with a nested gold entity. A right prediction of a flat gold entity does not count, nor does a wrong one
    that touches no nested entity: the paper leaves those out because they have nothing to do with nesting.
    """
    wrong = given - gold
    return frozenset(given & nested) | {e for e in wrong if any(e.span.overlaps(n.span) for n in nested)}


def _total(counts: Iterable[Counts]) -> Counts:
    return sum(counts, start=Counts())


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
