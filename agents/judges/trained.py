"""The trained judge: a probability for each candidate, from a model that is not told who said what.

What scores the candidates is one of two: a classification layer behind one pass over sentence, conflict and candidate
(what it reads is written by :mod:`medner.agents.prompts.trained_judge`), or a span head behind one pass over the
sentence alone. A linear layer behind either may add the votes (:mod:`medner.agents.judges.votes`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from medner.agents.engines.engine import Encoder
from medner.agents.filters.classifier import ClassifierHead
from medner.agents.filters.filter import probability
from medner.agents.judges.judge import Case, abstention, likeliest_apart, verdict
from medner.agents.judges.votes import VoteLayer, case_features
from medner.agents.prompts.filter import candidate_part
from medner.agents.prompts.trained_judge import conflict_part
from medner.core.errors import ModelOutputError
from medner.core.labels import LabelSet
from medner.core.nesting import ANYWHERE
from medner.core.records import Entity, Sentence, Verdict


class Scorer(Protocol):
    """What gives each candidate of a conflict a score."""

    @property
    def mode(self) -> str:
        """How it reads, and the version of that."""
        ...

    async def scores(self, case: Case) -> list[float]:
        """A logit a candidate, in their order."""
        ...

    def prompt(self, case: Case) -> str:
        """What it reads before every candidate; empty where that is the sentence alone."""
        ...


class ScoresCells(Protocol):
    """What has a score for any stretch and type by itself (``agents/taggers/spans``)."""

    async def cell_logits(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """A calibrated score an entity."""
        ...


@dataclass(frozen=True, slots=True)
class SpanScorer:
    """A span tagger's scores: one pass a sentence, however many conflicts and candidates."""

    spans: ScoresCells
    mode: str = "trained-span-1"

    async def scores(self, case: Case) -> list[float]:
        """The scores of the candidates' cells."""
        return await self.spans.cell_logits(case.sentence, [one.entity for one in case.conflict.candidates])

    def prompt(self, case: Case) -> str:  # noqa: ARG002  the sentence is all it reads
        """Nothing but the sentence."""
        return ""


@dataclass(frozen=True, slots=True)
class CandidateScorer:
    """The model's score of each candidate (a logit); ``adapter`` is its name in the encoder.

    In layers from ``two_way_from`` on, what stands before the candidates looks both ways; None: in no layer.
    """

    encoder: Encoder
    labels: LabelSet
    head: ClassifierHead
    adapter: str | None = None
    two_way_from: int | None = None
    mode: str = "trained-1"

    async def scores(self, case: Case) -> list[float]:
        """All candidates of a conflict, behind one run of what they share."""
        text, conflict = case.sentence.text, case.conflict
        shared = self.encoder.tokens(conflict_part(text, conflict, self.labels))
        parts = [candidate_part(text, one.entity, self.labels) for one in conflict.candidates]
        return list(await asyncio.gather(*(self._one(shared, part) for part in parts)))

    async def _one(self, shared: Sequence[int], part: str) -> float:
        tokens = [*shared, *self.encoder.tokens(part)]
        hidden_TW = await self.encoder.encode(
            tokens, shared=len(shared), adapter=self.adapter, two_way_from=self.two_way_from
        )
        return self.head.logit(hidden_TW[-1])

    def prompt(self, case: Case) -> str:
        """Sentence, candidates, what is settled."""
        return conflict_part(case.sentence.text, case.conflict, self.labels)


@dataclass(frozen=True, slots=True)
class TrainedJudge:
    """Keeps what it gives a probability of at least ``threshold``; of two that exclude one another the likelier.

    ``abstain``: a conflict with a candidate whose probability lies between the two is left to a person.
    ``votes`` None: the model's score alone counts.
    """

    scorer: Scorer
    name: str
    version: str = "1"
    threshold: float = 0.5
    temperature: float = 1.0
    votes: VoteLayer | None = None
    abstain: tuple[float, float] | None = None

    @property
    def mode(self) -> str:
        """How its model reads."""
        return self.scorer.mode

    async def judge(self, case: Case) -> Verdict:
        """The probable candidates; the probabilities of all are in the verdict."""
        began = time.perf_counter()
        chances = self.probabilities(case, await self.scorer.scores(case))
        if any(not 0.0 <= chance <= 1.0 for chance in chances):
            raise ModelOutputError("gave no probability for a candidate", raw=repr(chances))
        low, high = self.abstain or (1.0, 0.0)
        if any(low < chance < high for chance in chances):
            decided = abstention(self, case, f"a probability between {low:g} and {high:g}")
        else:
            decided = verdict(self, case, self._kept(case, chances), mode=self.mode)
        seconds = time.perf_counter() - began
        return replace(decided, prompt=self.prompt(case), scores=tuple(chances), seconds=seconds)

    def _kept(self, case: Case, chances: Sequence[float]) -> set[Entity]:
        scored = {one.entity: chance for one, chance in zip(case.conflict.candidates, chances, strict=True)}
        if case.labels.nesting == ANYWHERE:
            return {entity for entity, chance in scored.items() if chance >= self.threshold}
        return likeliest_apart(case, scored, self.threshold)

    def probabilities(self, case: Case, scores: Sequence[float]) -> list[float]:
        """The calibrated probabilities of the model's scores, with the votes where there is a layer for them."""
        if self.votes is None:
            return [probability(score, self.temperature) for score in scores]
        rows = case_features(case, self.votes.taggers, scores)
        return [probability(self.votes.logit(row), self.temperature) for row in rows]

    def prompt(self, case: Case) -> str:
        """What its model reads before every candidate."""
        return self.scorer.prompt(case)
