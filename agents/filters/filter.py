"""The contract of an entity filter: it throws out candidates that are probably wrong (§3.2)."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
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


async def each_once(
    entities: Sequence[Entity], scores: Callable[[list[Entity]], Awaitable[Sequence[float]]]
) -> list[float]:
    """A score for each entity, in their order; ``scores`` is asked once, for the different ones, if there are any."""
    unique = list(dict.fromkeys(entities))
    score_of = dict(zip(unique, await scores(unique), strict=True)) if unique else {}
    return [score_of[entity] for entity in entities]


def probability(logit: float, temperature: float) -> float:
    """The calibrated probability of a score: the sigmoid of its share of the temperature; NaN stays NaN."""
    scaled = logit / temperature
    if scaled < 0:
        small = math.exp(max(scaled, -700.0))
        return small / (1 + small)
    return 1 / (1 + math.exp(-scaled))
