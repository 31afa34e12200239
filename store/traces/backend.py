"""The contract of a place for traces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from medner.store.traces.records import RunRecord, Trace, TraceSummary


class TraceBackend(Protocol):
    """Keeps runs and their traces. Safe to call from any thread. Raises ExternalError when it cannot be reached."""

    @property
    def place(self) -> str:
        """Where it is, for messages; without a password."""
        ...

    def begin(self, run: RunRecord) -> None:
        """Notes a run; one of the same name is written over."""
        ...

    def write(self, traces: Sequence[Trace]) -> None:
        """Keeps all of the traces or none; a trace's snapshots are added to those it has."""
        ...

    def runs(self) -> list[RunRecord]:
        """The runs, the oldest first."""
        ...

    def newest(self, limit: int, before: tuple[datetime, str] | None = None) -> list[RunRecord]:
        """The newest runs, the newest first; ``before``: those that come behind a run of this moment and name."""
        ...

    def forks(self, run: str) -> list[str]:
        """The names of the runs that were made of a run."""
        ...

    def find(self, run: str) -> RunRecord | None:
        """The run of a name; None when there is none."""
        ...

    def count(self, run: str) -> int:
        """How many traces a run has."""
        ...

    def summaries(self, run: str) -> Iterator[TraceSummary]:
        """What is to be said of each trace of a run, in the order they began."""
        ...

    def trace(self, run: str, sentence_id: str) -> Trace | None:
        """A trace whole; None when there is none."""
        ...

    def remove(self, run: str) -> int:
        """Removes a run and its traces so that nothing of them can be read back from the place; how many they were."""
        ...

    def close(self) -> None:
        """Ends the use of the place."""
        ...
