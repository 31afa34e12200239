"""A tagger that scores spans instead of writing text: one pass a sentence, a probability an entity."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from medner.agents.engines.engine import Encoder
from medner.agents.spans.alignment import Aligned, align
from medner.agents.spans.head import SpanHead
from medner.store.labels import LabelSet
from medner.store.records import Decoded, DecodingCost, Entity, Sentence, Span, TaggerOutput

#: Every sentence begins with this: a model's first state carries its own load, not the token's meaning.
OPENING = "\n"


#: Sentences whose scores are kept for a filter that asks for them next; more than are under way at a time.
_RECENT = 32


@dataclass(frozen=True, slots=True)
class _Scores:
    """A sentence's scores [types, start, last character], and the tokens it took."""

    scores_YCC: torch.Tensor  # noqa: N815  a tensor's shape stands in its name
    tokens: int


@dataclass(frozen=True, slots=True)
class SpanTagger:
    """A language model with an adapter and a span head.

    ``two_way_from`` is the first layer that looks both ways; it must be what the adapter was trained with.
    ``temperature`` and ``threshold`` make probabilities of scores and entities of probabilities; both come from held
    back training data.
    """

    name: str
    encoder: Encoder
    head: SpanHead
    labels: LabelSet
    adapter: str | None
    two_way_from: int
    temperature: float = 1.0
    threshold: float = 0.5
    _recent: dict[str, _Scores] = field(default_factory=dict, repr=False, compare=False)
    _under_way: dict[str, asyncio.Task[_Scores]] = field(default_factory=dict, repr=False, compare=False)

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        """The entities of one sentence; the answer lists them as JSON with their probabilities."""
        began = time.perf_counter()
        scores = await self._scores(sentence.text)
        found = spans_over(scores.scores_YCC, self.labels, score=self.least_score)
        answer = json.dumps([self._line(entity, score) for entity, score in found], ensure_ascii=False)
        cost = DecodingCost(passes=1, prompt_tokens=scores.tokens, seconds=time.perf_counter() - began)
        self._remember(sentence.text, scores)
        return TaggerOutput(self.name, answer, Decoded(tuple(entity for entity, _ in found)), cost)

    async def logits(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """The calibrated score of each entity, whoever proposed it; its sigmoid is the probability.

        A sentence that was tagged or asked about a moment ago costs no further pass.
        """
        scores = self._recent.get(sentence.text) or await self._shared(sentence.text)
        codes = self.labels.codes
        places = [(codes.index(entity.label), entity.start, entity.end - 1) for entity in entities]
        return [float(scores.scores_YCC[place]) / self.temperature for place in places]

    async def _shared(self, text: str) -> _Scores:
        """The scores that several ask for at once, as the conflicts of a sentence do: one pass for all of them."""
        task = self._under_way.get(text)
        if task is None:
            task = self._under_way[text] = asyncio.create_task(self._scores(text))
            task.add_done_callback(lambda _: self._under_way.pop(text, None))
        scores = await asyncio.shield(task)
        self._remember(text, scores)
        return scores

    async def _scores(self, text: str) -> _Scores:
        aligned = framed(align(text, self.encoder.tokens, self.encoder.token_bytes), self.encoder.tokens)
        hidden = await self.encoder.encode(aligned.tokens, adapter=self.adapter, two_way_from=self.two_way_from)
        return _Scores(await asyncio.to_thread(span_scores, self.head, hidden, aligned), len(aligned.tokens))

    def _remember(self, text: str, scores: _Scores) -> None:
        self._recent[text] = scores
        while len(self._recent) > _RECENT:
            self._recent.pop(next(iter(self._recent)), None)

    @property
    def least_score(self) -> float:
        """The score that has the threshold's probability."""
        return least_score(self.threshold, self.temperature)

    def _line(self, entity: Entity, score: float) -> dict[str, object]:
        probability = 1 / (1 + math.exp(-score / self.temperature))
        return {"start": entity.start, "end": entity.end, "type": entity.label, "p": round(probability, 4)}


def framed(aligned: Aligned, encode: Callable[[str], Sequence[int]]) -> Aligned:
    """The tokens behind the opening."""
    opening = tuple(encode(OPENING))
    tokens = (*opening, *aligned.tokens)
    # Of a text whose every character the tokenizer drops only the opening is left.
    shifted = tuple(min(token + len(opening), len(tokens) - 1) for token in aligned.token_of)
    return Aligned(tokens, shifted, aligned.place_of)


def least_score(threshold: float, temperature: float) -> float:
    """The score whose probability is ``threshold``."""
    edge = min(max(threshold, 1e-6), 1 - 1e-6)
    return temperature * math.log(edge / (1 - edge))


@torch.inference_mode()
def span_scores(head: SpanHead, hidden_TW: torch.Tensor, aligned: Aligned) -> torch.Tensor:
    """Scores [types, start, last character] of one sentence."""
    scores: torch.Tensor = head(
        hidden_TW.unsqueeze(0),
        torch.tensor([aligned.token_of], dtype=torch.long, device=hidden_TW.device),
        torch.tensor([aligned.place_of], dtype=torch.long, device=hidden_TW.device),
    )
    return scores[0].cpu()


def spans_over(scores_YCC: torch.Tensor, labels: LabelSet, *, score: float) -> list[tuple[Entity, float]]:
    """The entities whose score is at least ``score``, in order, with their scores.

    Of entities that may not both stand (same stretch, or overlapping in the same type; any overlap in a flat label
    set) the higher score wins, then the one that begins first.
    """
    kept = (scores_YCC >= score) & torch.ones(scores_YCC.shape[1:], dtype=torch.bool).triu()
    found = [
        (Entity(start, last + 1, labels.codes[number]), value)
        for (number, start, last), value in zip(kept.nonzero().tolist(), scores_YCC[kept].tolist(), strict=True)
    ]
    chosen: list[tuple[Entity, float]] = []
    # A bit a character, for each type or for all together: a model that has hardly learnt likes most cells of a
    # sentence, tens of thousands, too many to compare with one another.
    taken: dict[str, int] = {}
    stretches: set[Span] = set()
    for entity, value in sorted(found, key=lambda one: (-one[1], one[0])):
        layer = entity.label if labels.nested else ""
        bits = (1 << entity.end) - (1 << entity.start)
        if entity.span not in stretches and not taken.get(layer, 0) & bits:
            chosen.append((entity, value))
            stretches.add(entity.span)
            taken[layer] = taken.get(layer, 0) | bits
    return sorted(chosen)
