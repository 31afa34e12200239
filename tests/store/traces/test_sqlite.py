"""Traces in SQLite: several writers at once, nothing half written, and what is removed is gone."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from medner.core.errors import ExternalError, UserError
from medner.core.labels import load_label_set
from medner.store.traces import RunRecord, TraceBackend, TracePolicy, TraceWriter, open_traces, sqlite
from medner.store.traces.records import LabelSetRecord
from medner.store.traces.serializer import RecordSerializer

LABELS = LabelSetRecord.of(load_label_set("cmeee-v2"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "traces.sqlite"


@pytest.fixture
def backend(place: Path) -> Any:
    opened = open_traces(place)
    yield opened
    opened.close()


def test_what_is_written_is_read(backend: TraceBackend, make_trace: Any) -> None:
    """Runs, summaries in the order they began, whole traces."""
    backend.begin(RunRecord(run="run", labels=LABELS))
    first, second = make_trace(sentence_id="b#0"), make_trace(sentence_id="a#0")
    backend.write([second, first])
    assert [run.run for run in backend.runs()] == ["run"]
    assert backend.count("run") == 2
    assert [one.sentence_id for one in backend.summaries("run")] == ["b#0", "a#0"]
    assert next(backend.summaries("run")).kinds == ("overlap_same_type",)
    read = backend.trace("run", "a#0")
    assert read is not None
    assert read.annotation == second.annotation
    assert [one.checkpoint for one in read.snapshots] == [one.checkpoint for one in second.snapshots]
    assert backend.trace("run", "c#0") is None


def test_langgraphs_own_saver_reads_the_file(backend: TraceBackend, place: Path, make_trace: Any) -> None:
    """The file is LangGraph's form: its saver finds the checkpoints and their parents."""
    trace = make_trace()
    backend.write([trace])
    saver = SqliteSaver(sqlite3.connect(place, check_same_thread=False), serde=RecordSerializer())
    found = saver.get_tuple({"configurable": {"thread_id": "run/note#0"}})
    assert found is not None
    assert found.checkpoint["channel_values"]["annotation"] == trace.annotation
    assert [one.metadata["step"] for one in saver.list(None, filter={"run": "run"})] == [5, 2]


def test_only_the_owner_may_read_the_file(backend: TraceBackend, place: Path) -> None:
    """It holds patients' text."""
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def _bytes_beside(place: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(place.parent.iterdir()))


def test_a_removed_trace_leaves_no_byte(backend: TraceBackend, place: Path, make_trace: Any) -> None:
    """Neither in the file nor in its log: the very bytes of the states are searched for."""
    kept = make_trace(run="other")
    backend.begin(RunRecord(run="run", labels=LABELS))
    backend.write([make_trace(sentence_id=f"n#{number}") for number in range(40)])
    backend.write([kept])
    with sqlite3.connect(place) as reading:
        query = "SELECT checkpoint FROM checkpoints WHERE thread_id LIKE ?"
        blobs = [row[0] for row in reading.execute(query, ("run/%",))]
        staying = [row[0] for row in reading.execute(query, ("other/%",))]
    reading.close()
    # The same sentence stays in another run: what its states share with the removed ones says nothing.
    pieces = [blob[at : at + 64] for blob in blobs for at in (0, len(blob) // 2)]
    pieces = [piece for piece in pieces if not any(piece in other for other in staying)]
    assert len(pieces) > 40
    assert len(blobs) == 80
    before = _bytes_beside(place)
    assert all(piece in before for piece in pieces)
    assert backend.remove("run") == 40
    after = _bytes_beside(place)
    assert not any(piece in after for piece in pieces)
    assert backend.count("run") == 0
    assert backend.runs() == []
    assert backend.trace("other", "note#0") is not None


def test_a_reader_in_the_way_is_told_of(place: Path, make_trace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process reads, old bytes may stay in the log: removing says so, and works afterwards."""
    monkeypatch.setattr(sqlite, "_BUSY_S", 0.1)
    backend = open_traces(place)
    backend.write([make_trace()])
    reading = sqlite3.connect(place, isolation_level=None)
    reading.execute("BEGIN")
    reading.execute("SELECT COUNT(*) FROM checkpoints").fetchone()
    with pytest.raises(ExternalError, match="another process is reading"):
        backend.remove("run")
    reading.execute("COMMIT")
    reading.close()
    assert backend.remove("run") == 0
    assert backend.count("run") == 0
    backend.close()


_WRITE = """
import sys
from medner.store.traces import Snapshot, Trace, open_traces
place, name = sys.argv[1:]
backend = open_traces(place)
for number in range(60):
    state = {"v": 1, "id": f"{number:03}", "ts": "", "channel_values": {}, "channel_versions": {}, "versions_seen": {}}
    backend.write([Trace("run", f"{name}#{number}", (Snapshot(state, {}),))])
backend.close()
"""


def test_processes_write_at_once(place: Path) -> None:
    """Four processes that write the same file at the same time lose nothing and see no lock."""
    command = [sys.executable, "-c", _WRITE, str(place)]
    running = [subprocess.Popen([*command, name], stderr=subprocess.PIPE) for name in "abcd"]  # noqa: S603
    for process in running:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error.decode()
    backend = open_traces(place)
    assert backend.count("run") == 240
    backend.close()


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A file that is no database is told of, and left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("一份很长的病历。" * 200, encoding="utf-8")
    with pytest.raises(UserError, match="is no file of traces"):
        open_traces(path)
    assert path.read_text(encoding="utf-8").startswith("一份")


def test_a_missing_file_is_not_made_by_reading(tmp_path: Path) -> None:
    """A misspelt name is an error, not an empty list."""
    with pytest.raises(UserError, match="no traces are there"):
        open_traces(tmp_path / "x.sqlite", must_exist=True)
    assert list(tmp_path.iterdir()) == []


def test_the_default_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """MEDNER_TRACES, else a file in MEDNER_HOME."""
    monkeypatch.setenv("MEDNER_HOME", str(tmp_path))
    monkeypatch.delenv("MEDNER_TRACES", raising=False)
    opened = open_traces()
    assert opened.place == str(tmp_path / "traces.sqlite")
    opened.close()
    monkeypatch.setenv("MEDNER_TRACES", str(tmp_path / "named.sqlite"))
    opened = open_traces()
    assert Path(opened.place).name == "named.sqlite"
    opened.close()


def test_the_writer_counts_what_it_cannot_write(backend: TraceBackend, make_trace: Any) -> None:
    """A state that is not made of records is lost alone; what was put before and after it is there."""
    good = [make_trace(sentence_id=f"n#{number}") for number in range(3)]
    bad = make_trace(sentence_id="bad")
    bad.snapshots[0].checkpoint["channel_values"]["sentence"] = object()
    writer = TraceWriter(backend)
    for trace in (good[0], bad, *good[1:]):
        writer.put(trace)
    writer.flush()
    assert (writer.written, writer.lost) == (3, 1)
    assert "not JSON serializable" in writer.first_problem
    writer.close()
    assert backend.count("run") == 3


def test_metadata_holds_no_text(backend: TraceBackend, place: Path, make_trace: Any) -> None:
    """What stands beside a state, and may be indexed or logged, holds ids and counts alone."""
    trace = make_trace(policy=TracePolicy.ALL)
    backend.write([trace])
    with sqlite3.connect(place) as reading:
        rows = [json.loads(row[0]) for row in reading.execute("SELECT metadata FROM checkpoints")]
    reading.close()
    assert len(rows) == 7
    assert trace.annotation.sentence.text[:4] not in json.dumps(rows, ensure_ascii=False)
    assert os.path.getsize(place) > 0
