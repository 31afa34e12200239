"""Probabilities that mean what they say, and the threshold with the best F1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.training.filters.calibration import best_threshold, calibrated, calibration_error, f1, fitted_temperature


def test_the_temperature_undoes_overconfidence():
    """Scores three times as sure as they should be get a temperature of about 3, and the error falls."""
    draw = np.random.default_rng(3)
    logits = draw.normal(0, 1.5, 4_000)
    truth = draw.random(4_000) < 1 / (1 + np.exp(-logits))
    assert fitted_temperature(3 * logits, truth) == pytest.approx(3, rel=0.15)
    found = calibrated((3 * logits).tolist(), truth.tolist(), gold=int(truth.sum()))
    assert found.ece_after < 0.03 < found.ece_before
    assert 0.5 < found.accuracy < 1


def test_scores_without_a_mistake_stay_finite():
    """Where nothing is wrong, the temperature is the least there is."""
    found = calibrated([4.0, 5.0, -3.0], [True, True, False], gold=2)
    assert found.temperature == 0.05
    assert (found.f1, found.f1_all) == (1.0, 0.8)


candidates = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40)


@given(candidates, st.integers(0, 10))
def test_no_other_threshold_is_better(drawn, missed):
    """Dropping what is under the threshold has the highest F1 that any threshold has, and ties keep more."""
    chances = np.array([number / 20 for number, _ in drawn])
    truth = np.array([right for _, right in drawn])
    gold = int(truth.sum()) + missed

    def at(threshold):
        kept = chances >= threshold
        return f1(int((kept & truth).sum()), int(kept.sum()), gold) if kept.any() or gold else 0.0

    threshold = best_threshold(chances, truth, gold=gold)
    assert at(threshold) >= max(at(place) for place in [0.0, *chances]) - 1e-12
    assert all(at(place) < at(threshold) for place in np.unique(chances) if place < chances[chances >= threshold].min())


def test_nothing_is_dropped_where_nothing_is_gained():
    """A threshold of 0 keeps all: when all are right, and when none is."""
    assert best_threshold(np.array([0.2, 0.9]), np.array([True, True]), gold=3) == 0.0
    assert best_threshold(np.array([0.2, 0.9]), np.array([False, False]), gold=3) == 0.0


def test_calibration_error_is_the_distance_to_the_truth():
    """Always 0.9 and right half of the time is 0.4 off."""
    assert calibration_error(np.full(10, 0.9), np.arange(10) < 5) == pytest.approx(0.4)


def test_a_threshold_near_one_keeps_what_it_was_chosen_for():
    """Cut to four digits, a threshold stays at or under the scores that are to stay, however near they are to 1."""
    chances = np.array([0.999_999, 0.999_98, 0.999_94])
    threshold = best_threshold(chances, np.array([True, True, False]), gold=2)
    assert (chances >= threshold).tolist()[:2] == [True, True]
