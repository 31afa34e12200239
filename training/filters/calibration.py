"""From raw scores to probabilities and a threshold, on candidates held back from training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BINS = 15
_MOST_TEMPERATURE = 20.0
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class FilterCalibration:
    """How scores become decisions, and how well that went on the candidates held back.

    ``temperature`` divides a score before the sigmoid; candidates under ``threshold`` are dropped. ``gold`` entities
    were to be found; of ``n`` candidates ``right`` were right. ``f1_all`` is the F1 of keeping every candidate, ``f1``
    that of keeping those the filter does. ``accuracy`` is at the threshold; ``ece`` (expected calibration error, 15
    equal bins) is measured before and after the temperature.
    """

    temperature: float
    threshold: float
    n: int
    right: int
    gold: int
    accuracy: float
    f1_all: float
    f1: float
    ece_before: float
    ece_after: float


def calibrated(scores: Sequence[float], right: Sequence[bool], *, gold: int) -> FilterCalibration:
    """The temperature and the threshold that suit some scores (logits), whose truth is known, best."""
    logits: Floats = np.asarray(scores, dtype=np.float64)
    truth: NDArray[np.bool_] = np.asarray(right, dtype=np.bool_)
    temperature = fitted_temperature(logits, truth)
    chances = probabilities(logits, temperature)
    threshold = best_threshold(chances, truth, gold=gold)
    kept = chances >= threshold
    return FilterCalibration(
        temperature=round(temperature, 4),
        threshold=threshold,
        n=len(logits),
        right=int(truth.sum()),
        gold=gold,
        accuracy=round(float((kept == truth).mean()), 4),
        f1_all=round(f1(int(truth.sum()), len(truth), gold), 4),
        f1=round(f1(int((kept & truth).sum()), int(kept.sum()), gold), 4),
        ece_before=round(calibration_error(probabilities(logits, 1.0), truth), 4),
        ece_after=round(calibration_error(chances, truth), 4),
    )


def probabilities(logits: Floats, temperature: float) -> Floats:
    """The probability that each candidate is right."""
    scaled = np.clip(logits / temperature, -60.0, 60.0)
    chances: Floats = 1.0 / (1.0 + np.exp(-scaled))
    return chances


def fitted_temperature(logits: Floats, truth: NDArray[np.bool_]) -> float:
    """The temperature under which what is true is likeliest, between 1/20 and 20.

    The negative log-likelihood is convex in 1 / temperature, so a golden-section search over that finds it.
    """
    low, high = 1 / _MOST_TEMPERATURE, _MOST_TEMPERATURE
    signed = np.where(truth, logits, -logits)
    for _ in range(80):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if np.logaddexp(0.0, -left * signed).mean() <= np.logaddexp(0.0, -right * signed).mean():
            high = right
        else:
            low = left
    return 2 / (low + high)


def best_threshold(chances: Floats, truth: NDArray[np.bool_], *, gold: int) -> float:
    """The threshold that gives the highest F1; halfway to the next lower score, down to four digits; 0 keeps all.

    Among equals the lowest: what is gained must be worth what is dropped.
    """
    order = np.argsort(-chances, kind="stable")
    ranked, hits = chances[order], np.cumsum(truth[order])
    # Only where the score falls can a threshold stand.
    last = [*np.flatnonzero(ranked[1:] < ranked[:-1]).tolist(), len(ranked) - 1]
    best, place = max((f1(int(hits[at]), at + 1, gold), at) for at in last)
    if best <= 0.0 or place == len(ranked) - 1:
        return 0.0
    # Down: rounded up it could pass the scores that are to stay, all of them where they are nearly 1.
    return math.floor(float(ranked[place] + ranked[place + 1]) / 2 * 10_000) / 10_000


def f1(hits: int, kept: int, gold: int) -> float:
    """F1 of ``kept`` candidates of which ``hits`` are right, where there are ``gold``; NaN where there is nothing."""
    return 2 * hits / (kept + gold) if kept + gold else float("nan")


def calibration_error(chances: Floats, truth: NDArray[np.bool_]) -> float:
    """How far, on average, a probability is from the share of candidates that are right at it."""
    bins: Any = np.minimum((chances * _BINS).astype(int), _BINS - 1)
    total = 0.0
    for number in range(_BINS):
        inside = bins == number
        if inside.any():
            total += float(inside.mean()) * abs(float(chances[inside].mean()) - float(truth[inside].mean()))
    return total
