"""Simple ensembles of systems' answers, and how much the systems disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from medner.core.errors import UserError
from medner.core.records import Document, Entity
from medner.evaluation.measures.matching import align_systems, pair_documents

Systems = Mapping[str, Sequence[Document]]


@dataclass(frozen=True, slots=True)
class SystemAgreement:
    """How far systems agree. An entity is agreed when all of them give it alike, else disputed."""

    documents: int
    documents_in_dispute: int
    agreed: int
    disputed: int


def agreement(systems: Systems) -> SystemAgreement:
    """Counts of agreed and disputed entities, and of the documents (sentences) with a dispute."""
    rows = align_systems(systems.items())
    votes = [_votes(row) for row in rows]
    disputed = [sum(number < len(systems) for number in vote.values()) for vote in votes]
    everything = sum(len(vote) for vote in votes)
    return SystemAgreement(len(rows), sum(number > 0 for number in disputed), everything - sum(disputed), sum(disputed))


def hard_vote(systems: Systems, needed: int | None = None) -> list[Document]:
    """The entities at least ``needed`` of the systems give; without it, more than half of them."""
    if needed is None:
        needed = len(systems) // 2 + 1
    if not 1 <= needed <= max(1, len(systems)):
        raise UserError(f"a vote among {len(systems)} systems can need 1 to {len(systems)} of them, not {needed}")
    voted = []
    for row in align_systems(systems.items()):
        votes = _votes(row)
        voted.append(replace(row[0], entities=tuple(entity for entity, number in votes.items() if number >= needed)))
    return voted


def union(systems: Systems) -> list[Document]:
    """The entities any system gives."""
    return hard_vote(systems, 1)


def intersection(systems: Systems) -> list[Document]:
    """The entities all systems give: the agreed ones."""
    return hard_vote(systems, len(systems))


def oracle(systems: Systems, gold: Sequence[Document]) -> list[Document]:
    """The agreed entities and those disputed ones that are in gold: what a judge without an error would keep.

    It is the upper bound of any judge that only chooses among disputed candidates.
    """
    known = {
        pair.predicted.id: pair.expected
        for pair in pair_documents(gold, union(systems)).pairs
        if pair.predicted is not None
    }
    right = []
    for row in align_systems(systems.items()):
        expected = known[row[0].id]
        kept = (entity for entity, number in _votes(row).items() if number == len(row) or entity in expected)
        right.append(replace(row[0], entities=tuple(kept)))
    return right


def all_ensembles(systems: Systems, gold: Sequence[Document]) -> dict[str, list[Document]]:
    """Hard vote, union, intersection and oracle, by name."""
    needed = len(systems) // 2 + 1
    return {
        f"hard vote ({needed} of {len(systems)})": hard_vote(systems),
        "union": union(systems),
        "unanimous": intersection(systems),
        "oracle": oracle(systems, gold),
    }


def _votes(row: Sequence[Document]) -> Counter[Entity]:
    return Counter(entity for document in row for entity in document.entities)
