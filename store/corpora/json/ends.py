"""Whether the ends of a file's entities are inclusive or exclusive, as the file itself tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from medner.store.corpora.json.entities import EntityKeys, first_key
from medner.store.corpora.json.fields import whole_number
from medner.store.corpora.reading.format import Reading
from medner.store.corpora.reading.raw_records import RawRecord

# Under skip_bad a file may hold a few entities of the other convention: they are bad records, up to one in ten.
_CLEAR_MAJORITY = 9


@dataclass(slots=True)
class EndVotes:
    """What the entities of a file say about their ends."""

    seen: int = 0
    counts: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    first: dict[bool, int] = field(default_factory=dict)

    def add(self, text: str, start: int, end: int, words: str | None, place: int) -> None:
        """Counts what one entity says."""
        self.seen += 1
        vote = _vote(text, start, end, words)
        if vote is not None:
            self.counts[vote] += 1
            self.first.setdefault(vote, place)

    def settle(self, reading: Reading) -> bool:
        """Whether ends are inclusive, which they are in a file without entities.

        BadInputError when the entities say nothing, or contradict one another.
        """
        if self.seen and not self.first:
            raise reading.error(
                "cannot tell whether the ends are inclusive or exclusive: no entity string equals the text at its "
                "place under either reading; check that strings and offsets belong to this text, or say which it is: "
                "--end inclusive or --end exclusive",
                None,
                "end_idx" if reading.format.name == "cmeee" else None,
            )
        most = self.counts[True] >= self.counts[False]
        if self.counts[not most] and not (
            reading.skips_bad and self.counts[most] >= _CLEAR_MAJORITY * self.counts[not most]
        ):
            raise reading.error(
                f"the end contradicts itself: inclusive for {self.counts[True]} entities (first in {reading.unit} "
                f"{self.first[True]}), exclusive for {self.counts[False]} (first in {reading.unit} "
                f"{self.first[False]}); correct the fewer, split the file, or say which holds: --end inclusive or "
                "--end exclusive",
                self.first[not most],
                "end_idx" if reading.format.name == "cmeee" else None,
            )
        return most


def ends_are_inclusive(reading: Reading, records: Iterator[RawRecord], keys: EntityKeys) -> bool:
    """What --end says, else what the entities of all records say. BadInputError as of :meth:`EndVotes.settle`."""
    if reading.options.end is not None:
        return reading.options.end == "inclusive"
    votes = EndVotes()
    for record in records:
        for text, entity in _entities_of(reading, record.value):
            start = whole_number(entity.get(first_key(entity, keys.starts) or ""))
            end = whole_number(entity.get(first_key(entity, keys.ends) or ""))
            words = entity.get(first_key(entity, keys.words) or "")
            votes.add(
                text,
                -1 if start is None else start,
                -1 if end is None else end,
                words if isinstance(words, str) else None,
                record.place,
            )
    return votes.settle(reading)


def _entities_of(reading: Reading, value: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    if not isinstance(value, dict):
        return
    text = value.get(reading.options.text_key or "text")
    entities = value.get("entities")
    if isinstance(text, str) and isinstance(entities, list):
        for entity in entities:
            if isinstance(entity, dict):
                yield text, entity


def _vote(text: str, start: int, end: int, words: str | None) -> bool | None:
    """Whether this entity's end is inclusive; None when it does not tell."""
    if not 0 <= start <= end <= len(text):
        return None
    if words is not None:
        if end < len(text) and text[start : end + 1] == words:
            return True
        return False if start < end and text[start:end] == words else None
    # Without the string only the extremes speak: an exclusive end cannot be the start, an inclusive one not the length.
    if start == end:
        return True
    return False if end == len(text) else None
