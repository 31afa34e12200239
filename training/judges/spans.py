"""Trains the judge that reads a sentence once: its candidates are cells of a span tagger's scores.

A pass teaches all candidates of a sentence at once, and where the sentence's whole gold is known, every other stretch
too; so it learns from a sentence in the time that the other kind needs for one candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from medner.agents.taggers.spans.alignment import align
from medner.agents.taggers.spans.tagger import framed
from medner.core.labels import LabelSet
from medner.core.records import Entity
from medner.training.judges.examples import JudgedCase
from medner.training.loop.loop import Size
from medner.training.spans.examples import Cell, SpanExample, collated
from medner.training.spans.learner import SpanLearner, span_loss


@dataclass(frozen=True, slots=True)
class JudgedSentence:
    """A sentence with the candidates of all its conflicts (``candidates`` are their cells), and which are right.

    ``key`` is the sentence's (:func:`key_of`). ``complete``: the example's gold is all that the
    sentence holds; else nothing is known beside the candidates.
    """

    key: tuple[str, str]
    example: SpanExample
    entities: tuple[Entity, ...]
    candidates: tuple[Cell, ...]
    truth: tuple[bool, ...]
    complete: bool

    def __len__(self) -> int:
        return len(self.example)


def key_of(case: JudgedCase) -> tuple[str, str]:
    """What tells the sentence of a conflict from others."""
    return case.case.sentence.id, case.case.sentence.text


def judged_sentences(
    cases: Iterable[JudgedCase],
    labels: LabelSet,
    encode: Callable[[str], Sequence[int]],
    token_bytes: Callable[[int], bytes],
    *,
    split: AbstractSet[str] = frozenset(),
) -> list[JudgedSentence]:
    """The sentences of some conflicts, each once, in the order of their first one; ``split`` as for ``align``."""
    found: dict[tuple[str, str], dict[Entity, bool]] = {}
    complete_gold: dict[tuple[str, str], frozenset[Entity] | None] = {}
    for one in cases:
        truth = zip(one.case.conflict.candidates, one.truth, strict=True)
        found.setdefault(key_of(one), {}).update({candidate.entity: right for candidate, right in truth})
        complete_gold[key_of(one)] = one.complete_gold
    number = {code: place for place, code in enumerate(labels.codes)}

    def cells(entities: Iterable[Entity]) -> tuple[Cell, ...]:
        return tuple((entity.start, entity.end - 1, number[entity.label]) for entity in entities)

    return [
        JudgedSentence(
            key,
            SpanExample(
                framed(align(key[1], encode, token_bytes, split=split), encode), cells(sorted(complete_gold[key] or ()))
            ),
            tuple(known),
            cells(known),
            tuple(known.values()),
            complete_gold[key] is not None,
        )
        for key, known in found.items()
    ]


@dataclass(frozen=True, slots=True)
class SpanJudge:
    """A span tagger that learns which candidates are right: cross-entropy on them, and the tagger's own loss.

    The latter where a sentence's whole gold is known, so that an entity which nobody proposed teaches something too.
    """

    spans: SpanLearner

    def parameters(self) -> list[nn.Parameter]:
        """The adapter's weights."""
        return self.spans.parameters()

    def faster(self) -> tuple[list[nn.Parameter], float]:
        """The head's weights."""
        return self.spans.faster()

    def size(self, batch: Sequence[JudgedSentence]) -> Size:
        """How many candidates and tokens a batch holds."""
        return Size(sum(len(sentence.candidates) for sentence in batch), sum(map(len, batch)))

    def save(self, folder: Path) -> None:
        """Writes adapter and head."""
        self.spans.save(folder)

    def loss(self, batch: Sequence[JudgedSentence]) -> torch.Tensor:
        """The summed loss of a batch's candidates and sentences."""
        one = collated([sentence.example for sentence in batch], self.spans.types).to(self.spans.device)
        scores_BYCC = self.spans.scores(one)
        rows = [row for row, sentence in enumerate(batch) for _ in sentence.candidates]
        starts, lasts, types = zip(*(cell for sentence in batch for cell in sentence.candidates), strict=True)
        truth_N = torch.tensor([float(right) for sentence in batch for right in sentence.truth])
        loss = functional.binary_cross_entropy_with_logits(
            scores_BYCC[rows, types, starts, lasts], truth_N.to(scores_BYCC.device), reduction="sum"
        )
        complete = [row for row, sentence in enumerate(batch) if sentence.complete]
        if complete:
            whole = span_loss(scores_BYCC[complete], one.targets[complete], one.counted[complete])
            loss = loss + whole * len(complete)
        return loss

    def score(self, sentences: Sequence[JudgedSentence]) -> list[dict[Entity, float]]:
        """The scores of each sentence's candidates."""
        found = []
        scored = self.spans.scores_of([sentence.example for sentence in sentences])
        for sentence, scores_YCC in zip(sentences, scored, strict=True):
            listed = zip(sentence.entities, sentence.candidates, strict=True)
            found.append({entity: float(scores_YCC[number, start, last]) for entity, (start, last, number) in listed})
        return found
