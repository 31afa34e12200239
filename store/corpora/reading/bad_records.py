"""Records that could not be read, kept with their reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace

from medner.core.errors import BadInputError, Unit, shown_place


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A refused record: where it stood, why it was refused, and the record as it was (undecodable bytes as �).

    ``line`` counts what ``unit`` says, from 1.
    """

    path: str
    line: int | None
    key: str | None
    reason: str
    raw: str
    unit: Unit = "line"

    def to_line(self) -> str:
        """The record as a line of JSON, without the line's end."""
        fields = {self.unit if key == "line" else key: value for key, value in asdict(self).items() if key != "unit"}
        return json.dumps(fields, ensure_ascii=False)

    def __str__(self) -> str:
        return f"{shown_place(self.path, self.line, self.unit, self.key)}: {self.reason}"


@dataclass(slots=True)
class BadRecords:
    """The bad records of one or more files, in the order they were met."""

    records: list[BadRecord] = field(default_factory=list)

    def taken(self) -> list[BadRecord]:
        """The records so far, which are forgotten here."""
        records, self.records = self.records, []
        return records

    def take(self, other: BadRecords, name: Callable[[str], str]) -> None:
        """Moves the other's records here without what they hold, their files under the names messages call them."""
        self.records += [replace(record, path=name(record.path), raw="") for record in other.records]
        other.records.clear()

    def add(self, error: BadInputError, raw: str) -> None:
        """Keeps a record with the error it raised."""
        readable = raw.encode("utf-8", "surrogateescape" if _only_escapes(raw) else "replace").decode(
            "utf-8", "replace"
        )
        self.records.append(BadRecord(error.path or "input", error.line, error.key, error.reason, readable, error.unit))

    def __len__(self) -> int:
        return len(self.records)

    def __contains__(self, record: object) -> bool:
        return record in self.records

    def __iter__(self) -> Iterator[BadRecord]:
        return iter(self.records)


def _only_escapes(raw: str) -> bool:
    return all("\udc80" <= char <= "\udcff" for char in raw if "\ud800" <= char <= "\udfff")
