"""Fits the evidence judge on what out-of-fold taggers think of annotated sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medner.agents.evidence.lexicon import Lexicon, StringCounts
from medner.agents.judges.evidence import Counted, evidence_features, log_odds
from medner.agents.judges.judge import Case, likeliest_apart
from medner.agents.judges.trees import BoostedTrees
from medner.core.labels import LabelSet
from medner.core.records import Candidate, Conflict, ConflictKind, Document, Entity, Sentence, Span
from medner.training.evidence.lexicon import sentence_counts
from medner.training.judges.boosting import Floats, cross_boosted

_THRESHOLDS = tuple(place / 100 for place in range(20, 71))


@dataclass(frozen=True, slots=True)
class EvidenceCase:
    """All candidates of an annotated sentence in one case, and how often its strings occur in it, as what.

    ``read`` are the logits that the judge's own model gives the candidates, in their order; None: it has none.
    """

    case: Case
    gold: frozenset[Entity]
    own: Mapping[str, StringCounts]
    read: tuple[float, ...] | None = None

    @property
    def truth(self) -> list[bool]:
        """Whether each candidate is right, in their order."""
        return [one.entity in self.gold for one in self.case.conflict.candidates]


@dataclass(frozen=True, slots=True)
class FittedEvidence:
    """The trees and their threshold; ``f1`` is what they have on texts that they were not fitted to.

    ``plain`` is the F1 that the scores alone have there, with a threshold of their own.
    """

    trees: BoostedTrees
    threshold: float
    sentences: int
    candidates: int
    f1: float
    plain: float


def evidence_case(
    sentence: Document,
    scored: Mapping[Entity, float],
    labels: LabelSet,
    known: frozenset[str] | Mapping[str, object],
    read: Mapping[Entity, float] | None = None,
) -> EvidenceCase:
    """The case of a sentence: ``scored`` are the entities somebody thinks of, with their probability.

    Only what keeps to the label set's rule for edges: nothing else is ever proposed. ``read`` are probabilities by the
    judge's own model; what it does not list has the lowest that there is.
    """
    kept = {
        entity: chance for entity, chance in scored.items() if labels.edges.trimmed(entity, sentence.text) == entity
    }
    candidates = tuple(Candidate(entity, (), chance) for entity, chance in sorted(kept.items()))
    conflict = Conflict("c0", Span(0, len(sentence.text)), ConflictKind.NO_OVERLAP, candidates)
    own = sentence_counts(sentence, known, labels)
    return EvidenceCase(
        Case(Sentence(sentence.id, sentence.text, 0), conflict, labels, ()),
        frozenset(sentence.entities),
        own,
        None if read is None else tuple(log_odds(read.get(one.entity, 0.0)) for one in candidates),
    )


def fit_evidence(cases: Sequence[EvidenceCase], lexicon: Lexicon) -> FittedEvidence:
    """The trees, and the threshold of the best F1 on sentences that they were not fitted to."""
    rows = [row for one in cases for row in evidence_features(one.case, Counted(lexicon, one.own), one.read)]
    truth = np.array([right for one in cases for right in one.truth], dtype=np.float64)
    texts = [one.case.sentence.text for one in cases for _ in one.truth]
    found = cross_boosted(rows, truth, texts)
    threshold, f1 = best_threshold(cases, 1.0 / (1.0 + np.exp(-found.crossed)))
    _, plain = best_threshold(cases, np.array([one.score for case in cases for one in case.case.conflict.candidates]))
    return FittedEvidence(found.trees, threshold, len(cases), len(rows), f1, plain)


def best_threshold(cases: Sequence[EvidenceCase], chances: Floats) -> tuple[float, float]:
    """The threshold of the highest strict micro F1 over all entities of the cases, and that F1."""
    return max(((at, f1_at(cases, chances, at)) for at in _THRESHOLDS), key=lambda one: one[1])


def f1_at(cases: Sequence[EvidenceCase], chances: Iterable[float], threshold: float) -> float:
    """Strict micro F1 of candidates of at least ``threshold``, of two that exclude one another the likelier."""
    left = iter(chances)
    right = kept_all = gold = 0
    for one in cases:
        scored = {each.entity: float(next(left)) for each in one.case.conflict.candidates}
        kept = likeliest_apart(one.case, scored, threshold)
        right, kept_all, gold = right + len(kept & one.gold), kept_all + len(kept), gold + len(one.gold)
    return 2 * right / max(kept_all + gold, 1)
