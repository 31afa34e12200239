"""From scores to probabilities and a threshold, on sentences held back from training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from medner.agents.spans.tagger import least_score, spans_over
from medner.store.labels import LabelSet
from medner.store.records import Document
from medner.training.spans.examples import SpanExample

#: Lower scores are certainly no entities and would drown the others.
_LOWEST = -6.0
_TEMPERATURES = [0.25 * 1.1**step for step in range(40)]
_THRESHOLDS = [step / 50 for step in range(5, 46)]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A tagger's temperature and threshold, and its strict micro F1 on the ``n`` sentences they were chosen on."""

    temperature: float
    threshold: float
    f1: float
    n: int


def calibrated(
    score: Callable[[Sequence[SpanExample]], Sequence[torch.Tensor]],
    held_back: Sequence[tuple[Document, SpanExample]],
    labels: LabelSet,
) -> Calibration:
    """The temperature with the least log loss, then the threshold with the best F1.

    ``score`` gives [types, C, C] for each of some examples.
    """
    scores = score([example for _, example in held_back])
    scored = [(document, scores_YCC) for (document, _), scores_YCC in zip(held_back, scores, strict=True)]
    temperature = best_temperature(scored, labels)
    threshold, f1 = best_threshold(scored, labels, temperature)
    return Calibration(round(temperature, 4), threshold, round(f1, 4), len(scored))


def best_temperature(scored: Sequence[tuple[Document, torch.Tensor]], labels: LabelSet) -> float:
    """The temperature under which the probabilities of likely cells fit best what they turned out to be."""
    signed = [torch.zeros(0)]
    for document, scores in scored:
        gold = torch.zeros(scores.shape, dtype=torch.bool)
        for entity in document.entities:
            gold[labels.codes.index(entity.label), entity.start, entity.end - 1] = True
        likely = (scores > _LOWEST) & torch.ones(scores.shape[1:], dtype=torch.bool).triu()
        signed.append(torch.where(gold, -scores, scores)[likely])
    # A model that has hardly learnt finds every cell likely; there are millions of them.
    wrong_N = torch.cat(signed)
    return min(_TEMPERATURES, key=lambda one: float(functional.softplus(wrong_N / one).sum(dtype=torch.float64)))


def best_threshold(
    scored: Sequence[tuple[Document, torch.Tensor]], labels: LabelSet, temperature: float
) -> tuple[float, float]:
    """The threshold with the best strict micro F1, and that F1; the one nearest to a half among equals."""
    lowest = least_score(_THRESHOLDS[0], temperature)
    # Whether a span stays depends on better ones alone, so a higher threshold leaves the better of the same spans.
    found = [
        (value, entity in document.entities)
        for document, scores in scored
        for entity, value in spans_over(scores, labels, score=lowest)
    ]
    gold = sum(len(document.entities) for document, _ in scored)
    ranked = [(_f1(found, gold, least_score(p, temperature)), -abs(p - 0.5), p) for p in _THRESHOLDS]
    f1, _, threshold = max(ranked)
    return threshold, f1


def _f1(found: Sequence[tuple[float, bool]], gold: int, score: float) -> float:
    kept = [hit for value, hit in found if value >= score]
    return 2 * sum(kept) / max(len(kept) + gold, 1)
