"""Fits the linear layer over votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medner.agents.judges.votes import MODEL, VoteLayer, case_features
from medner.training.judges.examples import JudgedCase
from medner.training.judges.regression import Floats, cross_validated, fitted

#: What no penalty pulls to 0.
_FREE = ("bias", MODEL)


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
    texts = [one.case.sentence.text for one in cases for _ in one.truth]
    found = cross_validated(rows, truth, texts, free=_FREE)
    return Fitted(VoteLayer(found.weights, tuple(sorted(set(taggers)))), found.penalty, found.crossed)


def with_model(layer: VoteLayer, cases: Sequence[JudgedCase], scores: Sequence[float]) -> VoteLayer:
    """The layer with the model's score beside the votes, weighed on cases that neither was fitted to.

    ``scores`` are the model's logits of all candidates, case by case. Three weights are fitted: the model's, that of
    the layer as a whole, and a constant.
    """
    rows = [row for one in cases for row in case_features(one.case, layer.taggers)]
    votes = [layer.logit(row) for row in rows]
    truth = np.array([right for one in cases for right in one.truth], dtype=np.float64)
    both = [{"bias": 1.0, MODEL: score, "layer": vote} for score, vote in zip(scores, votes, strict=True)]
    found = fitted(both, truth, 1e-3, free=_FREE, least=1)
    scaled = {name: found.get("layer", 0.0) * weight for name, weight in layer.weights.items()}
    scaled["bias"] = scaled.get("bias", 0.0) + found.get("bias", 0.0)
    return VoteLayer({**scaled, MODEL: found.get(MODEL, 0.0)}, layer.taggers)
