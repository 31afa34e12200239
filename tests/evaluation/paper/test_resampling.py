"""Intervals of counts and shares."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.evaluation.measures.significance import Resampling
from medner.evaluation.paper.resampling import bootstrap_interval

HOW = Resampling(resamples=200)
COUNTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12)


@settings(max_examples=40, deadline=None)
@given(COUNTS)
def test_a_share_lies_between_none_and_all(counts: list[tuple[int, int]]) -> None:
    """The bounds of a share are in order and inside [0, 1]; there are none where every draw is 0/0."""
    values = np.array(counts, dtype=float)
    found = bootstrap_interval(values, lambda totals: totals[:, 0] / totals.sum(axis=1), HOW)
    if values.sum() == 0:
        assert math.isnan(found.low)
    else:
        assert 0 <= found.low <= found.high <= 1


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 9), st.integers(0, 7))
def test_equal_documents_leave_no_doubt(number: int, value: int) -> None:
    """Every draw of equal documents has the same total."""
    found = bootstrap_interval(np.full((number, 1), float(value)), lambda totals: totals[:, 0], HOW)
    assert (found.low, found.high) == (number * value, number * value)


def test_one_document_says_nothing_about_others() -> None:
    """No interval from a single document."""
    assert math.isnan(bootstrap_interval(np.ones((1, 1)), lambda totals: totals[:, 0], HOW).low)


def test_the_seed_decides() -> None:
    """The same seed gives the same interval; the interval holds the observed total."""
    values = np.arange(20.0)[:, None]
    one, two = (bootstrap_interval(values, lambda totals: totals[:, 0], HOW) for _ in range(2))
    assert one == two
    assert one.low < values.sum() < one.high
