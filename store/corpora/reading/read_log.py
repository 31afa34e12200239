"""What the readings of a command left out, printed as each ends, and the bad records they skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medner.core.files.paths import readable_path
from medner.store.corpora.reading.bad_records import BadRecords

if TYPE_CHECKING:
    from medner.store.corpora.reading.format import Reading

_MOST_KEYS = 12


def note_lines(reading: Reading, *, provenance: bool = False) -> Iterator[str]:
    """What a reading met and left out, a line each; complete when the reading has ended.

    ``provenance``: whether to name what medner itself writes about where entities come from, which only matters where
    the file is written again.
    """
    for note, count in (+reading.notes).items():
        yield f"{count:,} {note}{_rows(reading.noted_rows.get(note, []), count)}"
    dropped = +reading.dropped_keys
    if provenance and reading.provenance:
        yield f"medner's record of how the entities came about is left out: {_listed(reading.provenance)}"
    if dropped:
        yield f"values of keys that medner does not use (left out): {_listed(dropped)}"


def _rows(rows: list[int], count: int) -> str:
    """The first rows that a note is about, in words."""
    if not rows:
        return ""
    return f": {'row' if count == 1 else 'rows'} {', '.join(map(str, rows))}{' ...' if count > len(rows) else ''}"


def _listed(keys: Counter[str]) -> str:
    shown = [f"{key} ({count:,})" for key, count in keys.most_common(_MOST_KEYS)]
    return ", ".join(shown) + (f" and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else "")


@dataclass(slots=True, eq=False)
class ReadLog:
    """Says what each file's reading left out, once a file; ``say`` None says nothing.

    ``names`` are what messages call files that have another path. ``provenance``: see :func:`note_lines`. ``bad`` takes
    the bad records of readings that have no place of their own for them; None: they are errors.
    """

    say: Callable[[str], None] | None = None
    bad: BadRecords | None = None
    provenance: bool = False
    names: dict[Path, str] = field(default_factory=dict)
    _ended: set[Path] = field(default_factory=set)
    _begun: set[Path] = field(default_factory=set)

    def tell(self, reading: Reading, line: str) -> None:
        """Says how a file is read."""
        if self.say is not None and reading.path not in self._begun:
            self._begun.add(reading.path)
            self.say(f"{self._name(reading)}: {line}")

    def _name(self, reading: Reading) -> str:
        return self.names.get(reading.path) or readable_path(reading.path)

    def take(self, reading: Reading) -> None:
        """Notes that a reading has ended."""
        if reading.path in self._ended:
            return
        self._ended.add(reading.path)
        if self.say is not None:
            for line in note_lines(reading, provenance=self.provenance):
                self.say(f"{self._name(reading)}: {line}")
