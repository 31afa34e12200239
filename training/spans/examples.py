"""Training examples of a span tagger: characters on tokens, gold cells, and cells that nobody knows about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch

from medner.agents.taggers.spans.alignment import Aligned, align
from medner.agents.taggers.spans.tagger import framed
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.training.nesting import Pairs

#: (start, last character, number of the type).
Cell = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class SpanExample:
    """A sentence. ``unknown`` holds (start, last, type): cells inside that stretch say nothing about that type."""

    aligned: Aligned
    gold: tuple[Cell, ...]
    unknown: tuple[Cell, ...] = ()

    def __len__(self) -> int:
        return len(self.aligned.tokens)


@dataclass(frozen=True, slots=True)
class SpanBatch:
    """Examples as tensors: ids and counts by token [B, T], places by character [B, C], cells [B, types, C, C]."""

    ids: torch.Tensor
    lengths: torch.Tensor
    token_of: torch.Tensor
    place_of: torch.Tensor
    gold: torch.Tensor
    counted: torch.Tensor

    def to(self, device: torch.device) -> SpanBatch:
        """The batch on a device."""
        return SpanBatch(*(getattr(self, one.name).to(device) for one in fields(self)))


def span_example(
    document: Document,
    labels: LabelSet,
    encode: Callable[[str], Sequence[int]],
    token_bytes: Callable[[int], bytes],
    *,
    missing: Pairs = frozenset(),
) -> SpanExample:
    """The example of one annotated sentence.

    ``missing`` are pairs (outer, inner) of types whose nested entities may lack in this annotation: inside an outer
    entity, cells of the inner type count neither as entities nor as none, unless they are annotated.
    """
    number = {code: place for place, code in enumerate(labels.codes)}
    gold = tuple((entity.start, entity.end - 1, number[entity.label]) for entity in document.entities)
    unknown = tuple(
        (entity.start, entity.end - 1, number[inner])
        for entity in document.entities
        for outer, inner in sorted(missing)
        if outer == entity.label
    )
    return SpanExample(framed(align(document.text, encode, token_bytes), encode), gold, unknown)


def collated(examples: Sequence[SpanExample], types: int) -> SpanBatch:
    """Examples side by side, padded on the right."""
    rows = len(examples)
    longest = max(len(example) for example in examples)
    chars = max(len(example.aligned.token_of) for example in examples)
    ids = torch.zeros(rows, longest, dtype=torch.long)
    token_of = torch.zeros(rows, chars, dtype=torch.long)
    place_of = torch.zeros(rows, chars, dtype=torch.long)
    gold = torch.zeros(rows, types, chars, chars, dtype=torch.bool)
    counted = torch.zeros_like(gold)
    for row, example in enumerate(examples):
        aligned, count = example.aligned, len(example.aligned.token_of)
        ids[row, : len(example)] = torch.tensor(aligned.tokens)
        token_of[row, :count] = torch.tensor(aligned.token_of)
        place_of[row, :count] = torch.tensor(aligned.place_of)
        counted[row, :, :count, :count] = torch.ones(count, count, dtype=torch.bool).triu()
        for start, last, number in example.unknown:
            counted[row, number, start : last + 1, start : last + 1] = False
        for start, last, number in example.gold:
            gold[row, number, start, last] = counted[row, number, start, last] = True
    lengths = torch.tensor([len(example) for example in examples])
    return SpanBatch(ids, lengths, token_of, place_of, gold, counted)
