"""Packed forward passes: the tokens of all rows in one line, without padding, each row with its own cache.

Rows of a decoding batch want different numbers of tokens in every pass. Padding them to the longest wastes most of
the work, so all tokens stand one behind another and the linear layers run over them at once; attention takes the rows
with as many keys together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional

from medner.agents.engines.local.row_cache import BLOCK, RowCache, whole_blocks
from medner.core.errors import UserError

ATTENTION = "medner_packed"

#: What :data:`medner.agents.engines.local.row_cache.BLOCK` is, for rows without a cache.
KEYS = 16


@dataclass(frozen=True, slots=True)
class RowSegment:
    """A row's share of a pass: its cache, how many tokens that holds, how many are run now, and with which adapter.

    In layers from ``two_way_from`` on a token also attends to those behind it; such a row is run in one piece.
    ``cache`` None: the row is run once and whole, and its keys and values are kept for nothing later. ``layers`` is
    how many of the model's layers it runs through, None: all.
    """

    cache: RowCache | None
    start: int
    count: int
    adapter: str | None = None
    two_way_from: int | None = None
    layers: int | None = None

    def __post_init__(self) -> None:
        if self.two_way_from is not None and self.start:
            raise ValueError("a row whose tokens look both ways must be run in one piece")
        if self.cache is None and self.start:
            raise ValueError("a row without a cache must be run in one piece")


@dataclass(slots=True)
class KeyGroup:
    """Parts of rows that attend to the same number of keys: one call of the attention kernel.

    Parts are padded to the longest by repeating their first token. ``taken`` are the packed tokens [rows * queries],
    ``places`` their places in their own rows, ``last`` those of the last token of their part; ``kept`` of the results
    belong to the packed tokens ``given``. ``seen`` are the packed tokens [rows * keys] whose keys these are, where the
    rows have no caches; those behind a row's end are masked.
    """

    keys: int
    parts: list[RowPart]
    taken: torch.Tensor
    places: torch.Tensor
    last: torch.Tensor
    kept: torch.Tensor
    given: torch.Tensor
    two_way_from: int | None = None
    seen: torch.Tensor | None = None
    masks: dict[tuple[int, int | None, bool], torch.Tensor] = field(default_factory=dict)

    def mask(self, sharing: int, window: int | None, layer: int, dtype: torch.dtype) -> torch.Tensor:
        """An additive mask [rows, 1, sharing * queries, keys]; ``sharing`` query heads use one key-value head.

        A layer that looks both ways has no sliding window: sentences are shorter than any.
        """
        two_way = self.two_way_from is not None and layer >= self.two_way_from
        known = self.masks.get((sharing, window, two_way))
        if known is None:
            queries = self.places.view(len(self.parts), -1, 1)
            keys = torch.arange(self.keys, device=queries.device)
            seen = keys <= (self.last.view_as(queries) if two_way else queries)
            if window is not None and not two_way:
                seen &= keys > queries - window
            known = torch.zeros(seen.shape, dtype=dtype, device=queries.device).masked_fill(~seen, float("-inf"))
            known = known.repeat(1, sharing, 1).unsqueeze(1)
            self.masks[sharing, window, two_way] = known
        return known


@dataclass(frozen=True, slots=True)
class RowPart:
    """The tokens of a row that lie in one block of keys: where they stand in the pass and in the row."""

    cache: RowCache | None
    at: int
    first: int
    end: int
    two_way_from: int | None = None


class PackedPass:
    """What attention needs to know in one pass: whose tokens stand where.

    The pass has ``fill`` tokens more that belong to no row. With ``least_queries`` parts of rows are padded to a power
    of two, and to so many tokens at least.
    """

    def __init__(
        self,
        segments: Sequence[RowSegment],
        *,
        device: torch.device,
        dtype: torch.dtype,
        fill: int = 0,
        least_queries: int = 1,
    ) -> None:
        self._least_queries = least_queries
        self.segments = segments
        self.dtype = dtype
        self._fill = fill
        self._device = device
        for segment in segments:
            if segment.cache is not None:
                segment.cache.reserve(segment.start + segment.count)
        self.groups = self._grouped()

    def positions(self) -> torch.Tensor:
        """The place of each token in its own row, [1, tokens]; 0 for those that only fill the pass up."""
        spans = [torch.arange(segment.start, segment.start + segment.count) for segment in self.segments]
        return torch.cat([*spans, torch.zeros(self._fill, dtype=torch.long)]).unsqueeze(0).to(self._device)

    def _parts(self) -> Iterator[RowPart]:
        """The rows' tokens, cut where a block of keys ends."""
        at = 0
        for segment in self.segments:
            end = segment.start + segment.count
            if segment.two_way_from is not None or segment.cache is None:
                yield RowPart(segment.cache, at, 0, end, segment.two_way_from)
                at += end
                continue
            cuts = [segment.start, *range(whole_blocks(segment.start + 1), end, BLOCK), end]
            for first, last in pairwise(cuts):
                yield RowPart(segment.cache, at, first, last)
                at += last - first

    def _grouped(self) -> list[KeyGroup]:
        """The parts by the number of their keys and, roughly, of their queries, so that little is padding."""
        alike: dict[tuple[int, int, int | None, bool], list[RowPart]] = {}
        for part in self._parts():
            cached = part.cache is not None
            keys = whole_blocks(part.end) if cached else -(-part.end // KEYS) * KEYS
            # Rows without caches have about as many queries as keys.
            queries = (part.end - part.first - 1).bit_length() if cached else 0
            alike.setdefault((keys, queries, part.two_way_from, cached), []).append(part)
        return [self._group(keys, parts) for (keys, _, _, _), parts in alike.items()]

    def _group(self, keys: int, parts: Sequence[RowPart]) -> KeyGroup:
        # A row without a cache is padded to its own block, whatever its neighbours are.
        longest = keys if parts[0].cache is None else self._longest(parts)
        taken, places, last, kept, given = [], [], [], [], []
        for row, part in enumerate(parts):
            count = part.end - part.first
            steps = [*range(count), *[0] * (longest - count)]
            taken += [part.at + step for step in steps]
            places += [part.first + step for step in steps]
            last += [part.end - 1] * longest
            kept += [row * longest + step for step in range(count)]
            given += [part.at + step for step in range(count)]
        return KeyGroup(
            keys=keys,
            parts=list(parts),
            taken=torch.tensor(taken, device=self._device),
            places=torch.tensor(places, device=self._device),
            last=torch.tensor(last, device=self._device),
            kept=torch.tensor(kept, device=self._device),
            given=torch.tensor(given, device=self._device),
            two_way_from=parts[0].two_way_from,
            seen=None if parts[0].cache is not None else self._seen(keys, parts),
        )

    def _longest(self, parts: Sequence[RowPart]) -> int:
        longest = max(part.end - part.first for part in parts)
        # Parts of a group have the same power of two above them, so that no neighbour decides a part's padding.
        return longest if self._least_queries == 1 else max(self._least_queries, 1 << (longest - 1).bit_length())

    def _seen(self, keys: int, parts: Sequence[RowPart]) -> torch.Tensor:
        places = [part.at + min(step, part.end - 1) for part in parts for step in range(keys)]
        return torch.tensor(places, device=self._device)


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
    at = 0
    for segment in packed.segments:
        here = slice(at, at + segment.count)
        if segment.cache is None:
            raise ValueError("this attention needs a cache for every row")
        segment.cache.write(module.layer_idx, segment.start, key[0, :, here], value[0, :, here])
        at += segment.count
    heads, size = query.shape[1], query.shape[3]
    out = torch.zeros(query.shape[2], heads, size, dtype=query.dtype, device=query.device)
    for group in packed.groups:
        stored = [part.cache.read(module.layer_idx, group.keys) for part in group.parts if part.cache is not None]
        rows, kv_heads, sharing = len(stored), key.shape[1], heads // key.shape[1]
        # The query heads that share a key-value head stand behind one another, so no key is ever repeated.
        asked = query[0][:, group.taken].view(kv_heads, sharing, rows, -1, size).permute(2, 0, 1, 3, 4)
        said = functional.scaled_dot_product_attention(
            asked.reshape(rows, kv_heads, -1, size),
            torch.stack([keys for keys, _ in stored]),
            torch.stack([values for _, values in stored]),
            attn_mask=group.mask(sharing, options.get("sliding_window"), module.layer_idx, packed.dtype),
            scale=scaling,
        )
        flat = said.view(rows, kv_heads, sharing, -1, size).permute(0, 3, 1, 2, 4).reshape(-1, heads, size)
        out[group.given] = flat[group.kept]
    return out.unsqueeze(0), None
