"""Text with its line breaks taken out, for models, and entities in the original text again.

Notes cut at a fixed width, or taken out of a PDF, have line breaks in the middle of terms.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from medner.core.records import Entity

_BREAK = re.compile(r"[ \t\u3000\xa0]*(?:\r\n|[\n\r])[ \t\u3000\xa0]*")


@dataclass(frozen=True, slots=True)
class JoinedLines:
    """A text in one line; ``places`` are its characters' places in the original text."""

    text: str
    places: tuple[int, ...]

    def original(self, entity: Entity) -> Entity:
        """An entity of the joined text in the original text; line breaks inside it are part of it there."""
        return Entity(self.places[entity.start], self.places[entity.end - 1] + 1, entity.label)

    def joined(self, entity: Entity) -> Entity | None:
        """An entity of the original text in the joined text; None for one that is nothing but a break."""
        start, end = bisect_left(self.places, entity.start), bisect_left(self.places, entity.end)
        return Entity(start, end, entity.label) if start < end else None


def joined_lines(text: str) -> JoinedLines:
    """The text without line breaks and white space around them; between two Latin letters or digits is a space."""
    pieces: list[str] = []
    places: list[int] = []
    done = 0
    for match in _BREAK.finditer(text):
        pieces.append(text[done : match.start()])
        places += range(done, match.start())
        done = match.end()
        if _is_word(text[match.start() - 1 : match.start()]) and _is_word(text[done : done + 1]):
            pieces.append(" ")
            places.append(match.start())
    pieces.append(text[done:])
    places += range(done, len(text))
    return JoinedLines("".join(pieces), tuple(places))


def has_line_break(text: str) -> bool:
    """Whether there is anything to join."""
    return "\n" in text or "\r" in text


def _is_word(char: str) -> bool:
    return char.isascii() and char.isalnum()
