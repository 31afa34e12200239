"""Where marks go under a text: atomic segments, and a track for each mark.

Offsets count code points of the text given. Nothing here knows what a mark means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from medner.core.records import Span

# A label is glued to the end of its mark; the longest piece of text that may not be broken before it.
_UNBROKEN = 12


@dataclass(frozen=True, slots=True)
class MarkedStretch:
    """A stretch of text that is under the same marks throughout; ``marks`` are indexes, outermost first.

    ``ends`` are those of ``marks`` whose last segment this is, and ``whole`` says that the segment should not be
    broken across lines, so that a label after it stays with its text.
    """

    start: int
    end: int
    marks: tuple[int, ...]
    ends: frozenset[int] = frozenset()
    whole: bool = False


def cut_segments(text: str, spans: Sequence[Span]) -> tuple[MarkedStretch, ...]:
    """The whole text in order as atomic segments; ValueError when a span leaves the text.

    Of several marks on a segment the one that ends last is outermost: only so can the label that follows a mark's
    end stand inside the marks that go on, also where marks cross.
    """
    for span in spans:
        if span.end > len(text):
            raise ValueError(f"[{span.start}, {span.end}) lies outside a text of {len(text)} characters")
    cuts = {0, len(text)} | {span.start for span in spans} | {span.end for span in spans}
    cuts |= {span.end - 1 for span in spans if _may_cut_before(text[span.end - 1])}
    edges = sorted(cuts)
    active: set[int] = set()
    by_start: dict[int, list[int]] = {}
    for index, span in enumerate(spans):
        by_start.setdefault(span.start, []).append(index)
    segments = []
    for start, end in pairwise(edges):
        active = {index for index in active if spans[index].end > start} | set(by_start.get(start, ()))
        marks = tuple(sorted(active, key=lambda index: (-spans[index].end, spans[index].start, index)))
        ends = frozenset(index for index in marks if spans[index].end == end)
        segments.append(MarkedStretch(start, end, marks, ends, bool(ends) and end - start <= _UNBROKEN))
    return tuple(segments)


def _may_cut_before(character: str) -> bool:
    # A cut inside a word, a number or an emoji sequence would change how it is drawn; between Han characters not.
    return "\u4e00" <= character <= "\u9fff"


def assign_tracks(spans: Sequence[Span], hidden: Sequence[bool]) -> tuple[int, ...]:
    """A track for each mark, 0 nearest to the text, such that overlapping marks never share one.

    An inner mark is nearer than any that contains it. Marks that are ``hidden`` at first come last, so that they
    leave no empty track between the others.
    """
    order = sorted(range(len(spans)), key=lambda index: (hidden[index], len(spans[index]), spans[index], index))
    tracks: dict[int, int] = {}
    for index in order:
        taken = {track for other, track in tracks.items() if spans[other].overlaps(spans[index])}
        tracks[index] = next(track for track in range(len(spans)) if track not in taken)
    return tuple(tracks[index] for index in range(len(spans)))
