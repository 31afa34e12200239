"""Finding where a stated entity stands, and walking the substrings of a text."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from medner.agents.strategies.automaton import Edge
from medner.core.labels import LabelSet
from medner.core.records import Decoded, Entity, Rejected, Rejection, in_order


def nearest_occurrence(text: str, part: str, start: int, taken: Collection[int] = ()) -> int | None:
    """Where ``part`` stands in ``text`` nearest to ``start`` (the earlier of two), places in ``taken`` left out."""
    best: int | None = None
    at = text.find(part)
    while at >= 0:
        if at not in taken and (best is None or abs(at - start) < abs(best - start)):
            best = at
        at = text.find(part, at + 1)
    return best


@dataclass(slots=True)
class StatedEntities:
    """Collects entities stated with offsets, repairs wrong offsets by searching the text, and counts both."""

    text: str
    labels: LabelSet
    entities: list[Entity] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    exact: int = 0
    repaired: int = 0

    def state(self, part: str, label_name: str, start: int | None, end: int | None, *, raw: str) -> None:
        """Takes one stated entity: its text, type, and offsets (end-exclusive; None when they are unusable)."""
        label = self.labels.resolve(label_name)
        if label is None:
            return self.refuse(Rejection.UNKNOWN_LABEL, raw, label_name)
        if not part:
            return self.refuse(Rejection.EMPTY, raw)
        if start is not None and end is not None and 0 <= start < end and self.text[start:end] == part:
            return self._take(Entity(start, start + len(part), label), raw, exact=True)
        taken = {e.start for e in self.entities if e.label == label and e.text_in(self.text) == part}
        found = nearest_occurrence(self.text, part, start or 0, taken)
        if found is None:
            reason = Rejection.DUPLICATE if taken else Rejection.NOT_IN_TEXT
            return self.refuse(reason, raw, part)
        return self._take(Entity(found, found + len(part), label), raw, exact=False)

    def refuse(self, reason: Rejection, raw: str, detail: str = "") -> None:
        """Keeps a piece that cannot become an entity."""
        self.rejected.append(Rejected(reason, raw, detail))

    def _take(self, entity: Entity, raw: str, *, exact: bool) -> None:
        if entity in self.entities:
            return self.refuse(Rejection.DUPLICATE, raw, entity.text_in(self.text))
        self.entities.append(entity)
        self.exact += exact
        self.repaired += not exact
        return None

    def decoded(self) -> Decoded:
        """What was collected."""
        return Decoded(in_order(self.entities), tuple(self.rejected), self.exact, self.repaired)


class StatedNode(NamedTuple):
    """A place in an answer that states offsets: which part is being written, and what of the entity is known.

    ``before`` is the last whole entity as (start, last, rank of its type): entities stand in text order, longer ones
    first, so that an answer ends. ``places`` and ``length`` are of what is written of the entity's text.
    """

    part: str
    before: tuple[int, int, int]
    places: tuple[int, ...] = ()
    length: int = 0
    rank: int = -1
    start: str = ""
    last: str = ""


class Substrings:
    """The substrings of a text as a walk: which characters may follow, and where the walk may stand.

    A walk's state is the sorted tuple of places in the text that what was read so far may end at.
    """

    def __init__(self, text: str, write: Callable[[str], bytes]) -> None:
        self.text = text
        self.pieces = [write(char) for char in text]
        self.anywhere: tuple[int, ...] = tuple(range(len(text)))

    def edges(self, node: StatedNode) -> list[Edge]:
        """The next characters of the entity's text (as bytes of the answer)."""
        following: dict[bytes, list[int]] = {}
        for place in node.places:
            if place < len(self.text):
                following.setdefault(self.pieces[place], []).append(place + 1)
        length = node.length + 1
        return [(piece, node._replace(places=tuple(after), length=length)) for piece, after in following.items()]

    def written(self, start: int, end: int) -> bytes:
        """The bytes of ``text[start:end]`` in an answer."""
        return b"".join(self.pieces[start:end])


def number_steps(digits: str, low: int, high: int) -> list[tuple[bytes, str]]:
    """What may follow ``digits`` in a number from ``low`` to ``high``, with the digits after it; no leading zeros."""
    if digits == "0":
        return []
    longer = (digits + digit for digit in "0123456789")
    return [(after[-1:].encode(), after) for after in longer if _can_become(after, low, high)]


def number_is_complete(digits: str, low: int, high: int) -> bool:
    """Whether the number may end here."""
    return digits != "" and low <= int(digits) <= high


def _can_become(digits: str, low: int, high: int) -> bool:
    """Whether some number from ``low`` to ``high`` begins with ``digits``."""
    smallest = largest = int(digits)
    while smallest <= high:
        if largest >= low:
            return True
        if digits == "0":
            return False
        smallest, largest = smallest * 10, largest * 10 + 9
    return False
