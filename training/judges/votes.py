"""Fits the linear layer over votes: logistic regression with a penalty, by Newton's method. Deterministic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medner.agents.judges.votes import MODEL, VoteLayer, case_features
from medner.training.judges.examples import JudgedCase, part_of

Floats = NDArray[np.float64]
Rows = Sequence[Mapping[str, float]]

#: Features seen in fewer candidates than this are left out.
LEAST_SEEN = 3
PENALTIES = (0.3, 1.0, 3.0, 10.0)
#: What no penalty pulls to 0.
_FREE = ("bias", MODEL)
_FOLDS = 5
_STEPS = 30


@dataclass(frozen=True, slots=True)
class Fitted:
    """A layer, the penalty that cross-validation chose, each candidate's score by a layer not fitted to its text."""

    layer: VoteLayer
    penalty: float
    crossed: Floats


def fit_votes(cases: Sequence[JudgedCase], taggers: Sequence[str]) -> Fitted:
    """The layer over votes and surface that tells right from wrong best on texts it was not fitted to."""
    rows = [row for one in cases for row in case_features(one.case, taggers)]
    truth = np.array([right for one in cases for right in one.truth], dtype=np.float64)
    fold = np.array([part_of(one.case.sentence.text, _FOLDS) for one in cases for _ in one.truth])
    crossed = {penalty: _crossed(rows, truth, fold, penalty) for penalty in PENALTIES}
    losses = {penalty: float(np.logaddexp(0.0, _signed(truth, logits)).sum()) for penalty, logits in crossed.items()}
    best = min(PENALTIES, key=lambda penalty: losses[penalty])
    return Fitted(VoteLayer(_fit(rows, truth, best), tuple(sorted(set(taggers)))), best, crossed[best])


def with_model(layer: VoteLayer, cases: Sequence[JudgedCase], scores: Sequence[float]) -> VoteLayer:
    """The layer with the model's score beside the votes, weighed on cases that neither was fitted to.

    ``scores`` are the model's logits of all candidates, case by case. Three weights are fitted: the model's, that of
    the layer as a whole, and a constant.
    """
    rows = [row for one in cases for row in case_features(one.case, layer.taggers)]
    votes = [layer.logit(row) for row in rows]
    truth = np.array([right for one in cases for right in one.truth], dtype=np.float64)
    both = [{"bias": 1.0, MODEL: score, "layer": vote} for score, vote in zip(scores, votes, strict=True)]
    found = _fit(both, truth, 1e-3, least=1)
    scaled = {name: found.get("layer", 0.0) * weight for name, weight in layer.weights.items()}
    scaled["bias"] = scaled.get("bias", 0.0) + found.get("bias", 0.0)
    return VoteLayer({**scaled, MODEL: found.get(MODEL, 0.0)}, layer.taggers)


def _signed(truth: Floats, logits: Floats) -> Floats:
    """The scores as far as they speak against the truth."""
    against: Floats = np.where(truth > 0.5, -logits, logits)
    return against


def _crossed(rows: Rows, truth: Floats, fold: NDArray[np.int_], penalty: float) -> Floats:
    """The scores of each fold by a layer fitted to the others; 0 where one fold has everything."""
    crossed = np.zeros(len(rows))
    for number in range(_FOLDS):
        inside = fold == number
        if inside.all() or not inside.any():
            continue
        known = [row for row, out in zip(rows, ~inside, strict=True) if out]
        layer = VoteLayer(_fit(known, truth[~inside], penalty), ())
        crossed[inside] = [layer.logit(row) for row, held in zip(rows, inside, strict=True) if held]
    return crossed


def _fit(rows: Rows, truth: Floats, penalty: float, *, least: int = LEAST_SEEN) -> dict[str, float]:
    seen = Counter(name for row in rows for name in row)
    names = sorted(name for name, count in seen.items() if count >= least)
    place = {name: number for number, name in enumerate(names)}
    x = np.zeros((len(rows), len(names)))
    for number, row in enumerate(rows):
        for name, value in row.items():
            if name in place:
                x[number, place[name]] = value
    pull = np.array([1e-6 if name in _FREE else penalty for name in names])
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
