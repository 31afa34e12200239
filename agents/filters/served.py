"""LLM-CLS on a server: what ``medner export`` made of the filter, asked for scores over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from medner.agents.engines.engine import Classifier
from medner.agents.filters.filter import each_once, probability
from medner.agents.prompts.filter import candidate_part, sentence_part
from medner.core.labels import LabelSet
from medner.core.records import Entity, Sentence


@dataclass(frozen=True, slots=True)
class ServedClassifierFilter:
    """Scores a sentence's candidates by one request. ``bias`` is what the exported model has no place for."""

    engine: Classifier
    labels: LabelSet
    model: str
    bias: float
    threshold: float = 0.5
    temperature: float = 1.0
    name: str = "llm-cls"

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """A probability for each entity, each once; a server with prefix caching runs the sentence once for all."""
        return await each_once(entities, partial(self._scores, sentence))

    async def _scores(self, sentence: Sentence, entities: list[Entity]) -> list[float]:
        head = sentence_part(sentence.text)
        texts = [head + candidate_part(sentence.text, entity, self.labels) for entity in entities]
        logits = await self.engine.classify(self.model, texts)
        return [probability(logit + self.bias, self.temperature) for logit in logits]
