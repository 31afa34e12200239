"""Entity filters: throw out candidates that are probably wrong (§3.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from medner.agents.engines.engine import Engine
from medner.agents.prompts.filter import NO, YES, filter_messages
from medner.store.labels import LabelSet
from medner.store.records import Entity, Sentence


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


@dataclass(frozen=True, slots=True)
class CausalFilter:
    """LLM-CAUSAL (§4.4): the model's probability of yes against no, asked in words."""

    engine: Engine
    labels: LabelSet
    threshold: float = 0.5
    adapter: str | None = None
    name: str = "llm-causal"

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """The probability of yes for each entity; all of a sentence's entities run as one batch, each once."""
        unique = list(dict.fromkeys(entities))
        scores = await asyncio.gather(*(self._one(sentence, entity) for entity in unique))
        score_of = dict(zip(unique, scores, strict=True))
        return [score_of[entity] for entity in entities]

    async def _one(self, sentence: Sentence, entity: Entity) -> float:
        messages = filter_messages(sentence, entity, self.labels)
        yes, _ = await self.engine.choose(messages, (YES, NO), adapter=self.adapter)
        return yes
