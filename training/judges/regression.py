"""Logistic regression over named features, with a penalty, by Newton's method. Deterministic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medner.agents.judges.linear import LinearLayer
from medner.training.judges.examples import part_of

Floats = NDArray[np.float64]
Rows = Sequence[Mapping[str, float]]

#: Features seen in fewer rows than this are left out.
LEAST_SEEN = 3
PENALTIES = (0.3, 1.0, 3.0, 10.0)
_FOLDS = 5
_STEPS = 30


@dataclass(frozen=True, slots=True)
class Regression:
    """The weights, the penalty that cross-validation chose, and each row's score by a fit without its text."""

    weights: dict[str, float]
    penalty: float
    crossed: Floats


def cross_validated(rows: Rows, truth: Floats, texts: Sequence[str], *, free: Collection[str]) -> Regression:
    """The fit whose penalty tells right from wrong best on texts it has not seen; ``texts`` says whose each row is.

    No penalty pulls the features of ``free`` to 0.
    """
    fold = np.array([part_of(text, _FOLDS) for text in texts])
    crossed = {penalty: _crossed(rows, truth, fold, penalty, free) for penalty in PENALTIES}
    losses = {penalty: float(np.logaddexp(0.0, _against(truth, logits)).sum()) for penalty, logits in crossed.items()}
    best = min(PENALTIES, key=lambda penalty: losses[penalty])
    return Regression(fitted(rows, truth, best, free=free), best, crossed[best])


def fitted(
    rows: Rows, truth: Floats, penalty: float, *, free: Collection[str], least: int = LEAST_SEEN
) -> dict[str, float]:
    """The weights of the features seen in at least ``least`` rows."""
    seen = Counter(name for row in rows for name in row)
    names = sorted(name for name, count in seen.items() if count >= least)
    place = {name: number for number, name in enumerate(names)}
    x = np.zeros((len(rows), len(names)))
    for number, row in enumerate(rows):
        for name, value in row.items():
            if name in place:
                x[number, place[name]] = value
    pull = np.array([1e-6 if name in free else penalty for name in names])
    weights = np.zeros(len(names))
    for _ in range(_STEPS):
        chances = 1.0 / (1.0 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (chances - truth) + pull * weights
        spread = np.maximum(chances * (1 - chances), 1e-6)
        step = np.linalg.solve((x.T * spread) @ x + np.diag(pull), slope)
        weights -= step
        if float(np.abs(step).max(initial=0.0)) < 1e-8:
            break
    return {name: round(float(weight), 8) for name, weight in zip(names, weights, strict=True)}


def _against(truth: Floats, logits: Floats) -> Floats:
    """The scores as far as they speak against the truth."""
    against: Floats = np.where(truth > 0.5, -logits, logits)
    return against


def _crossed(rows: Rows, truth: Floats, fold: NDArray[np.int_], penalty: float, free: Collection[str]) -> Floats:
    """The scores of each fold by a layer fitted to the others; 0 where one fold has everything."""
    crossed = np.zeros(len(rows))
    for number in range(_FOLDS):
        inside = fold == number
        if inside.all() or not inside.any():
            continue
        known = [row for row, out in zip(rows, ~inside, strict=True) if out]
        layer = LinearLayer(fitted(known, truth[~inside], penalty, free=free))
        crossed[inside] = [layer.logit(row) for row, held in zip(rows, inside, strict=True) if held]
    return crossed
