"""Traces in any place that LangGraph has a saver for: PostgreSQL, Redis 8, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

from medner.core.errors import ExternalError, MednerError
from medner.store.traces.metadata import run_metadata, run_of, snapshot_metadata, summary_of
from medner.store.traces.records import RunRecord, Snapshot, Trace, TraceSummary, thread_of

RUN_SPACE = "run"


class SaverTraces:
    """The contract of a place for traces over LangGraph's, which is what savers share.

    Each snapshot is written by itself; lists read the states too. ``closing`` ends the saver's connection.
    """

    def __init__(self, saver: BaseCheckpointSaver[Any], place: str, closing: Callable[[], None] = lambda: None) -> None:
        self._saver = saver
        self._place = place
        self._closing = closing

    @property
    def place(self) -> str:
        """Where it is, without a password."""
        return self._place

    def begin(self, run: RunRecord) -> None:
        """Notes a run, as a thread of its own."""
        empty = {"v": 1, "id": RUN_SPACE, "ts": "", "channel_values": {}, "channel_versions": {}, "versions_seen": {}}
        self._put(run.run, RUN_SPACE, Snapshot(empty, {}), run_metadata(run))

    def write(self, traces: Sequence[Trace]) -> None:
        """Keeps the traces, snapshot by snapshot."""
        for trace in traces:
            for one in trace.snapshots:
                self._put(trace.id, "", one, snapshot_metadata(trace, one))

    def _put(self, thread: str, space: str, snapshot: Snapshot, metadata: dict[str, Any]) -> None:
        where = {"thread_id": thread, "checkpoint_ns": space, "checkpoint_id": snapshot.parent}
        checkpoint: Any = dict(snapshot.checkpoint)
        told: Any = metadata
        with _outside(self._place):
            self._saver.put({"configurable": where}, checkpoint, told, checkpoint["channel_versions"])

    def runs(self) -> list[RunRecord]:
        """The runs, the oldest first."""
        found = [one for one in self._list() if one.config["configurable"].get("checkpoint_ns") == RUN_SPACE]
        records = [run_of(dict(one.metadata)) for one in found]
        return sorted(records, key=lambda run: (run.created, run.run))

    def newest(self, limit: int, before: tuple[datetime, str] | None = None) -> list[RunRecord]:
        """Out of all runs."""
        found = [run for run in reversed(self.runs()) if before is None or (run.created, run.run) < before]
        return found[:limit]

    def forks(self, run: str) -> list[str]:
        """Out of all runs."""
        return [one.run for one in self.runs() if one.parent == run]

    def find(self, run: str) -> RunRecord | None:
        """The run of a name."""
        where: Any = {"configurable": {"thread_id": run, "checkpoint_ns": RUN_SPACE}}
        with _outside(self._place):
            found = self._saver.get_tuple(where)
        return None if found is None else run_of(dict(found.metadata))

    def count(self, run: str) -> int:
        """How many traces the run has."""
        return len({one.config["configurable"]["thread_id"] for one in self._sentences(run)})

    def summaries(self, run: str) -> Iterator[TraceSummary]:
        """Out of the last snapshot of each trace, in the order the traces began."""
        last: dict[str, CheckpointTuple] = {}
        for one in sorted(self._sentences(run), key=lambda one: one.checkpoint["id"]):
            last[one.config["configurable"]["thread_id"]] = one
        for one in last.values():
            yield summary_of(dict(one.metadata))

    def trace(self, run: str, sentence_id: str) -> Trace | None:
        """The trace with all its snapshots."""
        where = {"configurable": {"thread_id": thread_of(run, sentence_id), "checkpoint_ns": ""}}
        with _outside(self._place):
            found = sorted(self._saver.list(where), key=lambda one: one.checkpoint["id"])  # type: ignore[arg-type]
        if not found:
            return None
        parents = [None if one.parent_config is None else one.parent_config["configurable"] for one in found]
        snapshots = tuple(
            Snapshot(dict(one.checkpoint), dict(one.metadata), None if parent is None else parent["checkpoint_id"])
            for one, parent in zip(found, parents, strict=True)
        )
        return Trace(run, sentence_id, snapshots)

    def remove(self, run: str) -> int:
        """Removes the run's threads; when their bytes are gone from the disk, the server's own rules say."""
        threads = {one.config["configurable"]["thread_id"] for one in self._sentences(run)}
        with _outside(self._place):
            for thread in sorted({*threads, run}):
                self._saver.delete_thread(thread)
        return len(threads)

    def close(self) -> None:
        """Ends the saver's connection."""
        self._closing()

    def _sentences(self, run: str) -> list[CheckpointTuple]:
        return [one for one in self._list({"run": run}) if one.config["configurable"].get("checkpoint_ns") != RUN_SPACE]

    def _list(self, wanted: dict[str, Any] | None = None) -> list[CheckpointTuple]:
        with _outside(self._place):
            return list(self._saver.list(None, filter=wanted))


class _outside:  # noqa: N801  reads as a phrase: with _outside(place)
    """Turns whatever a server's client raises into an ExternalError."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, MednerError):
            raise ExternalError(f"{self._place}: {type(error).__name__}: {error}") from error
