"""Agents that read a sentence of several lines as one line, and answer in the places of the original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from medner.agents.filters import Filter
from medner.agents.taggers import Tagger
from medner.store.joined_lines import has_line_break, joined_lines
from medner.store.records import Entity, Sentence, TaggerOutput


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
        output = await self.tagger.tag(replace(sentence, text=lines.text))
        entities = tuple(lines.original(entity) for entity in output.decoded.entities)
        return replace(output, decoded=replace(output.decoded, entities=entities))


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
        found = [lines.joined(entity) for entity in entities]
        known = [entity for entity in found if entity is not None]
        scores = iter(await self.filter.score(replace(sentence, text=lines.text), known) if known else ())
        return [0.0 if entity is None else next(scores) for entity in found]
