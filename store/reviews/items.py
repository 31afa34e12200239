"""A conflict that waits for a person, as a word that sorts by what a look at it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from medner.core.records import ConflictKind

_SEPARATOR = "\0"
#: Margins are kept to four digits.
_FINE = 9_999
_KINDS = tuple(kind.value for kind in ConflictKind)


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A conflict of a sentence: its kind, the types at stake, and how sure it was settled.

    ``margin`` is 1 where the judge was sure and 0 where it knew nothing. ``place`` is its place in the text.
    """

    sentence: str
    conflict: str
    kind: str
    labels: tuple[str, ...]
    margin: float
    abstained: bool
    place: int

    @property
    def doubt(self) -> float:
        """How much is in doubt: 1 where the judge left the conflict to a person."""
        return 1.0 if self.abstained else 1.0 - self.margin

    @property
    def id(self) -> str:
        """The conflict among all of the job."""
        return id_of(self.sentence, self.conflict)

    @property
    def word(self) -> str:
        """The item as a word: smaller words are worth more. Kind, then type, then place decide between equals."""
        tier = 0 if self.abstained else 1
        kind = _KINDS.index(self.kind) if self.kind in _KINDS else len(_KINDS)
        label = (self.labels or ("",))[0][:20]
        order = f"{tier}{round(self.margin * _FINE):04}{kind}{label:<20}{self.place:010}"
        return _SEPARATOR.join((order, self.sentence, self.conflict, self.kind, ",".join(self.labels)))

    @classmethod
    def of(cls, word: str) -> Self:
        """The item of :attr:`word`."""
        order, sentence, conflict, kind, labels = word.split(_SEPARATOR)
        return cls(
            sentence,
            conflict,
            kind,
            tuple(labels.split(",")) if labels else (),
            int(order[1:5]) / _FINE,
            order[0] == "0",
            int(order[-10:]),
        )


def id_of(sentence: str, conflict: str) -> str:
    """The id of a conflict of a sentence."""
    return f"{sentence}{_SEPARATOR}{conflict}"
