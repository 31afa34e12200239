"""What of a job's agents is the job's own: the judge it follows, and its traces."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from medner.agents.judges.judge_chain import JudgeChain
from medner.core.choices import JudgeFollow
from medner.core.records import Annotation, Sentence
from medner.graph import Pipeline
from medner.graph.tracing import Tracer
from medner.service.build.pipeline import Assembled
from medner.service.build.trace_recording import TraceOrder, remove_outdated, run_record
from medner.service.config.frozen import thaw
from medner.service.worker.attempts import Annotator
from medner.service.worker.follow_judge import JudgeFollower
from medner.store.jobs.records import JobSpec
from medner.store.judges import JudgeRegistry
from medner.store.redis.client import Client
from medner.store.traces import TraceBackend, TracePolicy, TraceWriter, open_traces

_DAY_S = 86_400
_TIDY_EVERY_S = 600.0


class JobTraces:
    """The traces of all jobs of a worker: opened when the first sentence is to leave one."""

    def __init__(self, place: str | None = None) -> None:
        self._place = place
        self._backend: TraceBackend | None = None
        self._writer: TraceWriter | None = None
        self._tracers: dict[str, Tracer] = {}
        self._turn = asyncio.Lock()
        self._tidy_at = -math.inf

    async def tracer(self, job: str, spec: JobSpec) -> Tracer | None:
        """What keeps the traces of a job, a run of the job's name; None where it wants none."""
        policy = TracePolicy(spec.trace)
        if policy is TracePolicy.NONE:
            return None
        async with self._turn:
            if job not in self._tracers:
                writer = await asyncio.to_thread(self._begin, job, spec, policy)
                self._tracers[job] = Tracer(job, policy, writer.put)
        return self._tracers[job]

    def _begin(self, job: str, spec: JobSpec, policy: TracePolicy) -> TraceWriter:
        if self._backend is None or self._writer is None:
            self._backend = open_traces(self._place)
            self._writer = TraceWriter(self._backend)
        if time.monotonic() > self._tidy_at:
            # Reads every run: not for each of many small jobs.
            remove_outdated(self._backend, datetime.now(UTC))
            self._tidy_at = time.monotonic() + _TIDY_EVERY_S
        order = TraceOrder(policy, self._place, math.ceil(spec.keep_s / _DAY_S))
        configuration = thaw(spec.configuration)
        # Whichever worker comes first; the others find it.
        if self._backend.find(job) is None:
            record = run_record(configuration, order, kind="job", fingerprint=spec.fingerprint, name=job)
            self._backend.begin(record)
        return self._writer

    def close(self) -> None:
        """Writes what is waiting."""
        if self._writer is not None and self._backend is not None:
            self._writer.close()
            self._backend.close()


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker lends to the agents of its jobs."""

    worker: str
    redis: Client
    traces: JobTraces


class JobPipeline:
    """The agents of a configuration as jobs use them."""

    def __init__(self, made: Assembled, closing: AsyncExitStack, *, concurrency: int = 16) -> None:
        self._made = made
        self._closing = closing
        self._plain = Pipeline(made.deps, concurrency=concurrency)
        self._concurrency = concurrency
        self._seat: JudgeFollower | None = None

    async def annotate_sentence(self, sentence: Sentence) -> Annotation:
        """One sentence of no job, untraced."""
        return await self._plain.annotate_sentence(sentence)

    async def for_job(self, job: str, spec: JobSpec, worker: WorkerParts) -> Annotator:
        """With the job's traces, and with the registry's judge where the job follows it."""
        tracer = await worker.traces.tracer(job, spec)
        deps = self._made.deps
        if spec.judge_follow == JudgeFollow.LATEST:
            seat = await self._followed(worker)
            # What is in place now, not what was when the worker last looked.
            await seat.look()
            deps = replace(deps, judges=seat)
        return Pipeline(deps, concurrency=self._concurrency, tracer=tracer)

    async def _followed(self, worker: WorkerParts) -> JudgeFollower:
        if self._seat is None:
            own = JudgeChain((self._made.deps.judge, *self._made.deps.understudies))
            seat = JudgeFollower(JudgeRegistry(worker.redis), worker.worker, self._made.parts, own)
            self._seat = await self._closing.enter_async_context(seat.following())
        return self._seat


@asynccontextmanager
async def job_pipeline(made: Assembled, *, concurrency: int = 16) -> AsyncIterator[JobPipeline]:
    """The agents as jobs use them; at the end nothing watches any more."""
    async with AsyncExitStack() as closing:
        yield JobPipeline(made, closing, concurrency=concurrency)
