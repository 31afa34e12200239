"""Attention of packed rows in float32, each row against its own cache or against itself."""

from __future__ import annotations

import torch
from torch.nn import functional

from medner.agents.engines.local.packed import KeyGroup, PackedPass


def attended(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, layer: int, packed: PackedPass
) -> torch.Tensor:
    """What each token [tokens, heads * size] takes from the tokens it may see."""
    heads, size, kv_heads = *queries.shape[1:], keys.shape[1]
    sharing, at = heads // kv_heads, 0
    for segment in packed.segments:
        if segment.cache is not None:
            here = slice(at, at + segment.count)
            segment.cache.write(layer, segment.start, keys[here].transpose(0, 1), values[here].transpose(0, 1))
        at += segment.count
    out = torch.empty(len(queries), heads * size)
    for group in packed.groups:
        rows = len(group.parts)
        seen_keys, seen_values = _seen(group, keys, values, layer)
        # The query heads that share a key-value head stand behind one another, so no key is ever repeated.
        asked = queries[group.taken].view(rows, -1, kv_heads, sharing, size)
        attend = _attend_whole if group.seen is not None else _attend_part
        mixed = attend(
            asked.permute(0, 2, 3, 1, 4).reshape(rows, kv_heads, -1, size),
            seen_keys,
            seen_values,
            group.mask(sharing, None, layer, torch.float32),
        )
        flat = mixed.view(rows, kv_heads, sharing, -1, size).permute(0, 3, 1, 2, 4)
        out[group.given] = flat.reshape(-1, heads * size)[group.kept]
    return out


def _seen(group: KeyGroup, keys: torch.Tensor, values: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The keys and values [rows, heads, keys, size] that a group's tokens may see."""
    if group.seen is not None:
        shape = (len(group.parts), group.keys, *keys.shape[1:])
        return tuple(one[group.seen].view(shape).transpose(1, 2) for one in (keys, values))  # type: ignore[return-value]
    stored = [part.cache.read(layer, group.keys) for part in group.parts if part.cache is not None]
    return torch.stack([one for one, _ in stored]), torch.stack([one for _, one in stored])


def _attend_whole(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention of rows that are run whole: they always have the same number of queries, so the fast kernel serves."""
    return functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)


def _attend_part(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention of rows that are run in parts, whose bits must not depend on how many tokens a part has.

    The fused kernel's do in float32, now and then; those of plain products do not.
    """
    scores = torch.matmul(queries, keys.transpose(-1, -2)).mul_(queries.shape[-1] ** -0.5)
    return torch.matmul(torch.softmax(scores.add_(mask), dim=-1), values)
