"""What a check found: a fact, how bad it is, and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is. With a warning things run, but perhaps not as meant; with an error they do not."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked thing. ``subject`` is what was looked at, ``remedy`` the way out, "" where none is needed."""

    level: Level
    subject: str
    what: str
    remedy: str = ""

    def line(self) -> str:
        """The finding as one line."""
        return f"{self.subject}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")


def errors_among(findings: Iterable[Finding]) -> list[Finding]:
    """The findings with which things do not run."""
    return [finding for finding in findings if finding.level is Level.ERROR]
