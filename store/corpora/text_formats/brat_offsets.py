"""What the offsets of a brat file count: code points of the text, or also a byte order mark, UTF-16, CR LF as one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, product

from medner.store.corpora.reading.notes import Note

_BREAKS = re.compile(r"[\r\n]+")

#: The fragments of an entity: where each begins and ends.
Fragments = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Stated:
    """An entity as an .ann file has it: its fragments in the file's own offsets, and its string, where it has one."""

    fragments: Fragments
    text: str | None


@dataclass(frozen=True, slots=True)
class Counting:
    """What offsets count, as the places of the text that they mean. A place that there is not becomes -1."""

    starts: Callable[[int], int]
    ends: Callable[[int], int]
    notes: tuple[Note, ...] = ()

    def fragments(self, stated: Stated) -> Fragments:
        """The fragments in code points of the text."""
        return tuple((self.starts(start), self.ends(end)) for start, end in stated.fragments)

    def fits(self, stated: Stated, text: str) -> bool:
        """Whether the string is there."""
        return is_stated(stated.text, self.fragments(stated), text)


CODE_POINTS = Counting(lambda place: place, lambda place: place)


def is_stated(stated: str | None, fragments: Fragments, text: str) -> bool:
    """Whether an entity's string is that of these fragments of the text, with a space for a line break."""
    start, end = fragments[0][0], fragments[-1][1]
    if stated is None or not 0 <= start < end <= len(text):
        return False
    whole = text[start:end]
    return stated in (
        " ".join(text[first:last] for first, last in fragments),
        whole,
        _BREAKS.sub(" ", whole),
        whole.replace("\r", " ").replace("\n", " "),
        whole.replace("\r\n", "\n"),
    )


def counting_of(entities: Sequence[Stated], text: str, *, has_mark: bool) -> Counting:
    """What the offsets count: code points, or else that under which nearly all strings are where they should be."""
    with_text = [entity for entity in entities if entity.text is not None]
    if all(CODE_POINTS.fits(entity, text) for entity in with_text):
        return CODE_POINTS
    for counting in _countings(text, has_mark=has_mark):
        if sum(counting.fits(entity, text) for entity in with_text) * 10 >= len(with_text) * 9:
            return counting
    return CODE_POINTS


def _countings(text: str, *, has_mark: bool) -> Iterator[Counting]:
    for mark, breaks, units in product((False, True), repeat=3):
        if (mark and not has_mark) or (breaks and "\r\n" not in text) or (units and text.isascii()):
            continue
        notes = ((Note.MARK_COUNTED, mark), (Note.BREAKS_AS_ONE, breaks), (Note.UTF16, units))
        used = tuple(note for note, is_used in notes if is_used)
        if used:
            yield _counting(text, used)


def _counting(text: str, notes: tuple[Note, ...]) -> Counting:
    widths = [2 if Note.UTF16 in notes and char > "\uffff" else 1 for char in text]
    if Note.BREAKS_AS_ONE in notes:
        widths = [
            0 if char == "\r" and text.startswith("\n", place + 1) else width
            for place, (char, width) in enumerate(zip(text, widths, strict=True))
        ]
    bounds = list(accumulate(widths, initial=int(Note.MARK_COUNTED in notes)))
    # A line end of one counted character has two places: an entity ends before it and begins behind its CR.
    starts = {counted: place for place, counted in enumerate(bounds)}
    ends = {counted: place for place, counted in reversed(list(enumerate(bounds)))}
    return Counting(lambda place: starts.get(place, -1), lambda place: ends.get(place, -1), notes)
