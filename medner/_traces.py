"""Traces of runs: every step of a sentence, and the same conflicts before another judge."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from medner._documents import Document, RunFacts, from_annotated
from medner._twins import ClosedByBlock, SynchronousTwin
from medner.core.errors import UserError

if TYPE_CHECKING:
    from medner.agents.engines.engine import Engine
    from medner.store.traces import RunRecord, TraceBackend


@dataclass(frozen=True, slots=True)
class TraceRun:
    """A run whose traces are kept. ``parent`` is the run that a fork was made of."""

    name: str
    kind: str
    judge: str
    labels: str
    created: datetime
    traces: int
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class SentenceTrace:
    """A sentence in a list of traces: ``name`` (RUN/SENTENCE) shows it."""

    name: str
    conflicts: int
    kinds: tuple[str, ...]
    judges: tuple[str, ...]
    overruled: int


@dataclass(frozen=True, slots=True)
class TraceDifference:
    """What differs between two runs over the same sentences. ``changed`` are sentences with another result."""

    sentences: int
    conflicts: int
    changed_conflicts: int
    changed: tuple[str, ...]


_Runs = list[TraceRun]
_Sentences = list[SentenceTrace]
_Documents = list[Document]


class AsyncTraces(ClosedByBlock):
    """The traces of a place: use it with ``async with``. ``place`` None: ``MEDNER_TRACES``, else the data folder's.

    A run is named by its name, the beginning of it, or ``"last"``; a trace by RUN/SENTENCE or RUN/1. `medner annotate
    --trace conflicts` and jobs write traces.
    """

    def __init__(self, place: str | os.PathLike[str] | None = None, *, engine: Engine | None = None) -> None:
        self._place = None if place is None else os.fspath(place)
        self._engine = engine
        self._open: TraceBackend | None = None

    async def __aenter__(self) -> Self:
        from medner.store.traces import open_traces

        self._open = await asyncio.to_thread(open_traces, self._place, must_exist=True)
        return self

    async def close(self) -> None:
        """Ends the use of the place."""
        backend, self._open = self._open, None
        if backend is not None:
            await asyncio.to_thread(backend.close)

    async def runs(self) -> _Runs:
        """The runs, the oldest first."""
        return await asyncio.to_thread(self._runs)

    async def list(self, run: str = "last") -> _Sentences:
        """The traces of a run, in the order they began."""
        return await asyncio.to_thread(self._sentences, run)

    async def show(self, trace: str = "last/1") -> Document:
        """A sentence with its conflicts, as a document of its own."""
        return await asyncio.to_thread(self._show, trace)

    async def export(self, run: str = "last") -> _Documents:
        """The sentences of a run, people's decisions included, each as a document of its own."""
        return await asyncio.to_thread(self._export, run)

    async def fork(
        self, run: str, judge: str | Mapping[str, Any], *, sample: int | None = None, seed: int = 0
    ) -> TraceRun:
        """Settles the conflicts of a run again with another judge, as a run of its own. No tagger is called."""
        from medner.service.build.trace_recording import TraceOrder, recording, run_record
        from medner.service.config.judges import read_judge
        from medner.service.traces.forking import Forking, chosen_traces, configuration_of, fork_deps, with_judge
        from medner.service.traces.naming import run_named
        from medner.store.traces import TracePolicy

        backend, engine = self._backend, self._engine
        source = await asyncio.to_thread(run_named, backend, run)
        chosen = await asyncio.to_thread(chosen_traces, backend, source, sample=sample, seed=seed)
        if not chosen:
            raise UserError(f"{run}: no trace with a conflict is there, so there is nothing to settle again")
        table = read_judge(judge) if isinstance(judge, str) else dict(judge)
        configuration = with_judge(configuration_of(source), table)
        order = TraceOrder(TracePolicy.CONFLICTS, self._place or backend.place)
        record = run_record(configuration, order, kind="fork", parent=source.run)
        record = record.model_copy(update={"labels": source.labels})
        with recording(order, record) as recorded:
            assert recorded is not None  # noqa: S101  the policy is not none
            factory = None if engine is None else lambda _: engine
            async with fork_deps(source, configuration, engine_factory=factory) as deps:
                await Forking(backend, source, recorded.tracer, deps, configuration.concurrency).run(chosen)
        return await asyncio.to_thread(self._run_of, record)

    async def diff(self, a: str, b: str) -> TraceDifference:
        """What differs between two runs over the same sentences, a run and its fork as a rule."""
        return await asyncio.to_thread(self._diff, a, b)

    async def agreement(self, run: str = "last", *, most: int = 20) -> dict[str, Any]:
        """How far the taggers agree and whose candidates are kept, as `medner traces agreement --json` prints it."""
        return await asyncio.to_thread(self._agreement, run, most)

    async def overrule(self, trace: str, conflict: str, keep: Sequence[int], *, by: str, why: str) -> Document:
        """Puts a person's decision in a verdict's place: the numbers of the candidates that stay, from 1."""
        from medner.service.traces.naming import trace_named
        from medner.service.traces.overruling import Ruling
        from medner.service.traces.overruling import overrule as decide

        run, found = await asyncio.to_thread(trace_named, self._backend, trace)
        await decide(self._backend, run, found, Ruling(conflict, tuple(keep), by, why))
        return await self.show(trace)

    async def remove(self, run: str) -> int:
        """Removes a run and its traces for good; gives how many they were."""
        from medner.service.traces.naming import run_named

        found = await asyncio.to_thread(run_named, self._backend, run)
        return await asyncio.to_thread(self._backend.remove, found.run)

    @property
    def _backend(self) -> TraceBackend:
        if self._open is None:
            raise UserError("the traces are not open: use them in a with block")
        return self._open

    def _runs(self) -> _Runs:
        return [self._run_of(run) for run in self._backend.runs()]

    def _run_of(self, run: RunRecord) -> TraceRun:
        count = self._backend.count(run.run)
        return TraceRun(run.run, run.kind, run.judge, run.labels.name, run.created, count, run.parent)

    def _sentences(self, name: str) -> _Sentences:
        from medner.service.traces.naming import run_named

        run = run_named(self._backend, name).run
        return [
            SentenceTrace(f"{run}/{one.sentence_id}", one.conflicts, one.kinds, one.judges, one.overruled)
            for one in self._backend.summaries(run)
        ]

    def _show(self, name: str) -> Document:
        from medner.service.traces.exporting import sentence_documents
        from medner.service.traces.naming import trace_named

        run, trace = trace_named(self._backend, name)
        (document,) = sentence_documents([trace.annotation])
        return from_annotated(document, RunFacts(run.labels.label_set()))

    def _export(self, name: str) -> _Documents:
        from medner.service.traces.differences import annotations_of
        from medner.service.traces.exporting import sentence_documents
        from medner.service.traces.naming import run_named

        run = run_named(self._backend, name)
        facts = RunFacts(run.labels.label_set())
        return [from_annotated(one, facts) for one in sentence_documents(annotations_of(self._backend, run.run))]

    def _diff(self, a: str, b: str) -> TraceDifference:
        from medner.service.traces.differences import compared
        from medner.service.traces.naming import run_named

        left, right = run_named(self._backend, a), run_named(self._backend, b)
        if left.run == right.run:
            raise UserError(f"{a} and {b} are the same run, {left.run}; name the run and its fork")
        found = compared(self._backend, left.run, right.run).differences
        changed = tuple(one.sentence_id for one in found.changes)
        return TraceDifference(found.sentences, found.conflicts, found.changed_conflicts, changed)

    def _agreement(self, name: str, most: int) -> dict[str, Any]:
        from medner.evaluation.measures.disputes import disputes_in
        from medner.service.traces.differences import annotations_of
        from medner.service.traces.naming import run_named

        found = list(annotations_of(self._backend, run_named(self._backend, name).run))
        return dict(disputes_in(found).as_data(most=most))


class Traces(SynchronousTwin[AsyncTraces]):
    """The synchronous twin of :class:`AsyncTraces`: use it with ``with``, or close it."""

    def __init__(self, place: str | os.PathLike[str] | None = None, *, engine: Engine | None = None) -> None:
        super().__init__(AsyncTraces(place, engine=engine), "medner-traces")

    def runs(self) -> _Runs:
        """The runs, the oldest first."""
        return self._loop.run(self._async.runs())

    def list(self, run: str = "last") -> _Sentences:
        """The traces of a run, in the order they began."""
        return self._loop.run(self._async.list(run))

    def show(self, trace: str = "last/1") -> Document:
        """A sentence with its conflicts, as a document of its own."""
        return self._loop.run(self._async.show(trace))

    def export(self, run: str = "last") -> _Documents:
        """The sentences of a run, people's decisions included, each as a document of its own."""
        return self._loop.run(self._async.export(run))

    def fork(self, run: str, judge: str | Mapping[str, Any], *, sample: int | None = None, seed: int = 0) -> TraceRun:
        """Settles the conflicts of a run again with another judge: :meth:`AsyncTraces.fork`."""
        return self._loop.run(self._async.fork(run, judge, sample=sample, seed=seed))

    def diff(self, a: str, b: str) -> TraceDifference:
        """What differs between two runs over the same sentences, a run and its fork as a rule."""
        return self._loop.run(self._async.diff(a, b))

    def agreement(self, run: str = "last", *, most: int = 20) -> dict[str, Any]:
        """How far the taggers agree and whose candidates are kept, as `medner traces agreement --json` prints it."""
        return self._loop.run(self._async.agreement(run, most=most))

    def overrule(self, trace: str, conflict: str, keep: Sequence[int], *, by: str, why: str) -> Document:
        """Puts a person's decision in a verdict's place: the numbers of the candidates that stay, from 1."""
        return self._loop.run(self._async.overrule(trace, conflict, keep, by=by, why=why))

    def remove(self, run: str) -> int:
        """Removes a run and its traces for good; gives how many they were."""
        return self._loop.run(self._async.remove(run))
