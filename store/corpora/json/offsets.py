"""Offsets that a tool counted in its own units, turned into code points of the text by the entities' strings."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

from medner.store.corpora.reading.format import Mention, Reading
from medner.store.corpora.reading.notes import Note

_BREAK = "\r\n"


def fitted(reading: Reading, text: str, mentions: Sequence[Mention]) -> list[Mention]:
    """The mentions in code points of the text.

    Some tools count UTF-16 units, some count a line end CR LF as one character. Where the offsets do not fit the
    strings as they are and all of them fit when counted in such a way, they are turned, and it is noted. Strings may
    differ from the text in white space alone, which browsers collapse; then the string is not kept.
    """
    mentions = [_with_breaks(mention, text) for mention in mentions]
    if all(_fits(mention, text) for mention in mentions):
        return mentions
    for units, notes in _UNITS:
        moved = _moved(mentions, units(text))
        if moved is not None and all(_fits(mention, text) for mention in moved):
            reading.notes.update(notes)
            return [_with_breaks(mention, text) for mention in moved]
    return [_with_white(reading, mention, text) for mention in mentions]


def fits(mention: Mention, text: str) -> bool:
    """Whether the mention lies in the text and its string, where there is one, is there."""
    return _fits(mention, text)


def _utf16(text: str) -> list[int]:
    return [2 if char > "\uffff" else 1 for char in text]


def _breaks_as_one(text: str) -> list[int]:
    return [0 if char == "\r" and text.startswith("\n", at + 1) else 1 for at, char in enumerate(text)]


def _both(text: str) -> list[int]:
    return [min(a, 1) * b for a, b in zip(_breaks_as_one(text), _utf16(text), strict=True)]


_UNITS: tuple[tuple[Callable[[str], list[int]], tuple[Note, ...]], ...] = (
    (_utf16, (Note.UTF16,)),
    (_breaks_as_one, (Note.BREAKS_AS_ONE,)),
    (_both, (Note.UTF16, Note.BREAKS_AS_ONE)),
)


def _moved(mentions: Sequence[Mention], units: Sequence[int]) -> list[Mention] | None:
    if all(unit == 1 for unit in units):
        return None
    bounds = list(accumulate(units, initial=0))
    # Of several characters at one place, a start is the last (behind the CR of no width), an end the first.
    starts = {unit: at for at, unit in enumerate(bounds)}
    ends = {unit: at for at, unit in reversed(list(enumerate(bounds)))}
    return [
        replace(mention, start=starts.get(mention.start, -1), end=ends.get(mention.end, -1)) for mention in mentions
    ]


def _fits(mention: Mention, text: str) -> bool:
    if not 0 <= mention.start < mention.end <= len(text):
        return False
    return mention.text is None or _same(text[mention.start : mention.end], mention.text)


def _same(there: str, stated: str) -> bool:
    return there == stated or there.replace(_BREAK, "\n") == stated.replace(_BREAK, "\n")


def _with_breaks(mention: Mention, text: str) -> Mention:
    """The mention with the line breaks of the text: Label Studio writes them as a backslash and an n, or as LF."""
    if mention.text is None or not 0 <= mention.start < mention.end <= len(text):
        return mention
    there = text[mention.start : mention.end]
    if there != mention.text and _same(there, mention.text.replace("\\n", "\n")):
        return replace(mention, text=there)
    return mention


def _with_white(reading: Reading, mention: Mention, text: str) -> Mention:
    if mention.text is None or not 0 <= mention.start < mention.end <= len(text):
        return mention
    there = text[mention.start : mention.end]
    if there != mention.text and _collapsed(there) == _collapsed(mention.text):
        reading.notes[Note.OTHER_WHITE] += 1
        return replace(mention, text=None)
    return mention


def _collapsed(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\\n", "\n"))
