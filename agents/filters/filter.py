"""The contract of an entity filter: it throws out candidates that are probably wrong (§3.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from medner.core.records import Entity, Sentence


class Filter(Protocol):
    """Gives each candidate a probability that it is right; those under ``threshold`` are dropped.

    Raises ModelOutputError for an answer it cannot use, ExternalError when its model cannot be run; either way all
    candidates stay.
    """

    @property
    def name(self) -> str:
        """The filter's name in records."""
        ...

    @property
    def threshold(self) -> float:
        """The least probability of a candidate that stays."""
        ...

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """A probability for each entity, in their order."""
        ...


def probability(logit: float, temperature: float) -> float:
    """The calibrated probability of a score: the sigmoid of its share of the temperature; NaN stays NaN."""
    scaled = logit / temperature
    if scaled < 0:
        small = math.exp(max(scaled, -700.0))
        return small / (1 + small)
    return 1 / (1 + math.exp(-scaled))
