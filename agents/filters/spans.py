"""The span taggers as a filter: what they together think of each candidate, whoever proposed it.

No filter of the paper's; it costs nothing, because each span tagger has scored every stretch of the sentence already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from medner.agents.filters.filter import probability
from medner.agents.taggers.tagger import StretchScores
from medner.core.records import Entity, Sentence


@runtime_checkable
class ScoresSpans(Protocol):
    """A tagger that has a score for any stretch and type (``agents/taggers/spans``)."""

    @property
    def name(self) -> str:
        """The tagger's name in records."""
        ...

    async def logits(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """The calibrated score of each entity; its sigmoid is the probability."""
        ...


@runtime_checkable
class FromScores(Protocol):
    """A filter that is made of taggers' scores, which the graph hands on with the sentence."""

    async def score_from(
        self, scores: Mapping[str, StretchScores], sentence: Sentence, entities: Sequence[Entity]
    ) -> list[float]:
        """As :meth:`Filter.score`; ``scores`` are those there are of this sentence, by tagger."""
        ...


@runtime_checkable
class FindsLikely(Protocol):
    """A filter whose scores also name entities that no tagger proposed."""

    def likely(self, scores: Mapping[str, StretchScores], least: float) -> set[Entity]:
        """All entities that may have a probability of at least ``least``, and perhaps some that have less."""
        ...


@dataclass(frozen=True, slots=True)
class SpanFilter:
    """The mean of several span taggers' calibrated scores, as a probability.

    ``weights`` is how much each counts, in the order of the taggers; None: all alike.
    """

    taggers: tuple[ScoresSpans, ...]
    threshold: float = 0.0
    name: str = "span"
    weights: tuple[float, ...] | None = None

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """A probability for each entity, in their order."""
        return await self.score_from({}, sentence, entities)

    async def score_from(
        self, scores: Mapping[str, StretchScores], sentence: Sentence, entities: Sequence[Entity]
    ) -> list[float]:
        """A probability for each entity; only a tagger whose scores are not there is asked for them."""
        several = await asyncio.gather(*(self._logits(tagger, scores, sentence, entities) for tagger in self.taggers))
        weights = self.weights or (1.0,) * len(several)
        total = sum(weights)
        return [
            probability(sum(weight * logit for weight, logit in zip(weights, column, strict=True)) / total, 1.0)
            for column in zip(*several, strict=True)
        ]

    def likely(self, scores: Mapping[str, StretchScores], least: float) -> set[Entity]:
        """What a single tagger finds likely enough: the mean is never above all of its parts."""
        known = [scores[tagger.name] for tagger in self.taggers if tagger.name in scores]
        return {entity for one in known for entity in one.likely(least)}

    async def _logits(
        self,
        tagger: ScoresSpans,
        scores: Mapping[str, StretchScores],
        sentence: Sentence,
        entities: Sequence[Entity],
    ) -> list[float]:
        known = scores.get(tagger.name)
        return known.logits(entities) if known is not None else await tagger.logits(sentence, entities)
