"""Intervals and p-values."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.evaluation.measures import significance
from medner.evaluation.measures.scoring import Counts, DocumentCounts
from medner.evaluation.measures.significance import Resampling, differences, intervals, ratios, stack

counts_of = st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=2, max_size=8)
SMALL = Resampling(seed=3, resamples=200)


def _array(rows: list[tuple[int, int, int]]) -> significance.Array:
    return np.array(rows, dtype=np.float64)[:, None, :]


def test_stacked_counts_hold_all_nested_and_the_types_asked_for() -> None:
    """A type that does not occur in a document counts 0 there."""
    document = DocumentCounts(Counts(2, 1, 0), {"dis": Counts(2, 1, 0)}, Counts(1, 0, 0))
    assert stack([document], ["dis", "sym"]).tolist() == [[[2, 1, 0], [1, 0, 0], [2, 1, 0], [0, 0, 0]]]


@given(st.tuples(*[st.integers(0, 9)] * 3))
def test_ratios_of_arrays_are_the_ratios_of_counts(row: tuple[int, int, int]) -> None:
    """The vectorised ratios and those of the record are the same numbers, NaN included."""
    counts = Counts(*row)
    expected = [counts.precision, counts.recall, counts.f1]
    assert np.allclose(ratios(np.array(row, dtype=np.float64)), expected, equal_nan=True)


@settings(max_examples=25)
@given(counts_of, st.integers(0, 2**31))
def test_the_same_seed_gives_the_same_interval(rows: list[tuple[int, int, int]], seed: int) -> None:
    """The bootstrap is a function of counts and seed."""
    how = Resampling(seed=seed, resamples=100)
    assert repr(intervals(_array(rows), how)) == repr(intervals(_array(rows), how))


@settings(max_examples=25)
@given(counts_of)
def test_identical_systems_differ_by_exactly_nothing(rows: list[tuple[int, int, int]]) -> None:
    """Delta, interval and p of a system against itself are 0, [0, 0] and 1, or undefined where the score is."""
    [found] = differences(_array(rows), _array(rows), SMALL)
    for value in (found.precision, found.recall, found.f1):
        if not math.isnan(value.delta):
            assert (value.delta, value.low, value.high) == (0, 0, 0)
            assert (value.p_bootstrap, value.p_randomisation) == (1, 1)


@settings(max_examples=25)
@given(counts_of, st.data())
def test_exchanging_the_systems_turns_the_sign(rows: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """B against A is minus A against B, with the same p."""
    others = data.draw(st.lists(st.tuples(*[st.integers(1, 5)] * 3), min_size=len(rows), max_size=len(rows)))
    a, b = _array([(tp + 1, fp, fn) for tp, fp, fn in rows]), _array(others)
    [there], [back] = differences(a, b, SMALL), differences(b, a, SMALL)
    assert there.f1.delta == -back.f1.delta
    assert there.f1.p_bootstrap == back.f1.p_bootstrap
    assert there.f1.low == pytest.approx(-back.f1.high)


def test_equal_documents_give_an_interval_without_width() -> None:
    """Where every document has the same counts every resample has the same score."""
    [found] = intervals(_array([(2, 1, 1)] * 10), SMALL)
    assert found.f1.low == found.f1.high == pytest.approx(2 / 3)


def test_one_document_has_no_interval() -> None:
    """Drawing one document again and again says nothing about others."""
    [found] = intervals(_array([(2, 1, 1)]), SMALL)
    assert math.isnan(found.f1.low)
    [difference] = differences(_array([(0, 1, 1)]), _array([(1, 0, 0)]), SMALL)
    assert difference.f1.delta == 1
    assert math.isnan(difference.f1.p_bootstrap)


def test_the_interval_is_that_of_a_plain_loop() -> None:
    """The weights' product equals drawing, adding and dividing one resample after the other."""
    rows = [(3, 1, 0), (0, 2, 2), (1, 0, 1), (4, 1, 1), (0, 0, 0)]
    how = Resampling(seed=11, resamples=300)
    drawn = np.random.default_rng(11).integers(0, 5, size=(300, 5))
    scores = []
    for places in drawn:
        total = sum((Counts(*rows[place]) for place in places), start=Counts())
        scores.append(total.f1)
    [found] = intervals(_array(rows), how)
    assert (found.f1.low, found.f1.high) == pytest.approx(tuple(np.nanquantile(scores, [0.025, 0.975])))


def test_work_in_pieces_gives_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large corpus is drawn in pieces to save memory; the pieces together are what one piece would be."""
    rows = [(3, 1, 0), (0, 2, 2), (1, 0, 1), (4, 1, 1)]
    whole = intervals(_array(rows), SMALL)
    monkeypatch.setattr(significance, "CELLS_AT_ONCE", 4 * 64)
    assert intervals(_array(rows), SMALL) == whole


def test_randomisation_comes_near_the_exact_p_value() -> None:
    """With six documents all 64 exchanges can be listed."""
    a = [(1, 1, 1), (0, 2, 2), (2, 1, 0), (1, 0, 1), (0, 1, 2), (1, 1, 0)]
    b = [(2, 0, 0), (1, 1, 1), (2, 0, 0), (1, 1, 1), (1, 0, 1), (1, 0, 0)]
    arrays = np.array(a, dtype=float), np.array(b, dtype=float)
    observed = abs(_f1(arrays[1].sum(0)) - _f1(arrays[0].sum(0)))
    as_large = 0
    for exchange in itertools.product((False, True), repeat=6):
        mask = np.array(exchange)[:, None]
        one, two = np.where(mask, arrays[1], arrays[0]), np.where(mask, arrays[0], arrays[1])
        as_large += abs(_f1(two.sum(0)) - _f1(one.sum(0))) >= observed - 1e-12
    [found] = differences(_array(a), _array(b), Resampling(seed=1, resamples=20_000))
    assert found.f1.p_randomisation == pytest.approx(as_large / 64, abs=0.015)


def test_a_clear_difference_has_a_small_p() -> None:
    """Better in each of forty documents cannot be chance."""
    [found] = differences(_array([(1, 2, 2)] * 40), _array([(2, 1, 1)] * 40), Resampling())
    assert found.f1.low > 0
    assert found.f1.p_bootstrap < 0.002
    assert found.f1.p_randomisation < 0.002


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"resamples": 0}, {"level": 1.0}])
def test_impossible_resampling_is_refused(wrong: dict[str, float]) -> None:
    """A resampling that cannot be drawn is an error where it is made."""
    with pytest.raises(ValueError, match="resampling needs"):
        Resampling(**wrong)  # type: ignore[arg-type]


def _f1(total: np.ndarray) -> float:
    return Counts(*map(int, total)).f1
