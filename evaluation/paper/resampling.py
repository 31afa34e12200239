"""Intervals of counts and shares, by the same bootstrap over documents as the scores'.

Arrays are ``values_dk``: k numbers of each of d documents.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medner.evaluation.measures.significance import CELLS_AT_ONCE, Array, Interval, Resampling


def bootstrap_interval(values_dk: Array, statistic: Callable[[Array], Array], how: Resampling) -> Interval:
    """The percentile interval of ``statistic``, which takes totals (r, k) of drawn documents to r numbers.

    NaN bounds: fewer than two documents, or the statistic is NaN in every draw.
    """
    if len(values_dk) < 2:
        return Interval(np.nan, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn_r = statistic(_totals(values_dk, how))
    drawn_r = drawn_r[~np.isnan(drawn_r)]
    if not drawn_r.size:
        return Interval(np.nan, np.nan)
    tail = (1 - how.level) / 2
    low, high = np.quantile(drawn_r, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _totals(values_dk: Array, how: Resampling) -> Array:
    number = len(values_dk)
    rng = np.random.default_rng(how.seed)
    even = np.full(number, 1 / number)
    size = max(1, CELLS_AT_ONCE // number)
    rows = [min(size, how.resamples - start) for start in range(0, how.resamples, size)]
    return np.concatenate([rng.multinomial(number, even, size=each).astype(np.float64) @ values_dk for each in rows])
