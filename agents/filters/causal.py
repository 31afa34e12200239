"""LLM-CAUSAL: a language model asked for yes or no (§4.4)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medner.agents.engines.engine import Engine
from medner.agents.filters.filter import each_once, probability
from medner.agents.prompts.filter import NO, YES, brief_filter_messages, filter_messages
from medner.core.labels import LabelSet
from medner.core.records import Entity, Sentence

#: The wordings of the question: ``full`` for a model that is not tuned, ``brief`` for one that is.
STYLES = {"full": filter_messages, "brief": brief_filter_messages}
_LEAST = 1e-30


@dataclass(frozen=True, slots=True)
class CausalFilter:
    """The model's probability of yes against no, asked in words; ``temperature`` calibrates it."""

    engine: Engine
    labels: LabelSet
    threshold: float = 0.5
    adapter: str | None = None
    name: str = "llm-causal"
    style: Literal["full", "brief"] = "full"
    temperature: float = 1.0

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """The probability of yes for each entity; all of a sentence's entities run as one batch, each once."""
        return await each_once(entities, lambda unique: asyncio.gather(*(self._one(sentence, one) for one in unique)))

    async def _one(self, sentence: Sentence, entity: Entity) -> float:
        messages = STYLES[self.style](sentence, entity, self.labels)
        yes, no = await self.engine.choose(messages, (YES, NO), adapter=self.adapter)
        if self.temperature == 1.0:
            return yes
        return probability(math.log(max(yes, _LEAST)) - math.log(max(no, _LEAST)), self.temperature)
