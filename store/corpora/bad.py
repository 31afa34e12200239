"""Records that could not be read, kept with their reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from medner.store.errors import BadInputError


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A refused record: where it stood, why it was refused, and the record as it was (undecodable bytes as �)."""

    path: str
    line: int | None
    key: str | None
    reason: str
    raw: str

    def to_line(self) -> str:
        """The record as a line of JSON, without the line's end."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def __str__(self) -> str:
        place = self.path + (f":{self.line}" if self.line is not None else "") + (f" [{self.key}]" if self.key else "")
        return f"{place}: {self.reason}"


@dataclass(slots=True)
class BadRecords:
    """The bad records of one or more files, in the order they were met."""

    records: list[BadRecord] = field(default_factory=list)

    def add(self, error: BadInputError, raw: str) -> None:
        """Keeps a record with the error it raised."""
        readable = raw.encode("utf-8", "surrogateescape" if _only_escapes(raw) else "replace").decode(
            "utf-8", "replace"
        )
        self.records.append(BadRecord(error.path or "input", error.line, error.key, error.reason, readable))

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[BadRecord]:
        return iter(self.records)


def _only_escapes(raw: str) -> bool:
    return all("\udc80" <= char <= "\udcff" for char in raw if "\ud800" <= char <= "\udfff")
