"""How far two annotators agree: strict F1 and kappa, of everything, of each type, and where entities overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from medner.core.records import Entity, in_order
from medner.evaluation.measures.annotated_texts import AnnotatedTexts
from medner.evaluation.measures.errors import ErrorTable, find_mistakes, tabulate
from medner.evaluation.measures.kappa import Kappa, character_table, kappa, of_type, span_table, type_table
from medner.evaluation.measures.matching import Pair
from medner.evaluation.measures.scoring import Counts, DocumentCounts, count
from medner.evaluation.measures.significance import Interval, Resampling, intervals, stack


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two annotators agree on a group of entities: ``counts.tp`` are those of both, ``fn`` and ``fp`` those of
    the first and of the second alone, so that F1 is the same from both sides. Kappa is None where it has no meaning.
    """

    counts: Counts
    f1_interval: Interval
    spans: Kappa | None = None
    characters: Kappa | None = None


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two annotators on the documents that both worked on.

    ``overlapping``: the entities that share a character with another one of the same annotator. ``types`` is the kappa
    of types on stretches that both marked. ``errors``: the second one's entities that the first does not have, by how
    they lie to those of the first.
    """

    one: str
    other: str
    documents: int
    overall: Agreement
    overlapping: Agreement
    by_type: Mapping[str, Agreement]
    types: Kappa
    errors: ErrorTable


def pair_agreements(texts: AnnotatedTexts, how: Resampling, labels: Sequence[str] = ()) -> tuple[PairAgreement, ...]:
    """The agreement of every two annotators who share a document. ``labels`` come first among the types."""
    seen = sorted({e.label for text in texts.shared for entities in text.entities.values() for e in entities})
    types = list(dict.fromkeys((*labels, *seen)))
    found = ((one, other, texts.pairs(one, other)) for one, other in combinations(texts.annotators, 2))
    return tuple(_agreement(one, other, pairs, how, types) for one, other, pairs in found if pairs)


def _agreement(one: str, other: str, pairs: Sequence[Pair], how: Resampling, types: Sequence[str]) -> PairAgreement:
    documents = [_counts(pair) for pair in pairs]
    bounds = intervals(stack(documents, types), how)
    spans, characters = [span_table(pair) for pair in pairs], [character_table(pair) for pair in pairs]
    by_type = {
        label: Agreement(
            sum((document.by_type.get(label, Counts()) for document in documents), start=Counts()),
            bound.f1,
            kappa([of_type(table, label) for table in spans], how),
            kappa([of_type(table, label) for table in characters], how),
        )
        for label, bound in zip(types, bounds[2:], strict=True)
    }
    overall = sum((document.overall for document in documents), start=Counts())
    overlapping = sum((document.nested for document in documents), start=Counts())
    return PairAgreement(
        one,
        other,
        len(pairs),
        Agreement(overall, bounds[0].f1, kappa(spans, how), kappa(characters, how)),
        Agreement(overlapping, bounds[1].f1),
        by_type,
        kappa([type_table(pair) for pair in pairs], how),
        tabulate(find_mistakes(pairs)),
    )


def _counts(pair: Pair) -> DocumentCounts:
    """The counts of one document, with overlapping entities where scores have nested ones."""
    one, other = pair.expected, pair.given
    by_type = {
        label: count({e for e in one if e.label == label}, {e for e in other if e.label == label})
        for label in {e.label for e in one | other}
    }
    near = overlapping_entities(one) | overlapping_entities(other)
    return DocumentCounts(count(one, other), by_type, count(one & near, other & near))


def overlapping_entities(entities: Iterable[Entity]) -> frozenset[Entity]:
    """The entities that share a character with another one: nested, crossing, or on the same stretch."""
    found: set[Entity] = set()
    open_: list[Entity] = []
    for entity in in_order(entities):
        open_ = [before for before in open_ if before.end > entity.start]
        if open_:
            found.update((entity, *open_))
        open_.append(entity)
    return frozenset(found)
