"""Where an entity may begin and end: the rule of a label set for the edges of its entities.

Language models score and write tokens, and a token may hold the space before a word or the comma behind it. The rule
takes those off, so that two taggers that mean the same entity say the same entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from medner.core.characters import cluster_end, cluster_start, is_blank, is_inside_cluster
from medner.core.records import Entity, in_order

#: Commas and full stops of every width; a colon or a semicolon is no part of an entity either.
MARKS = "，,、。．.｡､﹐﹑﹒；;﹔：:﹕…"
WORDS = ("的",)
#: Words of names of organisms that keep their full stop.
ABBREVIATIONS = ("sp", "spp", "ssp", "subsp", "var", "subvar", "cv", "bv", "pv", "sv", "gen", "nov")

_OPENING, _CLOSING = (
    ("(（﹙", "[［", "【", "《", "「", "『", "〔", "“"),
    (")）﹚", "]］", "】", "》", "」", "』", "〕", "”"),
)
_LAST_WORD = re.compile(r"(?<![A-Za-z.])([A-Za-z]+)\.$")
_INITIALS = re.compile(r"(?<![A-Za-z.])(?:[A-Za-z]\.){2,}$")
# So much of an entity is looked at for initials and abbreviations.
_REACH = 24


@dataclass(frozen=True, slots=True)
class Edges:
    """No entity begins or ends with white space, one of ``marks`` or ``words``, or half a pair of brackets.

    The full stop of ``abbreviations`` (``Candida sp.``) and of initials (``i.v.``) is part of the word, and so is one
    before a digit (``.9%``). A combining mark, a selector or the rest of an emoji goes where its base goes. With
    ``brackets`` False a bracket without its partner stays.
    """

    marks: str = MARKS
    words: tuple[str, ...] = WORDS
    abbreviations: tuple[str, ...] = ABBREVIATIONS
    brackets: bool = True

    def in_words(self) -> str:
        """What no entity begins or ends with, for a reader."""
        parts = [
            "white space",
            *(["any of " + self.marks] if self.marks else []),
            *self.words,
            *(["a bracket without its partner"] if self.brackets else []),
        ]
        kept = f" (the full stop stays in {', '.join(f'{word}.' for word in self.abbreviations)})"
        return ", ".join(parts) + (kept if self.abbreviations else "")

    def trimmed(self, entity: Entity, text: str) -> Entity | None:
        """The entity without what the rule takes off its edges; None when nothing is left."""
        start, end = _whole(text, entity.start, entity.end)
        while start < end:
            ahead, behind = self._surplus_ahead(text, start, end), self._surplus_behind(text, start, end)
            if ahead == start and behind == end:
                return entity if (start, end) == (entity.start, entity.end) else replace(entity, start=start, end=end)
            # One side at a time: what is surplus on the other may have become part of something.
            start, end = (ahead, end) if ahead > start else (start, behind)
        return None

    def widest(self, entity: Entity, text: str) -> tuple[int, int]:
        """The first start and the last end that the rule trims to this same entity, each by itself."""
        start, end = entity.start, entity.end
        while start > 0 and self.trimmed(replace(entity, start=start - 1), text) == entity:
            start -= 1
        while end < len(text) and self.trimmed(replace(entity, end=end + 1), text) == entity:
            end += 1
        return start, end

    def _surplus_ahead(self, text: str, start: int, end: int) -> int:
        """Where the entity begins without the surplus at its start."""
        after = min(cluster_end(text, start), end)
        piece = text[start:after]
        if self._is_surplus(piece):
            return start if piece in ".．" and after < end and text[after].isdigit() else after
        if self.brackets and _is_alone(text[start:end], _OPENING, _CLOSING):
            return after
        for word in self.words:
            if text.startswith(word, start, end):
                return min(cluster_end(text, start + len(word) - 1), end)
        return start

    def _surplus_behind(self, text: str, start: int, end: int) -> int:
        """Where the entity ends without the surplus at its end."""
        before = max(cluster_start(text, end - 1), start)
        piece = text[before:end]
        if self._is_surplus(piece):
            return end if piece == "." and self._is_abbreviated(text[max(start, end - _REACH) : end]) else before
        if self.brackets and _is_alone(text[start:end][::-1], _CLOSING, _OPENING):
            return before
        # Marks and selectors behind the last character go with it.
        base_end = before + 1
        for word in self.words:
            if text.endswith(word, start, base_end):
                return base_end - len(word)
        return end

    def _is_surplus(self, piece: str) -> bool:
        return is_blank(piece[0]) or all(char in self.marks or is_blank(char) for char in piece)

    def _is_abbreviated(self, tail: str) -> bool:
        word = _LAST_WORD.search(tail)
        return bool(word and word[1].lower() in self.abbreviations) or _INITIALS.search(tail) is not None


def trimmed_entities(entities: Iterable[Entity], text: str, edges: Edges) -> tuple[Entity, ...]:
    """The entities as the rule leaves them, in order and without repeats; those that are nothing but edges are gone."""
    return in_order(trimmed for entity in entities if (trimmed := edges.trimmed(entity, text)) is not None)


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """The span with every character's marks where their base is: behind a base that is out, up to the end of one in."""
    while start < end and is_inside_cluster(text, start):
        start += 1
    while start < end and is_inside_cluster(text, end):
        end += 1
    return start, end


def _is_alone(part: str, opening: tuple[str, ...], closing: tuple[str, ...]) -> bool:
    """Whether the text begins with a bracket that lacks its partner. For an end, all is the other way round."""
    if any(part[0] in family for family in closing):
        return True
    family = next((number for number, chars in enumerate(opening) if part[0] in chars), None)
    if family is None:
        return False
    depth = 0
    for char in part:
        depth += (char in opening[family]) - (char in closing[family])
        if depth == 0:
            return False
    return True
