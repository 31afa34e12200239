"""Attention over the requests of a pass, each a sentence with its candidates, under a mask of PyTorch's."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from medner.agents.filters.candidates.layout import Layout, read


class Rows:
    """The requests of the pass under way: where each begins, and what of it sees what."""

    def __init__(self) -> None:
        self.masks: list[tuple[int, int, dict[bool, torch.Tensor]]] = []

    def take(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Reads the requests of a pass; gives the tokens' positions, a candidate's counted on from its sentence's."""
        # A request's first token is at position 0, and no other.
        starts = (positions == 0).nonzero().flatten().tolist()
        edges = [*([] if starts and starts[0] == 0 else [0]), *starts, len(positions)]
        counted, self.masks = [], []
        for start, end in pairwise(edges):
            layout = read(tokens[start:end].tolist())
            if layout is None:
                layout = Layout(((0, end - start),))
            counted.append(_positions(layout, end - start))
            masks = {two_way: _mask(layout, end - start, two_way=two_way) for two_way in (False, True)}
            self.masks.append((start, end, {key: mask.to(positions.device) for key, mask in masks.items()}))
        return torch.cat(counted).to(positions)


class RowsAttention(nn.Module):
    """What stands in for a layer's attention; ``sized`` is the module of vLLM's that it is of."""

    def __init__(self, rows: Rows, sized: Any, *, two_way: bool) -> None:
        super().__init__()
        self._rows = rows
        self._heads, self._kv_heads, self._width = sized.num_heads, sized.num_kv_heads, sized.head_dim
        self._scale = sized.scaling
        self._two_way = two_way

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """The attention's output [tokens, heads and width]."""
        query_HTD = query.reshape(-1, self._heads, self._width).transpose(0, 1)
        key_HTD = key.reshape(-1, self._kv_heads, self._width).transpose(0, 1)
        value_HTD = value.reshape(-1, self._kv_heads, self._width).transpose(0, 1)
        found = [
            functional.scaled_dot_product_attention(
                query_HTD[None, :, start:end],
                key_HTD[None, :, start:end],
                value_HTD[None, :, start:end],
                attn_mask=masks[self._two_way],
                scale=self._scale,
                enable_gqa=True,
            )
            for start, end, masks in self._rows.masks
        ]
        return torch.cat(found, dim=2)[0].transpose(0, 1).reshape(len(query), -1)


def _positions(layout: Layout, size: int) -> torch.Tensor:
    """Where each token is: the sentence from 0 on, every candidate behind it, as if it were the only one."""
    positions = torch.arange(size)
    (first, behind), *candidates = layout.parts
    positions[first:behind] = torch.arange(behind - first)
    for start, end in candidates:
        positions[start:end] = torch.arange(behind - first, behind - first + end - start)
    return positions


def _mask(layout: Layout, size: int, *, two_way: bool) -> torch.Tensor:
    """Who sees whom [tokens, tokens]. The lengths in front see themselves alone, so that no row is without a token."""
    mask = torch.eye(size, dtype=torch.bool)
    (first, behind), *candidates = layout.parts
    sees = torch.ones(behind - first, behind - first, dtype=torch.bool)
    mask[first:behind, first:behind] = sees if two_way else sees.tril()
    for start, end in candidates:
        mask[start:end, first:behind] = True
        mask[start:end, start:end] = torch.ones(end - start, end - start, dtype=torch.bool).tril()
    return mask
