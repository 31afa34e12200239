"""Records the traces of a run: the one place where a run, whatever starts it, and the store of traces meet."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from medner.graph.tracing import Tracer
from medner.service.config.configuration import Configuration
from medner.store.traces import RunRecord, TraceBackend, TracePolicy, TraceWriter, default_place, open_traces
from medner.store.traces.records import LabelSetRecord, now


@dataclass(frozen=True, slots=True)
class TraceOrder:
    """Which traces are kept, where (None: the default place), and for how many days (None: until removed)."""

    policy: TracePolicy = TracePolicy.NONE
    place: str | None = None
    keep_days: int | None = None

    @property
    def file(self) -> Path | None:
        """The file that is named, None for a server or the default place."""
        return None if self.place is None or "://" in self.place else Path(self.place).expanduser()


@dataclass(slots=True)
class Recording:
    """A run whose traces are being kept: what the graph needs, and how it went."""

    run: RunRecord
    tracer: Tracer
    writer: TraceWriter = field(repr=False)
    place: str

    def flush(self) -> None:
        """Returns when the traces of all finished sentences are on disk."""
        self.writer.flush()

    def closing_lines(self) -> list[str]:
        """What the user should know at the end."""
        lines = [f"traces: {self.writer.written:,} sentences in {self.place}; medner traces list {self.run.run}"]
        if self.writer.lost:
            lines.append(f"traces: {self.writer.lost:,} could not be kept; the first: {self.writer.first_problem}")
        return lines


@contextmanager
def recording(order: TraceOrder, run: RunRecord) -> Iterator[Recording | None]:
    """The tracer of a run; None where nothing is to be kept. At the end all traces are written."""
    if order.policy is TracePolicy.NONE:
        yield None
        return
    backend = open_traces(order.place)
    try:
        remove_outdated(backend, now())
        backend.begin(run)
        writer = TraceWriter(backend)
        try:
            yield Recording(run, Tracer(run.run, order.policy, writer.put), writer, backend.place)
        finally:
            writer.close()
    finally:
        backend.close()


def remove_outdated(backend: TraceBackend, at: datetime) -> list[str]:
    """Removes the runs whose time is over; their names."""
    over = [run.run for run in backend.runs() if run.is_over(at)]
    for name in over:
        backend.remove(name)
    return over


def remove_traces_of(run: str) -> int:
    """Removes a run from the default place, where it has traces; how many they were."""
    place = default_place()
    if "://" not in place and not Path(place).expanduser().is_file():
        return 0
    backend = open_traces(place)
    try:
        return backend.remove(run)
    finally:
        backend.close()


def run_record(
    configuration: Configuration,
    order: TraceOrder,
    *,
    kind: str,
    fingerprint: str = "",
    name: str | None = None,
    parent: str | None = None,
) -> RunRecord:
    """The record of a run about to begin; ``name`` None makes one up."""
    data: dict[str, Any] = configuration.model_dump(mode="json")
    return RunRecord(
        run=name or new_name(kind),
        kind=kind,
        policy=order.policy,
        judge=configuration.described()["judge"],
        labels=LabelSetRecord.of(configuration.label_set),
        configuration=data,
        fingerprint=fingerprint,
        parent=parent,
        keep_days=order.keep_days,
    )


def new_name(kind: str) -> str:
    """A name for a run: its kind, the moment, and four digits that tell apart two of one second."""
    return f"{kind}-{now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
