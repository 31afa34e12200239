"""From scores to probabilities and a threshold, on sentences held back from training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

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
    score: Callable[[SpanExample], torch.Tensor], held_back: Sequence[tuple[Document, SpanExample]], labels: LabelSet
) -> Calibration:
    """The temperature with the least log loss, then the threshold with the best F1; ``score`` gives [types, C, C]."""
    scored = [(document, score(example)) for document, example in held_back]
    temperature = best_temperature(scored, labels)
    threshold, f1 = best_threshold(scored, labels, temperature)
    return Calibration(round(temperature, 4), threshold, round(f1, 4), len(scored))


def best_temperature(scored: Sequence[tuple[Document, torch.Tensor]], labels: LabelSet) -> float:
    """The temperature under which the probabilities of likely cells fit best what they turned out to be."""
    values, right = [], []
    for document, scores in scored:
        gold = {(labels.codes.index(e.label), e.start, e.end - 1) for e in document.entities}
        cells = ((scores > _LOWEST) & torch.ones(scores.shape[1:], dtype=torch.bool).triu()).nonzero().tolist()
        values += [float(scores[tuple(cell)]) for cell in cells]
        right += [tuple(cell) in gold for cell in cells]
    return min(_TEMPERATURES, key=lambda temperature: _log_loss(values, right, temperature))


def best_threshold(
    scored: Sequence[tuple[Document, torch.Tensor]], labels: LabelSet, temperature: float
) -> tuple[float, float]:
    """The threshold with the best strict micro F1, and that F1; the one nearest to a half among equals."""
    ranked = [(_f1(scored, labels, least_score(p, temperature)), -abs(p - 0.5), p) for p in _THRESHOLDS]
    f1, _, threshold = max(ranked)
    return threshold, f1


def _f1(scored: Sequence[tuple[Document, torch.Tensor]], labels: LabelSet, score: float) -> float:
    right = predicted = gold = 0
    for document, scores in scored:
        found = {entity for entity, _ in spans_over(scores, labels, score=score)}
        right += len(found & set(document.entities))
        predicted += len(found)
        gold += len(document.entities)
    return 2 * right / max(predicted + gold, 1)


def _log_loss(values: Sequence[float], right: Sequence[bool], temperature: float) -> float:
    return sum(
        _softplus(-value / temperature if hit else value / temperature)
        for value, hit in zip(values, right, strict=True)
    )


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))
