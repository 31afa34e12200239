"""Where stretches of a text stand in the file that it was read from: page, paragraph, part, rectangle."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

#: Left, bottom, right, top in points (1/72 inch) from the lower left corner of the page, as PDF itself has rectangles.
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """Where the characters ``[start, end)`` of a text stand in its file.

    ``page`` and ``paragraph`` count from 1; a page is None where the file does not tell. ``part`` names the part of the
    file if it is not its body: a section's title, a table's cell, a footnote. ``box`` encloses the characters on the
    page; ``edges`` are the right edges of the single ones, where they stand beside each other.
    """

    start: int
    end: int
    page: int | None = None
    paragraph: int | None = None
    part: str = ""
    box: Box | None = None
    edges: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a place needs 0 <= start < end, got [{self.start}, {self.end})")
        if self.edges and (self.box is None or len(self.edges) != self.end - self.start):
            raise ValueError(f"{len(self.edges)} edges do not fit [{self.start}, {self.end})")

    def cut(self, start: int, end: int) -> SourcePlace:
        """The part of this place that lies in ``[start, end)``, which must share a character with it."""
        start, end = max(self.start, start), min(self.end, end)
        if (start, end) == (self.start, self.end):
            return self
        if self.box is None or not self.edges:
            return replace(self, start=start, end=end)
        edges = self.edges[start - self.start : end - self.start]
        left = self.edges[start - self.start - 1] if start > self.start else self.box[0]
        return replace(self, start=start, end=end, box=(left, self.box[1], edges[-1], self.box[3]), edges=edges)

    def shifted(self, offset: int) -> SourcePlace:
        """The same place in a text that begins ``offset`` characters earlier."""
        return replace(self, start=self.start + offset, end=self.end + offset)


def places_of(places: Sequence[SourcePlace], start: int, end: int) -> tuple[SourcePlace, ...]:
    """Where ``[start, end)`` stands: a place for each line, cell or paragraph that it has a part in.

    ``places`` are in text order and do not overlap.
    """
    first = max(0, bisect_right(places, start, key=lambda place: place.start) - 1)
    found = []
    for place in places[first:]:
        if place.start >= end:
            break
        if place.end > start:
            found.append(place.cut(start, end))
    return tuple(found)


def checked_places(places: Iterable[SourcePlace], length: int) -> tuple[SourcePlace, ...]:
    """The places in text order. ValueError where two overlap, or one lies outside a text of this length."""
    ordered = tuple(sorted(places, key=lambda place: place.start))
    at = 0
    for place in ordered:
        if place.start < at or place.end > length:
            raise ValueError(f"the place [{place.start}, {place.end}) overlaps another, or lies outside the text")
        at = place.end
    return ordered
