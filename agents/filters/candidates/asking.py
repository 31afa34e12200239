"""Scores of candidates from a vLLM server: one request for all of a sentence, or as few as they fit into."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from medner.agents.engines.engine import TokenPooler
from medner.agents.engines.local.tokenizer_file import TokenizerFile
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.filters.candidates.identity import identity
from medner.agents.filters.candidates.layout import Layout, read, requests, written
from medner.agents.filters.filter import each_once, probability
from medner.agents.prompts.filter import candidate_part, sentence_part
from medner.agents.taggers.spans.served.states import by_identity, problem_of
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Entity, Sentence


class CandidateServer:
    """A model on servers that scores candidates, which must be that of a folder.

    ``base`` is what the base model is called, ``base_folder`` where it lies on this machine; only its tokenizer is
    read. ``two_way_from`` is what the filter's card says.
    """

    def __init__(
        self, engine: TokenPooler, model: str, folder: Path, *, base: str, base_folder: Path, two_way_from: int | None
    ) -> None:
        self.model = model
        self._engine = engine
        self._vocabulary = Vocabulary(TokenizerFile(base_folder), frozenset())
        self._identity = identity(folder, base, two_way_from)

    async def logits(self, shared: str, candidates: Sequence[str]) -> list[float]:
        """The score of each candidate's last token, behind what all share. UserError where another filter runs."""
        head = self._vocabulary.encode(shared)
        groups = requests(head, [self._vocabulary.encode(one) for one in candidates])
        several = await asyncio.gather(*(self._asked(written(head, group)) for group in groups))
        return [score for scores in several for score in scores]

    async def _asked(self, tokens: list[int]) -> list[float]:
        given = by_identity(await self._engine.pool_tokens(self.model, tokens), self.model)
        problem = problem_of(given, self._identity, 1, others="another filter")
        if problem is not None:
            raise UserError(f"the filter: the model {self.model} on the vLLM servers {problem}")
        layout = read(tokens) or Layout(())
        return [float(score) for score in given[self._identity][layout.lasts, 0]]


@dataclass(frozen=True, slots=True)
class ServedCandidateFilter:
    """LLM-CLS whose model runs on servers, two-way or not."""

    server: CandidateServer
    labels: LabelSet
    threshold: float = 0.5
    temperature: float = 1.0
    name: str = "llm-cls"

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """A probability for each entity, each once."""
        return await each_once(entities, partial(self._scores, sentence))

    async def _scores(self, sentence: Sentence, entities: list[Entity]) -> list[float]:
        parts = [candidate_part(sentence.text, entity, self.labels) for entity in entities]
        logits = await self.server.logits(sentence_part(sentence.text), parts)
        return [probability(logit, self.temperature) for logit in logits]
