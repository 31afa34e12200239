"""Tagger agents: one LLM with one strategy, prompt and adapter (§3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from medner.agents.engines.engine import Engine, Request
from medner.agents.prompts.shots import Shot
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies.codec import Codec
from medner.core.labels import LabelSet
from medner.core.records import Entity, Rejected, Rejection, Sentence, TaggerOutput


class Tagger(Protocol):
    """Proposes entities for a sentence. Raises ExternalError when its model cannot be run."""

    @property
    def name(self) -> str:
        """The tagger's name in records; no two taggers of a run share one."""
        ...

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        """The tagger's answer, with what was refused of it."""
        ...


class StretchScores(Protocol):
    """What a tagger thinks of every stretch of one sentence. Lives as long as the sentence is under way."""

    def logits(self, entities: Sequence[Entity]) -> list[float]:
        """The calibrated score of each entity, whoever proposed it; its sigmoid is the probability."""
        ...

    def likely(self, least: float) -> list[Entity]:
        """The stretches and types of a probability of at least ``least``, the likeliest where there are very many."""
        ...


@dataclass(frozen=True, slots=True)
class ScoredOutput:
    """A tagger's answer, and the scores it was made from."""

    output: TaggerOutput
    scores: StretchScores


@runtime_checkable
class ScoringTagger(Tagger, Protocol):
    """A tagger that scores stretches: the graph hands its scores on with the sentence."""

    async def tag_scored(self, sentence: Sentence) -> ScoredOutput:
        """The answer as :meth:`tag` gives it, with the scores."""
        ...


@dataclass(frozen=True, slots=True)
class GenerativeTagger:
    """A tagger that writes entities as text.

    ``style`` names the prompt (``brief`` for tuned adapters, ``full`` and ``plain`` for untuned models);
    ``constrained`` holds the answer to the strategy's grammar.
    """

    name: str
    engine: Engine
    codec: Codec
    labels: LabelSet
    style: str = "brief"
    shots: tuple[Shot, ...] = ()
    adapter: str | None = None
    constrained: bool = True

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        """The tagger's answer on one sentence."""
        request = Request(
            tuple(tagger_messages(self.style, self.codec, self.labels, sentence.text, self.shots)),
            graph=self.codec.graph(sentence.text, self.labels) if self.constrained else None,
            adapter=self.adapter,
            max_tokens=answer_cap(sentence.text, self.labels) + len(self.codec.encode(sentence.text, (), self.labels)),
        )
        completion = await self.engine.complete(request)
        decoded = self.codec.decode(sentence.text, completion.text, self.labels)
        if completion.truncated:
            note = Rejected(Rejection.TRUNCATED, completion.text[-80:], f"ended after {request.max_tokens} tokens")
            decoded = replace(decoded, rejected=(*decoded.rejected, note))
        return TaggerOutput(self.name, completion.text, decoded, completion.cost)


def answer_cap(text: str, labels: LabelSet) -> int:
    """How many tokens an answer may take beyond what every answer holds: each type's line with room for brackets.

    Sentences of more than a thousand characters get eight whole lines, or a list as dense as textbooks' ones.
    """
    return 48 + min((len(text) + 12) * (len(labels.types) + 1), 2_048 + 8 * len(text))


def unique_names(taggers: Sequence[Tagger]) -> bool:
    """Whether no two taggers share a name: provenance would be ambiguous."""
    names = [tagger.name for tagger in taggers]
    return len(names) == len(set(names))
