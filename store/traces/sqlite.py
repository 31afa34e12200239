"""Traces in an SQLite file, which several processes may write at once."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver

from medner.core.errors import ExternalError, UserError
from medner.store.traces.metadata import run_metadata, run_of, snapshot_metadata, summary_of
from medner.store.traces.records import RunRecord, Snapshot, Trace, TraceSummary, thread_of
from medner.store.traces.serializer import RecordSerializer

#: How long a writer waits for another process's transaction.
_BUSY_S = 60.0
RUN_SPACE = "run"

# As LangGraph's own search writes it, so that its filters use the index too.
_RUN = "json_extract(CAST(metadata AS TEXT), '$.run')"
_CREATED = "json_extract(CAST(metadata AS TEXT), '$.record.created')"
_PARENT = "json_extract(CAST(metadata AS TEXT), '$.record.parent')"
_INDEXES = f"""
CREATE INDEX IF NOT EXISTS checkpoints_by_run ON checkpoints({_RUN});
CREATE INDEX IF NOT EXISTS checkpoints_of_runs ON checkpoints(thread_id) WHERE checkpoint_ns = '{RUN_SPACE}';
CREATE INDEX IF NOT EXISTS runs_by_time ON checkpoints({_CREATED}, thread_id) WHERE checkpoint_ns = '{RUN_SPACE}';
CREATE INDEX IF NOT EXISTS runs_by_parent ON checkpoints({_PARENT}) WHERE checkpoint_ns = '{RUN_SPACE}';
"""
_LAST_OF_EACH = f"""
SELECT metadata FROM
  (SELECT metadata, thread_id AS thread, MAX(checkpoint_id) FROM checkpoints
   WHERE {_RUN} = ? AND checkpoint_ns = '' GROUP BY thread_id)
ORDER BY (SELECT MIN(checkpoint_id) FROM checkpoints WHERE thread_id = thread AND checkpoint_ns = '')
"""  # noqa: S608  nothing of a user's is in it
_INSERT = (
    "INSERT OR REPLACE INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, "
    "checkpoint, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


class SqliteTraces:
    """A file that LangGraph's SqliteSaver reads; only its owner may read it.

    ``secure_delete`` overwrites what is removed, and the write-ahead log is emptied after it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        _make_private(path)
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False, timeout=_BUSY_S)
            self.saver = SqliteSaver(self._connection, serde=RecordSerializer())
            with self._lock:
                self._connection.execute("PRAGMA secure_delete = ON")
                self.saver.setup()
                # A crash of the process loses nothing; a power cut may lose the last traces, never the file.
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.executescript(_INDEXES)
        except sqlite3.DatabaseError as error:
            raise _unusable(path, error) from error

    @property
    def place(self) -> str:
        """The file."""
        return str(self._path)

    def begin(self, run: RunRecord) -> None:
        """Notes a run."""
        serde = self.saver.serde.dumps_typed({"id": RUN_SPACE})
        row = (run.run, RUN_SPACE, RUN_SPACE, None, *serde, _json(run_metadata(run)))
        with self._transaction() as cursor:
            cursor.execute(_INSERT, row)

    def write(self, traces: Sequence[Trace]) -> None:
        """Keeps the traces, in one transaction."""
        # Before the lock: other processes need not wait for the packing.
        rows = [row for trace in traces for row in self._rows(trace)]
        with self._transaction() as cursor:
            cursor.executemany(_INSERT, rows)

    def _rows(self, trace: Trace) -> Iterator[tuple[Any, ...]]:
        for one in trace.snapshots:
            data = self.saver.serde.dumps_typed(one.checkpoint)
            metadata = _json(snapshot_metadata(trace, one))
            yield trace.id, "", one.id, one.parent, *data, metadata

    def runs(self) -> list[RunRecord]:
        """The runs, the oldest first."""
        rows = self._select(f"SELECT metadata FROM checkpoints WHERE checkpoint_ns = '{RUN_SPACE}'")  # noqa: S608
        return sorted((run_of(json.loads(row[0])) for row in rows), key=lambda run: (run.created, run.run))

    def newest(self, limit: int, before: tuple[datetime, str] | None = None) -> list[RunRecord]:
        """By an index: what it costs does not grow with the number of runs."""
        behind = "" if before is None else f"AND ({_CREATED}, thread_id) < (?, ?)"
        # As pydantic writes a moment.
        place = () if before is None else (before[0].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), before[1])
        query = (
            f"SELECT metadata FROM checkpoints WHERE checkpoint_ns = '{RUN_SPACE}' {behind} "  # noqa: S608
            f"ORDER BY {_CREATED} DESC, thread_id DESC LIMIT ?"
        )
        return [run_of(json.loads(row[0])) for row in self._select(query, (*place, limit))]

    def forks(self, run: str) -> list[str]:
        """By an index."""
        query = (
            f"SELECT thread_id FROM checkpoints WHERE checkpoint_ns = '{RUN_SPACE}' AND {_PARENT} = ? "  # noqa: S608
            f"ORDER BY {_CREATED}, thread_id"
        )
        return [str(row[0]) for row in self._select(query, (run,))]

    def find(self, run: str) -> RunRecord | None:
        """The run of a name, without reading the others."""
        query = f"SELECT metadata FROM checkpoints WHERE checkpoint_ns = '{RUN_SPACE}' AND thread_id = ?"  # noqa: S608
        rows = self._select(query, (run,))
        return run_of(json.loads(rows[0][0])) if rows else None

    def count(self, run: str) -> int:
        """How many traces the run has."""
        query = f"SELECT COUNT(DISTINCT thread_id) FROM checkpoints WHERE {_RUN} = ? AND checkpoint_ns = ''"  # noqa: S608
        return int(self._select(query, (run,))[0][0])

    def summaries(self, run: str) -> Iterator[TraceSummary]:
        """Out of the last snapshot's metadata; no state is read."""
        for row in self._select(_LAST_OF_EACH, (run,)):
            yield summary_of(json.loads(row[0]))

    def trace(self, run: str, sentence_id: str) -> Trace | None:
        """The trace with all its snapshots."""
        query = (
            "SELECT type, checkpoint, metadata, parent_checkpoint_id FROM checkpoints "
            "WHERE thread_id = ? AND checkpoint_ns = '' ORDER BY checkpoint_id"
        )
        rows = self._select(query, (thread_of(run, sentence_id),))
        snapshots = tuple(
            Snapshot(self.saver.serde.loads_typed((form, data)), json.loads(metadata), parent)
            for form, data, metadata, parent in rows
        )
        return Trace(run, sentence_id, snapshots) if snapshots else None

    def remove(self, run: str) -> int:
        """Removes a run; its bytes are overwritten in the file and gone from the log.

        ExternalError when another process keeps reading, so that the log could not be emptied.
        """
        removed = self.count(run)
        with self._transaction() as cursor:
            cursor.execute(f"DELETE FROM checkpoints WHERE {_RUN} = ?", (run,))  # noqa: S608
        with self._lock:
            self._scrub()
        return removed

    def _scrub(self) -> None:
        """Empties the log and gives the room back."""
        busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise ExternalError(
                f"{self._path}: removed, but another process is reading, so old bytes may stand in its log until it "
                "ends; then remove once more"
            )
        self._connection.execute("VACUUM")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        with self._lock:
            try:
                # Taken at once: a transaction that begins by reading cannot wait for another writer.
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection.cursor()
                except BaseException:
                    self._connection.rollback()
                    raise
                self._connection.commit()
            except sqlite3.Error as error:
                raise _unusable(self._path, error) from error

    def _select(self, query: str, values: Iterable[Any] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(query, tuple(values)).fetchall()
            except sqlite3.Error as error:
                raise _unusable(self._path, error) from error


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _make_private(path: Path) -> None:
    """Makes the file for its owner's eyes alone, where it is not there yet."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def _unusable(path: Path, error: sqlite3.Error) -> UserError | ExternalError:
    if isinstance(error, sqlite3.OperationalError):
        return ExternalError(f"{path}: the traces cannot be read or written: {error}")
    return UserError(f"{path}: is no file of traces ({error}); name another one")
