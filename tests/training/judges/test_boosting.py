"""Trees of LightGBM, told as plain numbers."""

import numpy as np
import pytest

from medner.training.judges.boosting import _fitted, cross_boosted, trees_of

pytest.importorskip("lightgbm")


def test_the_plain_trees_score_as_lightgbm_does() -> None:
    """On rows they were fitted to and on others, values at a threshold among them."""
    draw = np.random.default_rng(3)
    x = np.round(draw.normal(size=(600, 4)), 1)
    truth = (x[:, 0] * x[:, 1] + 0.3 * draw.normal(size=600) > 0).astype(float)
    booster = _fitted(x, truth)
    trees = trees_of(booster.dump_model(), ("a", "b", "c", "d"))
    other = np.round(draw.normal(size=(200, 4)) * 2, 1)
    for rows in (x, other):
        named = [dict(zip("abcd", map(float, row), strict=True)) for row in rows]
        assert trees.logits(named) == pytest.approx(booster.predict(rows, raw_score=True), abs=1e-9)


def test_a_row_is_scored_by_trees_that_have_not_seen_its_text() -> None:
    """What only the text tells cannot be learnt across texts; what a feature tells can. Twice the same."""
    rows = [{"sure": float(number % 2), "own": float(number)} for number in range(400)]
    truth = np.array([number % 2 for number in range(400)], dtype=float)
    texts = [f"text {number // 4}" for number in range(400)]
    found = cross_boosted(rows, truth, texts)
    assert ((found.crossed > 0) == (truth > 0.5)).all()
    assert (cross_boosted(rows, truth, texts).crossed == found.crossed).all()
    chance = cross_boosted(rows, np.array([hash_of(text) for text in texts], dtype=float), texts)
    right = ((chance.crossed > 0) == np.array([hash_of(text) > 0 for text in texts])).mean()
    assert right < 0.75


def hash_of(text: str) -> int:
    """A coin for each text."""
    return sum(map(ord, text)) * 2654435761 % 97 % 2
