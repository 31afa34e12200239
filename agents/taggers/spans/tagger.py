"""A tagger that scores spans instead of writing text: one pass a sentence, a probability an entity."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import torch

from medner.agents.taggers.spans.alignment import Aligned, align
from medner.agents.taggers.spans.head import SpanHead
from medner.agents.taggers.spans.sharing import SharedScores
from medner.agents.taggers.spans.states import TokenStates
from medner.agents.taggers.tagger import ScoredOutput
from medner.core.labels import LabelSet
from medner.core.nesting import Nesting
from medner.core.records import Decoded, DecodingCost, Entity, Sentence, Span, TaggerOutput

#: Every sentence begins with this: a model's first state carries its own load, not the token's meaning.
OPENING = "\n"
#: Stretches that are looked at beside a tagger's answer: one that has hardly learnt finds most of them likely.
MOST_LIKELY = 256
#: Characters up to which the scores are computed at once: a thread would cost more than it saves.
SHORT = 128


@dataclass(frozen=True, slots=True, eq=False)
class SpanScores:
    """A sentence's scores [types, start, last character], and the tokens it took."""

    text: str
    scores_YCC: torch.Tensor  # noqa: N815  a tensor's shape stands in its name
    tokens: int
    labels: LabelSet
    temperature: float

    @property
    def size_bytes(self) -> int:
        """What they take in memory."""
        return self.scores_YCC.numel() * self.scores_YCC.element_size()

    def logits(self, entities: Sequence[Entity]) -> list[float]:
        """The calibrated score of each entity, whoever proposed it; its sigmoid is the probability.

        An entity has the best score of all stretches that the label set's rule for edges trims to it: of ' COPD' and
        'COPD' a tagger may have meant either.
        """
        spans = [self.labels.edges.widest(entity, self.text) for entity in entities]
        cells = [
            self.scores_YCC[self.labels.codes.index(entity.label), start : entity.start + 1, entity.end - 1 : end]
            for entity, (start, end) in zip(entities, spans, strict=True)
        ]
        return [float(several.max()) / self.temperature for several in cells]

    def likely(self, least: float) -> list[Entity]:
        """The stretches and types of a probability of at least ``least``, at most ``MOST_LIKELY`` of the likeliest."""
        cells = (self.scores_YCC >= least_score(least, self.temperature)).nonzero()
        cells = cells[cells[:, 1] <= cells[:, 2]]
        if len(cells) > MOST_LIKELY:
            values = self.scores_YCC[cells[:, 0], cells[:, 1], cells[:, 2]]
            cells = cells[values.topk(MOST_LIKELY).indices]
        return [Entity(start, last + 1, self.labels.codes[number]) for number, start, last in cells.tolist()]

    def cell_logits(self, entities: Sequence[Entity]) -> list[float]:
        """The calibrated score of each entity's own stretch and no other."""
        cells = [(self.labels.codes.index(entity.label), entity.start, entity.end - 1) for entity in entities]
        return [float(self.scores_YCC[cell]) / self.temperature for cell in cells]


@dataclass(frozen=True, slots=True)
class SpanTagger:
    """A language model with an adapter and a span head, of which ``states`` gives what needs the model.

    ``temperature`` and ``threshold`` make probabilities of scores and entities of probabilities; both come from held
    back training data. ``split_tokens`` are read character by character.
    """

    name: str
    states: TokenStates
    head: SpanHead
    labels: LabelSet
    temperature: float = 1.0
    threshold: float = 0.5
    split_tokens: AbstractSet[str] = frozenset()
    _shared: SharedScores[str, SpanScores] = field(default_factory=SharedScores, repr=False, compare=False)

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        """The entities of one sentence; the answer lists them as JSON with their probabilities."""
        return (await self.tag_scored(sentence)).output

    async def tag_scored(self, sentence: Sentence) -> ScoredOutput:
        """The entities of one sentence, and the scores of all its stretches."""
        began = time.perf_counter()
        scores = await self._shared.of(sentence.text, self._scores)
        found = spans_over(scores.scores_YCC, self.labels, score=self.least_score)
        answer = json.dumps([self._line(entity, score) for entity, score in found], ensure_ascii=False)
        cost = DecodingCost(passes=1, prompt_tokens=scores.tokens, seconds=time.perf_counter() - began)
        output = TaggerOutput(self.name, answer, Decoded(tuple(entity for entity, _ in found)), cost)
        return ScoredOutput(output, scores)

    async def logits(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """The calibrated score of each entity, whoever proposed it, for callers that hold no scores of the sentence."""
        return (await self._shared.of(sentence.text, self._scores)).logits(entities)

    async def cell_logits(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """The calibrated score of each entity's own stretch, as a judge with a span head has learnt to read it."""
        return (await self._shared.of(sentence.text, self._scores)).cell_logits(entities)

    async def _scores(self, text: str) -> SpanScores:
        encode = self.states.tokens
        aligned = framed(align(text, encode, self.states.token_bytes, split=self.split_tokens), encode)
        states = await self.states.states(aligned.tokens)
        if len(aligned.token_of) <= SHORT:
            scores = scores_of_states(self.head, states, aligned)
        else:
            scores = await asyncio.to_thread(scores_of_states, self.head, states, aligned)
        return SpanScores(text, scores, len(aligned.tokens), self.labels, self.temperature)

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


def span_scores(head: SpanHead, hidden_TW: torch.Tensor, aligned: Aligned) -> torch.Tensor:
    """Scores [types, start, last character] of one sentence from its tokens' hidden states."""
    return scores_of_states(head, head.token_states(hidden_TW), aligned)


@torch.inference_mode()
def scores_of_states(head: SpanHead, states_TI: torch.Tensor, aligned: Aligned) -> torch.Tensor:
    """Scores [types, start, last character] of one sentence from what the head made of its tokens."""
    scores = head.scores(
        states_TI.unsqueeze(0),
        torch.tensor([aligned.token_of], dtype=torch.long, device=states_TI.device),
        torch.tensor([aligned.place_of], dtype=torch.long, device=states_TI.device),
    )
    return scores[0].cpu()


def spans_over(scores_YCC: torch.Tensor, labels: LabelSet, *, score: float) -> list[tuple[Entity, float]]:
    """The entities whose score is at least ``score``, in order, with their scores.

    Of entities that may not both stand (same stretch, overlapping in the same type, or overlapping where the label set
    forbids it) the higher score wins, then the one that begins first.
    """
    cells = (scores_YCC >= score).nonzero()
    cells = cells[cells[:, 1] <= cells[:, 2]]
    values = scores_YCC[cells[:, 0], cells[:, 1], cells[:, 2]].tolist()
    found = [
        (Entity(start, last + 1, labels.codes[number]), value)
        for (number, start, last), value in zip(cells.tolist(), values, strict=True)
    ]
    chosen: list[tuple[Entity, float]] = []
    # A bit a character, for each group of types that exclude one another: a model that has hardly learnt likes most
    # cells of a sentence, tens of thousands, too many to compare with one another.
    taken: dict[str, int] = {}
    stretches: set[Span] = set()
    nesting = labels.nesting
    for entity, value in sorted(found, key=lambda one: (-one[1], one[0])):
        layer = _layer(entity.label, nesting)
        bits = (1 << entity.end) - (1 << entity.start)
        if entity.span in stretches or taken.get(layer, 0) & bits:
            continue
        if nesting.outer is not None and any(nesting.forbids(entity, other) for other, _ in chosen):
            continue
        chosen.append((entity, value))
        stretches.add(entity.span)
        taken[layer] = taken.get(layer, 0) | bits
    return sorted(chosen)


def _layer(label: str, nesting: Nesting) -> str:
    """Types of one layer never overlap: each its own where any may nest, else the outer types and all others."""
    if not nesting.allowed or (nesting.outer is not None and label not in nesting.outer):
        return ""
    return label
