"""Whether a score means what it says: of entities with a score of .8, eight in ten should be right.

The expected calibration error is that of Guo et al., "On Calibration of Modern Neural Networks" (2017), with ten bins
of equal width: the mean distance between score and share of right entities, weighted by the entities of each bin.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medner.core.records import Entity
from medner.evaluation.measures.matching import Pair

BINS = 10

#: The scores of a system's entities, by the document's id; an entity may have none.
Scores = Mapping[str, Mapping[Entity, float]]


@dataclass(frozen=True, slots=True)
class Bin:
    """The predicted entities with a score from ``low`` on and below ``high`` (the last bin: up to 1)."""

    low: float
    high: float
    entities: int
    right: int
    total: float

    @property
    def mean(self) -> float:
        """The mean score; NaN without an entity."""
        return self.total / self.entities if self.entities else math.nan

    @property
    def share(self) -> float:
        """The share of right ones; NaN without an entity."""
        return self.right / self.entities if self.entities else math.nan


@dataclass(frozen=True, slots=True)
class Calibration:
    """A system's scores against what is right; ``unscored`` predicted entities have no score and do not count."""

    bins: tuple[Bin, ...]
    unscored: int

    @property
    def entities(self) -> int:
        """How many entities have a score."""
        return sum(one.entities for one in self.bins)

    @property
    def error(self) -> float:
        """The expected calibration error, from 0 to 1."""
        return sum(abs(one.total - one.right) for one in self.bins) / self.entities


def calibrate(pairs: Iterable[Pair], scores: Scores) -> Calibration | None:
    """The calibration of a system's predictions; None where no entity of these documents has a score."""
    counts, right, totals = [0] * BINS, [0] * BINS, [0.0] * BINS
    unscored = 0
    for pair in pairs:
        known = scores.get(pair.predicted.id, {}) if pair.predicted is not None else {}
        for entity in pair.given:
            score = known.get(entity)
            if score is None:
                unscored += 1
                continue
            place = min(BINS - 1, int(score * BINS))
            counts[place] += 1
            right[place] += entity in pair.expected
            totals[place] += score
    if not sum(counts):
        return None
    bins = (Bin(place / BINS, (place + 1) / BINS, counts[place], right[place], totals[place]) for place in range(BINS))
    return Calibration(tuple(bins), unscored)
