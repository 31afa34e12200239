"""What the readings of a command left out, said as each ends, and the bad records they skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medner.store.corpora.bad import BadRecords

if TYPE_CHECKING:
    from medner.store.corpora.format import Reading

_MOST_KEYS = 12


def note_lines(reading: Reading) -> Iterator[str]:
    """What a reading met and left out, a line each; complete when the reading has ended."""
    for note, count in (+reading.notes).items():
        yield f"{count:,} {note}"
    dropped = +reading.dropped_keys
    if dropped:
        keys = [f"{key} ({count:,})" for key, count in dropped.most_common(_MOST_KEYS)]
        more = f" and {len(dropped) - _MOST_KEYS} more" if len(dropped) > _MOST_KEYS else ""
        yield f"values of keys that medner does not use (left out): {', '.join(keys)}{more}"


@dataclass(slots=True, eq=False)
class ReadLog:
    """Says what each file's reading left out, once a file; ``say`` None says nothing.

    ``bad`` takes the bad records of readings that have no place of their own for them; None: they are errors.
    """

    say: Callable[[str], None] | None = None
    bad: BadRecords | None = None
    _ended: set[Path] = field(default_factory=set)

    def take(self, reading: Reading) -> None:
        """Notes that a reading has ended."""
        if reading.path in self._ended:
            return
        self._ended.add(reading.path)
        if self.say is not None:
            for line in note_lines(reading):
                self.say(f"{reading.path}: {line}")
