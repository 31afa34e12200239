"""What kind of errors a system makes: the paper's classes (§3.2, §4.3) and its table of boundary errors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

from medner.core.records import ConflictKind, Entity, in_order
from medner.evaluation.measures.matching import Pair
from medner.evaluation.measures.scoring import nested_entities


class ErrorClass(StrEnum):
    """The paper's five classes (§3.2): four kinds of false positive, in order of precedence, and the false negative."""

    SAME_SPAN_OTHER_TYPE = ConflictKind.SAME_SPAN_OTHER_TYPE.value
    OVERLAP_SAME_TYPE = ConflictKind.OVERLAP_SAME_TYPE.value
    OVERLAP_OTHER_TYPE = ConflictKind.OVERLAP_OTHER_TYPE.value
    NO_OVERLAP = ConflictKind.NO_OVERLAP.value
    MISSED = "missed"


FALSE_POSITIVES = tuple(kind for kind in ErrorClass if kind is not ErrorClass.MISSED)
NESTED_CLASSES = tuple(kind for kind in FALSE_POSITIVES if kind is not ErrorClass.NO_OVERLAP)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One error. ``near`` is the gold entity that decided a false positive's class; None for the last two classes.

    ``nested`` says whether it has to do with a nested gold entity: a false positive that shares a character with one,
    or a missed one.
    """

    document_id: str
    entity: Entity
    kind: ErrorClass
    near: Entity | None = None
    nested: bool = False

    @property
    def boundary_distance(self) -> int:
        """|start shift| + |end shift| in characters against ``near``; 0 when there is none."""
        return 0 if self.near is None else _distance(self.entity, self.near)


@dataclass(frozen=True, slots=True)
class BoundaryDistances:
    """How far off the boundaries of the overlap-same-type errors are (figure 6): distance in characters -> errors."""

    counts: Mapping[int, int]

    @property
    def errors(self) -> int:
        """How many errors the table holds."""
        return sum(self.counts.values())

    def within(self, limit: int) -> int:
        """How many errors are at most ``limit`` characters off."""
        return sum(number for distance, number in self.counts.items() if distance <= limit)

    def share_within(self, limit: int) -> float:
        """The share of the errors that are at most ``limit`` characters off; NaN when there are none."""
        return self.within(limit) / self.errors if self.errors else math.nan


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """Errors by class, over all entities and those of nested entities alone (table 12), and the boundary table.

    ``nested`` has no class ``no_overlap``: such an error touches no gold entity, so no nested one either.
    """

    overall: Mapping[ErrorClass, int]
    nested: Mapping[ErrorClass, int]
    boundaries: BoundaryDistances

    @property
    def false_positives(self) -> int:
        """How many of the errors are false positives."""
        return sum(self.overall[kind] for kind in FALSE_POSITIVES)

    @property
    def total(self) -> int:
        """All errors."""
        return sum(self.overall.values())


def find_mistakes(pairs: Sequence[Pair]) -> tuple[Mistake, ...]:
    """Every error, in the order of the documents: false positives in text order, then the missed entities."""
    return tuple(mistake for pair in pairs for mistake in _of_document(pair))


def tabulate(mistakes: Iterable[Mistake]) -> ErrorTable:
    """The tables of a system's errors."""
    mistakes = tuple(mistakes)
    overall = Counter(mistake.kind for mistake in mistakes)
    nested = Counter(mistake.kind for mistake in mistakes if mistake.nested)
    distances = Counter(m.boundary_distance for m in mistakes if m.kind is ErrorClass.OVERLAP_SAME_TYPE)
    return ErrorTable(
        {kind: overall[kind] for kind in ErrorClass},
        {kind: nested[kind] for kind in (*NESTED_CLASSES, ErrorClass.MISSED)},
        BoundaryDistances(dict(sorted(distances.items()))),
    )


def classify(entity: Entity, gold: Iterable[Entity]) -> tuple[ErrorClass, Entity | None]:
    """The class of a false positive, and the gold entity that decides it.

    The classes are tried in order of precedence over all gold entities of the document, also those another
    prediction got right. Of several gold entities of the deciding class the one with the smallest boundary distance
    decides, then the first in the text.
    """
    near = [known for known in in_order(gold) if known.span.overlaps(entity.span)]
    groups = (
        (ErrorClass.SAME_SPAN_OTHER_TYPE, [known for known in near if known.span == entity.span]),
        (ErrorClass.OVERLAP_SAME_TYPE, [known for known in near if known.label == entity.label]),
        (ErrorClass.OVERLAP_OTHER_TYPE, near),
    )
    for kind, deciding in groups:
        if deciding:
            return kind, min(deciding, key=lambda known: _distance(entity, known))
    return ErrorClass.NO_OVERLAP, None


def _of_document(pair: Pair) -> Iterable[Mistake]:
    gold, given = pair.expected, pair.given
    nested = nested_entities(gold)
    for entity in in_order(given - gold):
        kind, near = classify(entity, gold)
        yield Mistake(pair.gold.id, entity, kind, near, _touches(entity, nested))
    for entity in in_order(gold - given):
        yield Mistake(pair.gold.id, entity, ErrorClass.MISSED, None, entity in nested)


def _touches(entity: Entity, others: Set[Entity]) -> bool:
    return any(entity.span.overlaps(other.span) for other in others)


def _distance(a: Entity, b: Entity) -> int:
    return abs(a.start - b.start) + abs(a.end - b.end)
