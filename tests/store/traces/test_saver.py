"""Any LangGraph saver can hold the traces; the contract is the same as the file's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from medner.store.errors import ExternalError, UserError
from medner.store.labels import load_label_set
from medner.store.traces import RunRecord, TraceBackend, TracePolicy, open_traces
from medner.store.traces.opening import without_password
from medner.store.traces.records import LabelSetRecord
from medner.store.traces.saver import SaverTraces
from medner.store.traces.serializer import RecordSerializer

LABELS = LabelSetRecord.of(load_label_set("cmeee-v2"))


@pytest.fixture(params=["sqlite", "saver"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TraceBackend]:
    """The same contract over a file and over a saver."""
    if request.param == "sqlite":
        opened = open_traces(tmp_path / "t.sqlite")
    else:
        opened = SaverTraces(InMemorySaver(serde=RecordSerializer(packed=False)), "memory")
    yield opened
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
