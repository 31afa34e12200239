"""The span taggers as a filter: what they together think of each candidate, whoever proposed it.

No filter of the paper's; it costs nothing, because each span tagger has scored every stretch of the sentence already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from medner.agents.filters.filter import probability
from medner.store.records import Entity, Sentence


@runtime_checkable
class ScoresSpans(Protocol):
    """A tagger that has a score for any stretch and type (``agents/spans``)."""

    async def logits(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """The calibrated score of each entity; its sigmoid is the probability."""
        ...


@dataclass(frozen=True, slots=True)
class SpanFilter:
    """The mean of several span taggers' calibrated scores, as a probability."""

    taggers: tuple[ScoresSpans, ...]
    threshold: float = 0.0
    name: str = "span"

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """A probability for each entity, in their order."""
        several = await asyncio.gather(*(tagger.logits(sentence, entities) for tagger in self.taggers))
        return [probability(sum(column) / len(several), 1.0) for column in zip(*several, strict=True)]
