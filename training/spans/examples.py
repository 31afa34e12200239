"""Training examples of a span tagger: characters on tokens, target cells, and cells that nobody knows about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from medner.agents.spans.alignment import Aligned, align
from medner.agents.spans.tagger import framed
from medner.store.labels import LabelSet
from medner.store.records import Document
from medner.training.nesting import Pairs

#: (start, last character, number of the type).
Cell = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class SpanExample:
    """A sentence. ``unknown`` holds (start, last, type): cells inside that stretch say nothing about that type.

    ``probabilities`` are those of the ``gold`` cells, for soft labels; None: each is an entity for certain.
    """

    aligned: Aligned
    gold: tuple[Cell, ...]
    unknown: tuple[Cell, ...] = ()
    probabilities: tuple[float, ...] | None = None

    def __len__(self) -> int:
        return len(self.aligned.tokens)


@dataclass(frozen=True, slots=True)
class SpanBatch:
    """Examples as tensors: ids and counts by token [B, T], places by character [B, C].

    ``chars`` [B] are the characters of each row. ``cells`` [N, 4] are (row, type, start, last) of the target cells,
    ``values`` [N] their probabilities, ``unknown`` [M, 4] the cells that do not count.
    """

    ids: torch.Tensor
    lengths: torch.Tensor
    token_of: torch.Tensor
    place_of: torch.Tensor
    chars: torch.Tensor
    cells: torch.Tensor
    values: torch.Tensor
    unknown: torch.Tensor
    types: int

    def to(self, device: torch.device) -> SpanBatch:
        """The batch on a device."""
        tensors = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "types"}
        return replace(self, **{name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()})

    @property
    def targets(self) -> torch.Tensor:
        """How probable each cell is as an entity [B, types, C, C]."""
        rows, chars = self.token_of.shape
        targets = torch.zeros(rows, self.types, chars, chars, device=self.ids.device)
        return targets.index_put_(tuple(self.cells.T), self.values)

    @property
    def counted(self) -> torch.Tensor:
        """Which cells count [B, types, C, C]: those of stretches in the sentence that are not unknown."""
        chars = self.token_of.shape[1]
        places = torch.arange(chars, device=self.ids.device)
        real = (places < self.chars.unsqueeze(1)).unsqueeze(1) & (places.unsqueeze(1) <= places)
        counted = real.unsqueeze(1).repeat(1, self.types, 1, 1)
        yes = torch.ones((), dtype=torch.bool, device=self.ids.device)
        counted.index_put_(tuple(self.unknown.T), ~yes)
        # What is annotated counts, also inside a stretch about which nothing else is known.
        return counted.index_put_(tuple(self.cells.T), yes)


def span_example(
    document: Document,
    labels: LabelSet,
    encode: Callable[[str], Sequence[int]],
    token_bytes: Callable[[int], bytes],
    *,
    missing: Pairs = frozenset(),
    split: AbstractSet[str] = frozenset(),
) -> SpanExample:
    """The example of one annotated sentence.

    ``missing`` are pairs (outer, inner) of types whose nested entities may lack in this annotation: inside an outer
    entity, cells of the inner type count neither as entities nor as none, unless they are annotated. ``split`` are the
    tokens to be read character by character (:func:`medner.agents.spans.alignment.align`).
    """
    number = {code: place for place, code in enumerate(labels.codes)}
    gold = tuple((entity.start, entity.end - 1, number[entity.label]) for entity in document.entities)
    unknown = tuple(
        (entity.start, entity.end - 1, number[inner])
        for entity in document.entities
        for outer, inner in sorted(missing)
        if outer == entity.label
    )
    return SpanExample(framed(align(document.text, encode, token_bytes, split=split), encode), gold, unknown)


def collated(examples: Sequence[SpanExample], types: int) -> SpanBatch:
    """Examples side by side, padded on the right."""
    rows = len(examples)
    longest = max(len(example) for example in examples)
    chars = max(len(example.aligned.token_of) for example in examples)
    ids = np.zeros((rows, longest), dtype=np.int64)
    token_of = np.zeros((rows, chars), dtype=np.int64)
    place_of = np.zeros((rows, chars), dtype=np.int64)
    cells: list[tuple[int, int, int, int]] = []
    values: list[float] = []
    unknown = [np.zeros((0, 4), dtype=np.int64)]
    for row, example in enumerate(examples):
        aligned, count = example.aligned, len(example.aligned.token_of)
        ids[row, : len(example)] = aligned.tokens
        token_of[row, :count] = aligned.token_of
        place_of[row, :count] = aligned.place_of
        cells += [(row, number, start, last) for start, last, number in example.gold]
        values += example.probabilities or [1.0] * len(example.gold)
        unknown += [_stretch_cells(row, cell) for cell in example.unknown]
    return SpanBatch(
        ids=torch.from_numpy(ids),
        lengths=torch.tensor([len(example) for example in examples]),
        token_of=torch.from_numpy(token_of),
        place_of=torch.from_numpy(place_of),
        chars=torch.tensor([len(example.aligned.token_of) for example in examples]),
        cells=torch.tensor(cells, dtype=torch.long).reshape(-1, 4),
        values=torch.tensor(values),
        unknown=torch.from_numpy(np.concatenate(unknown)),
        types=types,
    )


def _stretch_cells(row: int, cell: Cell) -> NDArray[np.int64]:
    """(row, type, start, last) of every cell inside a stretch."""
    start, last, number = cell
    pairs = _pairs(last + 1 - start)
    found = np.empty((len(pairs), 4), dtype=np.int64)
    found[:, 0], found[:, 1], found[:, 2:] = row, number, pairs + start
    return found


@lru_cache(maxsize=512)
def _pairs(count: int) -> NDArray[np.int64]:
    return np.stack(np.triu_indices(count), axis=1)
