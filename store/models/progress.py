"""What a pull says while it works: a stage, how far it is, and of how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class PullStage(StrEnum):
    """What a pull is doing."""

    WAITING = "waiting"
    DOWNLOADING = "downloading"
    COPYING = "copying"
    CHECKING = "checking"
    CONVERTING = "converting"
    REMARK = "remark"


@dataclass(frozen=True, slots=True)
class PullProgress:
    """A moment of a pull; ``done`` and ``total`` are bytes, ``total`` None when unknown."""

    stage: PullStage
    done: int = 0
    total: int | None = None
    detail: str = ""


Report = Callable[[PullProgress], None]


def silent(_: PullProgress) -> None:
    """A report that says nothing."""


class Meter:
    """Counts the bytes of one stage and reports each step."""

    def __init__(self, report: Report, stage: PullStage, *, total: int | None = None, detail: str = ""):
        self._report, self._stage, self._total, self._detail = report, stage, total, detail
        self._done = 0
        self.advance(0)

    def advance(self, count: int) -> None:
        """Adds ``count`` bytes; negative when a broken piece must be fetched again."""
        self._done += count
        self._report(PullProgress(self._stage, self._done, self._total, self._detail))
