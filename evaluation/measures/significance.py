"""How sure a score and a difference are: resampling of documents.

Array names end in their axes: ``counts_dkc`` holds, for d documents and k groups of entities (all, nested, each type),
the c = 3 counts tp, fp, fn; r are resamples, m the measures precision, recall, F1.
The documents are the units that are drawn, because the entities of one document depend on one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medner.evaluation.measures.scoring import Counts, DocumentCounts

Array = NDArray[np.float64]

MEASURES = ("precision", "recall", "f1")
CELLS_AT_ONCE = 4_000_000  # 32 MB of weights; a fixed number, so that a seed means the same everywhere
TOLERANCE = 1e-12  # two ways to sum one and the same ratio may differ in the last bits


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals and p-values are drawn."""

    seed: int = 0
    resamples: int = 2000
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.seed < 0 or self.resamples < 1 or not 0 < self.level < 1:
            raise ValueError("resampling needs seed >= 0, resamples >= 1 and 0 < level < 1")


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval. NaN bounds: fewer than two documents, or the ratio is 0/0 in every resample."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals of one group's three ratios."""

    precision: Interval
    recall: Interval
    f1: Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """System B minus system A in one measure.

    ``p_bootstrap`` is two-sided, from the paired bootstrap: twice the smaller share of resamples at or beyond 0, with
    one added to count and total. ``p_randomisation`` is the cross-check: the share of random exchanges of the
    systems' answers, document by document, that give a difference at least as large. NaN where there is none.
    """

    delta: float
    low: float
    high: float
    p_bootstrap: float
    p_randomisation: float


@dataclass(frozen=True, slots=True)
class RatioDifferences:
    """The differences of one group's three ratios."""

    precision: Difference
    recall: Difference
    f1: Difference


def stack(documents: Sequence[DocumentCounts], labels: Sequence[str]) -> Array:
    """``counts_dkc`` of all entities, the nested ones and each of ``labels``, in that order."""
    none = Counts()
    rows = [
        [_row(c) for c in (d.overall, d.nested, *(d.by_type.get(label, none) for label in labels))] for d in documents
    ]
    return np.array(rows, dtype=np.float64).reshape(len(documents), 2 + len(labels), 3)


def ratios(counts: Array) -> Array:
    """Precision, recall and F1 of counts (..., 3) -> (..., 3); 0/0 is NaN."""
    tp, fp, fn = counts[..., 0], counts[..., 1], counts[..., 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([tp / (tp + fp), tp / (tp + fn), 2 * tp / (2 * tp + fp + fn)], axis=-1)


def intervals(counts_dkc: Array, how: Resampling) -> list[Intervals]:
    """The bootstrap percentile intervals of the micro ratios of each group."""
    drawn_rkm = ratios(bootstrap_totals(counts_dkc, how))
    low_km, high_km = _percentiles(drawn_rkm, how.level, enough=len(counts_dkc) > 1)
    return [
        Intervals(*(Interval(float(a), float(b)) for a, b in zip(low, high, strict=True)))
        for low, high in zip(low_km, high_km, strict=True)
    ]


def middle(drawn_r: Array, level: float, *, enough: bool) -> Interval:
    """The percentile interval of the draws that are defined; ``enough`` False: there were too few documents."""
    low, high = _percentiles(drawn_r[:, None], level, enough=enough)
    return Interval(float(low[0]), float(high[0]))


def differences(a_dkc: Array, b_dkc: Array, how: Resampling) -> list[RatioDifferences]:
    """B minus A for each group; the rows of both arrays are the same documents in the same order."""
    groups = a_dkc.shape[1]
    delta_km = ratios(b_dkc.sum(axis=0)) - ratios(a_dkc.sum(axis=0))
    both_rkc = bootstrap_totals(np.concatenate([a_dkc, b_dkc], axis=1), how)
    drawn_rkm = ratios(both_rkc[:, groups:]) - ratios(both_rkc[:, :groups])
    low_km, high_km = _percentiles(drawn_rkm, how.level, enough=len(a_dkc) > 1)
    # One document drawn again and again says nothing about others: no interval, and no p from it.
    p_km = _two_sided(drawn_rkm) if len(a_dkc) > 1 else np.full(delta_km.shape, np.nan)
    exchange_km = _randomisation(a_dkc, b_dkc, how)
    table_kmv = np.stack([delta_km, low_km, high_km, p_km, exchange_km], axis=-1)
    return [RatioDifferences(*(Difference(*map(float, values)) for values in group)) for group in table_kmv]


def bootstrap_totals(counts_dkc: Array, how: Resampling) -> Array:
    """Total counts (R, ...) of R draws of D documents with replacement; a document's counts may have any shape."""
    number = len(counts_dkc)
    flat = counts_dkc.reshape(number, -1)
    rng = np.random.default_rng(how.seed)
    parts = []
    for rows in _chunks(how.resamples, number):
        drawn = rng.integers(0, number, size=(rows, number)) if number else np.zeros((rows, 0), dtype=np.int64)
        places = drawn + np.arange(rows)[:, None] * number
        weights = np.bincount(places.ravel(), minlength=rows * number).reshape(rows, number)
        parts.append(weights.astype(np.float64) @ flat)
    return np.concatenate(parts).reshape(how.resamples, *counts_dkc.shape[1:])


def _randomisation(a_dkc: Array, b_dkc: Array, how: Resampling) -> Array:
    """Two-sided p-values (K, 3) of approximate randomisation."""
    number, *shape = a_dkc.shape
    total_a, total_b = a_dkc.sum(axis=0), b_dkc.sum(axis=0)
    gain = (b_dkc - a_dkc).reshape(number, -1)
    observed = np.abs(ratios(total_b) - ratios(total_a))
    rng = np.random.default_rng([how.seed, 1])  # independent of the bootstrap's draws
    as_large = np.zeros(observed.shape)
    for rows in _chunks(how.resamples, number):
        exchanged = rng.integers(0, 2, size=(rows, number)).astype(np.float64)
        moved = (exchanged @ gain).reshape(rows, *shape)
        shuffled = np.abs(ratios(total_b - moved) - ratios(total_a + moved))
        as_large += (shuffled >= observed - TOLERANCE).sum(axis=0)
    return np.where(np.isnan(observed), np.nan, (as_large + 1) / (how.resamples + 1))


def _two_sided(drawn_rkm: Array) -> Array:
    known = (~np.isnan(drawn_rkm)).sum(axis=0)
    below = (drawn_rkm <= TOLERANCE).sum(axis=0)
    above = (drawn_rkm >= -TOLERANCE).sum(axis=0)
    p = np.minimum(1.0, 2 * (np.minimum(below, above) + 1) / (known + 1))
    return np.where(known == 0, np.nan, p)


def _percentiles(drawn_rkm: Array, level: float, *, enough: bool) -> tuple[Array, Array]:
    """The bounds (K, 3) of the middle ``level`` of the draws that are defined."""
    low = np.full(drawn_rkm.shape[1:], np.nan)
    high = low.copy()
    tail = (1 - level) / 2
    for place in np.ndindex(*low.shape) if enough else ():
        column = drawn_rkm[:, *place]
        known = column[~np.isnan(column)]
        if known.size:
            low[place], high[place] = np.quantile(known, [tail, 1 - tail])
    return low, high


def _chunks(resamples: int, documents: int) -> Iterator[int]:
    size = max(1, CELLS_AT_ONCE // max(1, documents))
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def _row(counts: Counts) -> tuple[int, int, int]:
    return counts.tp, counts.fp, counts.fn
