"""Packed forward passes: the tokens of all rows in one line, without padding, each row with its own cache.

Rows of a decoding batch want different numbers of tokens in every pass. Padding them to the longest wastes most of
the work, so all tokens stand one behind another, the linear layers run over them at once, and only attention is done
a row at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional

from medner.store.errors import UserError

ATTENTION = "medner_packed"

#: Attention reads keys up to the next multiple of this behind a query's own place. How a kernel sums depends on how
#: many keys it is given; with this it depends on the query alone, so that a token's hidden state is the same to the
#: last bit whether it was run by itself, in a draft or in a batch (bfloat16 on a CPU; see tests).
BLOCK = 64


@dataclass(frozen=True, slots=True)
class KeyValueShape:
    """What a model keeps of one token: layers, key-value heads, size of a head."""

    layers: int
    heads: int
    size: int


class RowCache:
    """The keys and values of one row: a tensor [layers, 2, heads, capacity, size] that grows by doubling.

    What lies behind the row's valid length is overwritten by the next pass, so refusing a draft costs nothing.
    """

    def __init__(self, shape: KeyValueShape, *, dtype: torch.dtype, device: torch.device, capacity: int = 256) -> None:
        # Zeros, not whatever lies in memory: keys behind a row's end are masked, but NaN would come through.
        self._tensor = torch.zeros(
            shape.layers, 2, shape.heads, _blocks(capacity), shape.size, dtype=dtype, device=device
        )

    def reserve(self, length: int) -> None:
        """Makes room for ``length`` tokens."""
        capacity = self._tensor.shape[3]
        if length <= capacity:
            return
        sizes = list(self._tensor.shape)
        sizes[3] = _blocks(max(length, 2 * capacity))
        larger = torch.zeros(sizes, dtype=self._tensor.dtype, device=self._tensor.device)
        larger[:, :, :, :capacity] = self._tensor
        self._tensor = larger

    def begin_with(self, prefix: RowCache, length: int) -> None:
        """Copies the first ``length`` tokens of another row: a prompt's fixed part is run only once."""
        self.reserve(length)
        self._tensor[:, :, :, :length] = prefix._tensor[:, :, :, :length]

    def write(self, layer: int, start: int, keys_HND: torch.Tensor, values_HND: torch.Tensor) -> None:
        """Puts the keys and values of the tokens from ``start`` on in their place."""
        end = start + keys_HND.shape[1]
        self._tensor[layer, 0, :, start:end] = keys_HND
        self._tensor[layer, 1, :, start:end] = values_HND

    def read(self, layer: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values [heads, end, size] of a layer."""
        return self._tensor[layer, 0, :, :end], self._tensor[layer, 1, :, :end]


@dataclass(frozen=True, slots=True)
class Segment:
    """A row's share of a pass: its cache, how many tokens that holds, how many are run now, and with which adapter."""

    cache: RowCache
    start: int
    count: int
    adapter: str | None = None


class PackedPass:
    """What attention needs to know in one pass: whose tokens stand where."""

    def __init__(self, segments: Sequence[Segment], *, device: torch.device, dtype: torch.dtype, fill: int = 0) -> None:
        self.segments = segments
        self._fill = fill
        self._device = device
        self._dtype = dtype
        self._masks: dict[tuple[int, int, int, int | None], torch.Tensor] = {}
        for segment in segments:
            segment.cache.reserve(segment.start + segment.count)

    def positions(self) -> torch.Tensor:
        """The place of each token in its own row, [1, tokens]; 0 for those that only fill the pass up."""
        spans = [torch.arange(segment.start, segment.start + segment.count) for segment in self.segments]
        return torch.cat([*spans, torch.zeros(self._fill, dtype=torch.long)]).unsqueeze(0).to(self._device)

    def parts(self, segment: Segment) -> list[tuple[int, int]]:
        """The segment's places, cut where a block of keys ends: (first, end) in the row."""
        end = segment.start + segment.count
        cuts = [segment.start, *range(_blocks(segment.start + 1), end, BLOCK), end]
        return list(pairwise(cuts))

    def mask(self, first: int, end: int, groups: int, window: int | None) -> torch.Tensor:
        """An additive mask [groups * queries, keys] for the places ``first`` to ``end`` of one block."""
        key = (first, end, groups, window)
        known = self._masks.get(key)
        if known is None:
            queries = torch.arange(first, end, device=self._device).unsqueeze(1)
            keys = torch.arange(_blocks(end), device=self._device).unsqueeze(0)
            seen = keys <= queries
            if window is not None:
                seen &= keys > queries - window
            known = torch.zeros(seen.shape, dtype=self._dtype, device=self._device)
            known = known.masked_fill(~seen, float("-inf")).repeat(groups, 1)
            self._masks[key] = known
        return known


def _blocks(length: int) -> int:
    """The length, rounded up to whole blocks."""
    return -(-length // BLOCK) * BLOCK


def packed_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # noqa: ARG001  rows bring their own
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention for transformers' interface: each row's queries [1, heads, tokens, size] against its own cache."""
    if options.get("softcap") or options.get("s_aux") is not None:
        raise UserError("the local engine cannot run a model that caps its attention's scores or has attention sinks")
    packed: PackedPass = options["packed"]
    heads, size = query.shape[1], query.shape[3]
    groups = heads // key.shape[1]
    out = torch.zeros(query.shape[2], heads, size, dtype=query.dtype, device=query.device)
    at = 0
    for segment in packed.segments:
        here = slice(at, at + segment.count)
        segment.cache.write(module.layer_idx, segment.start, key[0, :, here], value[0, :, here])
        for first, end in packed.parts(segment):
            keys, values = segment.cache.read(module.layer_idx, _blocks(end))
            part = slice(at, at + end - first)
            at += end - first
            # The query heads that share a key-value head stand behind one another, so no key is ever repeated.
            asked = query[0, :, part].reshape(key.shape[1], groups * (end - first), size)
            said = functional.scaled_dot_product_attention(
                asked.unsqueeze(0),
                keys.unsqueeze(0),
                values.unsqueeze(0),
                attn_mask=packed.mask(first, end, groups, options.get("sliding_window")),
                scale=scaling,
            )
            out[part] = said[0].reshape(heads, end - first, size).transpose(0, 1)
    return out.unsqueeze(0), None
