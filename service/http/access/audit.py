"""The audit log: who submitted, swapped, overruled, deleted; never a text of a note.

One JSON object a line, appended and never rewritten, in a file that only its owner may read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from medner.core.errors import ExternalError
from medner.core.files.data_folder import data_folder
from medner.service.http.messages.audit import AuditEntry

_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, the newest first; ``next`` is the place in the file before the last of them, None at its beginning."""

    entries: tuple[AuditEntry, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The file."""

    path: Path

    def append(self, entry: AuditEntry) -> None:
        """Adds an entry. ExternalError where the disk refuses."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                # One write: lines of several processes do not mix.
                os.write(descriptor, entry.model_dump_json().encode() + b"\n")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ExternalError(f"{self.path}: the audit log cannot be written: {error.strerror}") from error

    def page(self, limit: int, before: int | None = None) -> AuditPage:
        """The newest entries that end before a place in the file. A line that is no entry is left out."""
        found: list[AuditEntry] = []
        place: int | None = None
        for begin, line in self._backwards(before):
            if len(found) == limit:
                return AuditPage(tuple(found), place)
            try:
                found.append(AuditEntry.model_validate_json(line))
            except ValidationError:
                continue
            place = begin
        return AuditPage(tuple(found), None)

    def _backwards(self, before: int | None) -> Iterator[tuple[int, bytes]]:
        """The lines from the end on, each with the place where it begins."""
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                at = end if before is None else min(before, end)
                rest = b""
                while at > 0:
                    begin = max(0, at - _BLOCK)
                    file.seek(begin)
                    block = file.read(at - begin) + rest
                    first, *lines = block.split(b"\n")
                    place = begin + len(block)
                    for line in reversed(lines):
                        place -= len(line)
                        if line:
                            yield place, line
                        place -= 1
                    rest, at = first, begin
                if rest:
                    yield 0, rest
        except FileNotFoundError:
            return
        except OSError as error:
            raise ExternalError(f"{self.path}: the audit log cannot be read: {error.strerror}") from error


def audit_log() -> AuditLog:
    """``audit.jsonl`` in the data folder."""
    return AuditLog(data_folder() / "audit.jsonl")


def without_names(sentence: str) -> str:
    """A sentence as the audit log names it: its id may be a file's name, and so a patient's."""
    return hashlib.sha256(sentence.encode("utf-8", "surrogatepass")).hexdigest()[:12]
