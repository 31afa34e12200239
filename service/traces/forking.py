"""Stored sentences decided again by another judge, from the point where the taggers had all answered."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langsmith import tracing_context

from medner.core.errors import UserError
from medner.core.records import Annotation, Sentence, TaggerOutput
from medner.graph import Deps
from medner.graph.tracing import Tracer
from medner.service.build.engines import EngineFactory, local_engine, model_folder
from medner.service.build.judges import judging, needs_base_model
from medner.service.build.trace_recording import TraceOrder, recording, run_record
from medner.service.config.configuration import Configuration, validated
from medner.service.config.judges import JUDGES
from medner.store.traces import RunRecord, Trace, TraceBackend, TracePolicy, TraceSummary


@dataclass(frozen=True, slots=True)
class UnaskedTagger:
    """Stands for a tagger whose answers are in the traces; a fork never asks it."""

    name: str

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        """UserError: there is nothing to ask."""
        raise UserError(f"tagger {self.name} was asked about {sentence.id!r}, but forks go on from recorded answers")


def configuration_of(run: RunRecord) -> Configuration:
    """What the run was made of. UserError when this version of medner reads it no more."""
    return validated(dict(run.configuration), where=f"run {run.run}")


def with_judge(configuration: Configuration, judge: dict[str, Any]) -> Configuration:
    """The configuration under another judge. One that only counts votes is asked about the disagreements alone."""
    changed = {**configuration.model_dump(), "judge": judge}
    if JUDGES.read(judge).only_counts_votes:
        changed["conflicts"] = None
    return validated(changed, where="--judge")


def chosen_traces(
    backend: TraceBackend, run: RunRecord, *, sample: int | None = None, seed: int = 0
) -> list[TraceSummary]:
    """The traces of a run that hold conflicts, or ``sample`` of them drawn by the seed, in their order."""
    found = [one for one in backend.summaries(run.run) if one.conflicts]
    if sample is None or sample >= len(found):
        return found
    drawn = random.Random(seed).sample(range(len(found)), sample)  # noqa: S311  reproducibility, not secrecy
    return [found[place] for place in sorted(drawn)]


@dataclass(frozen=True, slots=True)
class ForkOrder:
    """A fork: the run, the other judge's table, the sentences (their traces), where traces are, for how many days.

    ``engine_factory`` None: the model runs here, where the judge needs one.
    """

    source: RunRecord
    judge: dict[str, Any]
    chosen: Sequence[TraceSummary]
    place: str | None = None
    keep_days: int | None = None
    engine_factory: EngineFactory | None = None


@dataclass(slots=True)
class Forked:
    """A fork that was made: its run, the sentences that were decided again, the conflicts that ended otherwise."""

    run: str
    decided: int = 0
    changed: int = 0

    def count(self, before: Annotation, after: Annotation) -> None:
        """Counts a sentence."""
        verdicts = {one.conflict_id: frozenset((*one.kept, *one.added)) for one in before.verdicts}
        self.changed += sum(
            verdicts.get(one.conflict_id) != frozenset((*one.kept, *one.added)) for one in after.verdicts
        )
        self.decided += 1


async def forked(backend: TraceBackend, order: ForkOrder) -> Forked:
    """Decides the chosen sentences of a run again, as a run of its own. UserError where the judge cannot be built."""
    configuration = with_judge(configuration_of(order.source), order.judge)
    kept = TraceOrder(TracePolicy.CONFLICTS, order.place, order.keep_days)
    record = run_record(configuration, kept, kind="fork", parent=order.source.run)
    record = record.model_copy(update={"labels": order.source.labels})
    found = Forked(record.run)
    # First the judge: where it cannot be built, no run is begun.
    async with fork_deps(order.source, configuration, engine_factory=order.engine_factory) as deps:
        with recording(kept, record) as recorded:
            assert recorded is not None  # noqa: S101  the policy is not none
            forking = Forking(
                backend, order.source, recorded.tracer, deps, configuration.concurrency, on_settled=found.count
            )
            await forking.run(order.chosen)
    return found


async def asked(
    run: RunRecord, trace: Trace, judge: dict[str, Any], engine_factory: EngineFactory | None = None
) -> Annotation:
    """What another judge says about a stored sentence; nothing is kept of it."""
    configuration = with_judge(configuration_of(run), judge)
    async with fork_deps(run, configuration, engine_factory=engine_factory) as deps:
        with tracing_context(enabled=False):
            return await Tracer(run.run, TracePolicy.NONE, lambda _: None).fork(trace, deps)


@asynccontextmanager
async def fork_deps(
    run: RunRecord, configuration: Configuration, *, engine_factory: EngineFactory | None = None
) -> AsyncIterator[Deps]:
    """The agents of a fork: recorded taggers, the judge of ``configuration``; a model only where the judge asks one."""
    local = engine_factory is None and needs_base_model(configuration)
    model = model_folder(configuration) if local else None
    async with judging(configuration, model=model, engine_factory=engine_factory or local_engine) as ready:
        names = [tagger.name for tagger in configuration.taggers]
        yield Deps(
            labels=run.labels.label_set(),
            taggers=tuple(UnaskedTagger(name) for name in names),
            judge=ready.judge_chain.judges[0],
            understudies=ready.judge_chain.judges[1:],
            exemplars=ready.exemplars,
            max_chars=configuration.max_chars,
            wider=configuration.wider_conflicts,
        )


@dataclass(frozen=True, slots=True)
class Forking:
    """Forks the traces of one run into another, ``concurrency`` at a time."""

    backend: TraceBackend
    source: RunRecord
    tracer: Tracer
    deps: Deps
    concurrency: int = 16
    on_done: Callable[[], None] = lambda: None
    on_settled: Callable[[Annotation, Annotation], None] = lambda *_: None

    async def run(self, chosen: Sequence[TraceSummary]) -> int:
        """Decides the chosen sentences again; how many."""
        gate = asyncio.Semaphore(self.concurrency)

        async def one(summary: TraceSummary) -> None:
            async with gate:
                trace = await asyncio.to_thread(self._trace, summary)
                with tracing_context(enabled=False):
                    settled = await self.tracer.fork(trace, self.deps)
                self.on_settled(trace.annotation, settled)
                self.on_done()

        await asyncio.gather(*(one(summary) for summary in chosen))
        return len(chosen)

    def _trace(self, summary: TraceSummary) -> Trace:
        found = self.backend.trace(self.source.run, summary.sentence_id)
        if found is None:
            raise UserError(f"run {self.source.run}: the trace of {summary.sentence_id!r} was removed meanwhile")
        return found
