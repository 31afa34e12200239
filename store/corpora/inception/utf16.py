"""Offsets in UTF-16 code units, which Java counts, and in code points. They differ behind emoji and rare Han."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate


def utf16_length(text: str) -> int:
    """How many UTF-16 code units the text has."""
    return len(text) + sum(char > "\uffff" for char in text)


def utf16_offsets(text: str) -> list[int]:
    """The UTF-16 offset of each place in the text, its end included."""
    return list(accumulate((2 if char > "\uffff" else 1 for char in text), initial=0))


def places_of_utf16(text: str) -> Mapping[int, int]:
    """The place in the text of each UTF-16 offset; there is none inside a character."""
    return {offset: place for place, offset in enumerate(utf16_offsets(text))}
