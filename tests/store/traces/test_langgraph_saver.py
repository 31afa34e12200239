"""Any LangGraph saver can hold the traces; the contract is the same as the file's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from medner.core.errors import ExternalError, UserError
from medner.core.labels import load_label_set
from medner.store.traces import RunRecord, TraceBackend, TracePolicy, open_traces
from medner.store.traces.langgraph_saver import SaverTraces
from medner.store.traces.opening import without_password
from medner.store.traces.records import LabelSetRecord
from medner.store.traces.serializer import RecordSerializer
from tests.store.traces.postgres import running_postgres

LABELS = LabelSetRecord.of(load_label_set("cmeee-v2"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a real server."""
    pytest.importorskip("langgraph.checkpoint.postgres")
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "saver", "postgres"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TraceBackend]:
    """The same contract over a file, over a saver, and over a real PostgreSQL."""
    if request.param == "sqlite":
        opened = open_traces(tmp_path / "t.sqlite")
    elif request.param == "postgres":
        opened = open_traces(request.getfixturevalue("postgres"))
    else:
        opened = SaverTraces(InMemorySaver(serde=RecordSerializer(packed=False)), "memory")
    yield opened
    for run in opened.runs():
        opened.remove(run.run)
    opened.close()


def test_backends_are_alike(backend: TraceBackend, make_trace: Any) -> None:
    """Runs, counts, summaries, traces, removal."""
    for name in ("one", "two"):
        backend.begin(RunRecord(run=name, labels=LABELS, judge=name))
        backend.write([make_trace(name, "n#0", TracePolicy.ALL), make_trace(name, "n#1")])
    assert sorted(run.run for run in backend.runs()) == ["one", "two"]
    assert backend.count("one") == 2
    assert [one.sentence_id for one in backend.summaries("one")] == ["n#0", "n#1"]
    trace = backend.trace("one", "n#0")
    assert trace is not None
    assert [one.next_node for one in trace.snapshots[-4:]] == ["detect_conflicts", "judge", "merge", None]
    assert trace.annotation.sentence.id == "n#0"
    assert trace.before("detect_conflicts") is not None
    assert backend.remove("one") == 2
    assert (backend.count("one"), backend.count("two")) == (0, 2)
    assert [run.run for run in backend.runs()] == ["two"]


def test_backends_find_runs_alike(backend: TraceBackend) -> None:
    """By name, by origin, and the newest first, page by page."""
    begun = [
        RunRecord(run=name, labels=LABELS, created=datetime(2026, 1, day, tzinfo=UTC), parent=parent)
        for name, day, parent in (("a", 1, None), ("b", 2, "a"), ("c", 2, "a"), ("d", 3, "b"))
    ]
    for run in begun:
        backend.begin(run)
    assert (backend.find("c"), backend.find("e")) == (begun[2], None)
    assert (backend.forks("a"), backend.forks("c")) == (["b", "c"], [])
    assert [run.run for run in backend.newest(10)] == ["d", "c", "b", "a"]
    assert [run.run for run in backend.newest(2, (begun[2].created, "c"))] == ["b", "a"]
    assert [run.run for run in backend.newest(1)] == ["d"]


def test_a_trace_comes_back_as_it_was_written(backend: TraceBackend, make_trace: Any) -> None:
    """Everything in it: snapshots, verdicts, Chinese text."""
    written = make_trace("whole", "n#0", TracePolicy.ALL)
    backend.begin(RunRecord(run="whole", labels=LABELS, judge="whole"))
    backend.write([written])
    read = backend.trace("whole", "n#0")
    assert read is not None
    assert read.annotation == written.annotation
    assert [one.values for one in read.snapshots] == [one.values for one in written.snapshots]


def test_patient_text_is_gone_from_postgres_after_removal(postgres: str, make_trace: Any) -> None:
    """No table holds a word of it any more."""
    from psycopg import Connection

    backend = open_traces(postgres)
    backend.begin(RunRecord(run="gone", labels=LABELS, judge="gone"))
    backend.write([make_trace("gone", "n#0", TracePolicy.ALL)])

    def holds(word: str) -> bool:
        with Connection.connect(postgres) as connection:
            tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
            rows = [row for (name,) in tables for row in connection.execute(f'select t::text from "{name}" t')]  # noqa: S608
        # Text stands in the tables as JSON or, in a column of bytes, as their hexadecimal digits.
        return any(word in row[0] or word.encode().hex() in row[0] for row in rows)

    try:
        assert holds("胸痛")
        assert backend.remove("gone") == 1
        assert not holds("胸痛")
    finally:
        backend.close()


def test_workers_may_open_an_empty_postgres_at_once() -> None:
    """Only one of them makes the tables; the saver's own statements would fail for the others."""
    pytest.importorskip("langgraph.checkpoint.postgres")
    with running_postgres() as url, ThreadPoolExecutor(6) as pool:
        for opened in pool.map(lambda _: open_traces(url), range(6)):
            opened.close()


def test_a_servers_trouble_is_an_external_error() -> None:
    """Whatever a client raises becomes one kind of error, with the place and without the password."""

    class Down(InMemorySaver):
        def list(self, *args: Any, **kwargs: Any) -> Any:
            raise OSError("connection refused")

    with pytest.raises(ExternalError, match=r"db\.example: OSError: connection refused"):
        SaverTraces(Down(), "db.example").runs()


def test_a_url_is_shown_without_its_password() -> None:
    """Messages and pages may be read by others."""
    assert without_password("postgresql://user:secret@db:5432/medner") == "postgresql://db:5432/medner"


def test_an_unknown_scheme_is_refused() -> None:
    """With what there is."""
    with pytest.raises(UserError, match="a file, postgresql:// or redis://"):
        open_traces("mysql://db/traces")
