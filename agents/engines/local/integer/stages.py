"""A packed pass in stages: which rows run through which layers.

Rows of equal tokens are one row as long as nothing tells them apart, and a row leaves behind its last layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from medner.agents.engines.local.packed import RowSegment


@dataclass(frozen=True, slots=True)
class LayerStage:
    """Layers ``first`` to ``end`` (exclusive) of a pass, and the rows that are in it.

    ``source`` says which rows of the stage before the rows here come from, None: the same ones.
    """

    first: int
    end: int
    segments: tuple[RowSegment, ...]
    source: tuple[int, ...] | None = None


def pass_stages(
    rows: Sequence[tuple[int, ...]],
    segments: Sequence[RowSegment],
    layers: int,
    alike_until: Callable[[RowSegment], int],
) -> list[LayerStage]:
    """The stages of a pass over ``rows`` of tokens through a model of so many ``layers``.

    ``alike_until`` gives the first layer in which a row differs from one of equal tokens: that of an adapter, or one
    that looks both ways. Below the lowest of these, equal rows are run as one.
    """
    stages = []
    first = 0
    depths = sorted({segment.layers or layers for segment in segments})
    unique, source = equal_rows(rows, segments)
    # One layer less than the shortest row has, which then leaves like any other.
    common = min(depths[0] - 1, *(alike_until(segment) for segment in segments))
    before: Sequence[RowSegment] = segments
    came: tuple[int, ...] | None = None
    if len(unique) < len(segments) and common:
        # Nothing an adapter changes is in these layers: whose rows these are does not matter.
        alike = tuple(replace(segments[place], adapter=None) for place in unique)
        stages.append(LayerStage(0, common, alike, tuple(unique)))
        first, came = common, tuple(source)
    for depth in depths:
        staying = tuple(segment for segment in segments if (segment.layers or layers) >= depth)
        if came is None and len(staying) < len(before):
            came = tuple(place for place, segment in enumerate(before) if segment in staying)
        stages.append(LayerStage(first, depth, staying, came))
        first, before, came = depth, staying, None
    return stages


def equal_rows(rows: Sequence[tuple[int, ...]], segments: Sequence[RowSegment]) -> tuple[list[int], list[int]]:
    """The places of rows that differ, and for each row which of these it equals; rows with a cache are alone."""
    unique: list[int] = []
    known: dict[object, int] = {}
    source = []
    for place, (row, segment) in enumerate(zip(rows, segments, strict=True)):
        key = row if segment.cache is None else id(segment)
        if key not in known:
            known[key] = len(unique)
            unique.append(place)
        source.append(known[key])
    return unique, source
