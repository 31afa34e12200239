"""Agents that read a sentence of several lines as one line, and answer in the places of the original."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from medner.agents.filters import Filter, ScoresSpans
from medner.agents.taggers.tagger import ScoredOutput, ScoringTagger, StretchScores, Tagger
from medner.core.joined_lines import JoinedLines, has_line_break, joined_lines
from medner.core.records import Entity, Sentence, TaggerOutput


@dataclass(frozen=True, slots=True)
class LineJoiningTagger:
    """A tagger that is shown sentences without their line breaks; its answer is kept as it wrote it."""

    tagger: Tagger

    @property
    def name(self) -> str:
        """The tagger's name."""
        return self.tagger.name

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        """The tagger's answer, its entities in the original sentence."""
        if not has_line_break(sentence.text):
            return await self.tagger.tag(sentence)
        lines = joined_lines(sentence.text)
        return _in_original(await self.tagger.tag(replace(sentence, text=lines.text)), lines)


class ScoringSpanTagger(ScoringTagger, ScoresSpans, Protocol):
    """A tagger with a score for any stretch, which it gives with its answer as well as by itself."""


@dataclass(frozen=True, slots=True)
class LineJoiningSpanTagger:
    """A span tagger that is shown sentences without their line breaks; its scores are asked for in the original."""

    tagger: ScoringSpanTagger

    @property
    def name(self) -> str:
        """The tagger's name."""
        return self.tagger.name

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        """The tagger's answer, its entities in the original sentence."""
        return (await self.tag_scored(sentence)).output

    async def tag_scored(self, sentence: Sentence) -> ScoredOutput:
        """The same, with the scores it was made from."""
        if not has_line_break(sentence.text):
            return await self.tagger.tag_scored(sentence)
        lines = joined_lines(sentence.text)
        scored = await self.tagger.tag_scored(replace(sentence, text=lines.text))
        return ScoredOutput(_in_original(scored.output, lines), JoinedScores(scored.scores, lines))

    async def logits(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """The calibrated score of each entity of the original sentence."""
        return (await self.tag_scored(sentence)).scores.logits(entities)


@dataclass(frozen=True, slots=True, eq=False)
class JoinedScores:
    """The scores of a sentence without its line breaks, for entities of the original sentence."""

    scores: StretchScores
    lines: JoinedLines

    def logits(self, entities: Sequence[Entity]) -> list[float]:
        """The calibrated score of each entity; minus infinity for one that is nothing but a line break."""
        joined = [self.lines.joined(entity) for entity in entities]
        scores = iter(self.scores.logits([entity for entity in joined if entity is not None]))
        return [-math.inf if entity is None else next(scores) for entity in joined]

    def likely(self, least: float) -> list[Entity]:
        """The likely entities, in the original sentence."""
        return [self.lines.original(entity) for entity in self.scores.likely(least)]


@dataclass(frozen=True, slots=True)
class LineJoiningFilter:
    """A filter that is shown sentences without their line breaks."""

    filter: Filter

    @property
    def name(self) -> str:
        """The filter's name."""
        return self.filter.name

    @property
    def threshold(self) -> float:
        """The filter's threshold."""
        return self.filter.threshold

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """The filter's probability for each entity; 0 for one of white space alone."""
        if not has_line_break(sentence.text):
            return await self.filter.score(sentence, entities)
        lines = joined_lines(sentence.text)
        joined = [lines.joined(entity) for entity in entities]
        known = [entity for entity in joined if entity is not None]
        scores = iter(await self.filter.score(replace(sentence, text=lines.text), known) if known else ())
        return [0.0 if entity is None else next(scores) for entity in joined]


def _in_original(output: TaggerOutput, lines: JoinedLines) -> TaggerOutput:
    entities = tuple(lines.original(entity) for entity in output.decoded.entities)
    return replace(output, decoded=replace(output.decoded, entities=entities))
