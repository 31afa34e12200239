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
from medner.core.records import Sentence, TaggerOutput
from medner.graph import Deps
from medner.graph.tracing import Tracer
from medner.service.build.engines import EngineFactory, local_engine, model_folder
from medner.service.build.judges import judging, needs_base_model
from medner.service.config.configuration import Configuration, validated
from medner.store.traces import RunRecord, Trace, TraceBackend, TraceSummary


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
    """The configuration under another judge."""
    return validated({**configuration.model_dump(), "judge": judge}, where="--judge")


def chosen_traces(
    backend: TraceBackend, run: RunRecord, *, sample: int | None = None, seed: int = 0
) -> list[TraceSummary]:
    """The traces of a run that hold conflicts, or ``sample`` of them drawn by the seed, in their order."""
    found = [one for one in backend.summaries(run.run) if one.conflicts]
    if sample is None or sample >= len(found):
        return found
    drawn = random.Random(seed).sample(range(len(found)), sample)  # noqa: S311  reproducibility, not secrecy
    return [found[place] for place in sorted(drawn)]


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

    async def run(self, chosen: Sequence[TraceSummary]) -> int:
        """Decides the chosen sentences again; how many."""
        gate = asyncio.Semaphore(self.concurrency)

        async def one(summary: TraceSummary) -> None:
            async with gate:
                trace = await asyncio.to_thread(self._trace, summary)
                with tracing_context(enabled=False):
                    await self.tracer.fork(trace, self.deps)
                self.on_done()

        await asyncio.gather(*(one(summary) for summary in chosen))
        return len(chosen)

    def _trace(self, summary: TraceSummary) -> Trace:
        found = self.backend.trace(self.source.run, summary.sentence_id)
        if found is None:
            raise UserError(f"run {self.source.run}: the trace of {summary.sentence_id!r} was removed meanwhile")
        return found
