"""One chunk after another: taken from the queue, carried out, whatever becomes of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from redis.exceptions import RedisError

from medner.core.errors import ExternalError, MednerError, UserError
from medner.service.worker.attempts import Annotator
from medner.service.worker.chunk_run import ChunkRun, Outcome, is_unexpected
from medner.service.worker.job_agents import WorkerParts
from medner.service.worker.job_specs import JobSpecs
from medner.service.worker.pipelines import Pipelines
from medner.service.worker.retry_waits import Stopped
from medner.service.worker.run_context import RunContext
from medner.store.jobs.claims import Claim
from medner.store.jobs.jobs import Jobs
from medner.store.jobs.queue import NotTaken, QueueReader
from medner.store.jobs.records import JobSpec

log = logging.getLogger("medner.worker")

#: A worker that cannot do a job is slow to take its messages, which are for others.
_LEAVE_S = 0.2
_QUEUE_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class ChunkTools:
    """What all loops of a worker share. ``runs`` are the chunks under way, ``reading`` the loops that wait for one."""

    jobs: Jobs
    specs: JobSpecs
    pipelines: Pipelines
    parts: WorkerParts
    stopping: Callable[[], bool]
    runs: dict[tuple[str, int], ChunkRun] = field(default_factory=dict)
    reading: set[asyncio.Task[None] | None] = field(default_factory=set)


class ChunkLoop:
    """A worker's place for one chunk at a time."""

    def __init__(self, reader: QueueReader, tools: ChunkTools, context: RunContext) -> None:
        self._reader = reader
        self._tools = tools
        self._context = context
        self._retry = context.retry
        self._claims = context.claims

    async def run(self) -> None:
        """Until the worker is to end."""
        task, reading = asyncio.current_task(), self._tools.reading
        while not self._tools.stopping() or self._reader.has_taken:
            reading.add(task)
            try:
                claim = await self._next_claim()
            finally:
                reading.discard(task)
            if claim is not None:
                await self._chunk(claim)

    async def _next_claim(self) -> Claim | None:
        try:
            taken = await self._reader.take(self._retry)
        except RedisError as error:
            # Not one that passes by itself; a worker that ended would help nobody.
            log.warning("the queue cannot be read", extra={"kind": type(error).__name__})
            await self._retry.pause(f"the queue cannot be read ({type(error).__name__})", _QUEUE_WAIT_S)
            return None
        if isinstance(taken, NotTaken):
            if taken.reason == "newer":
                await self._cannot(taken.job, taken.chunk, None)
            # Other workers may be quicker to take a message that is not for this one.
            await asyncio.sleep(_LEAVE_S)
            return None
        return taken

    async def _cannot(self, job: str, chunk: int, error: UserError | None) -> None:
        """Leaves a job to others, and notes why."""
        try:
            if error is None:
                await self._tools.specs.of(job)
                return
        except UserError as newer:
            error = newer
        # The sweep offers it again; this worker may do it after a fix, and others may at once.
        self._tools.specs.leave(job)
        log.warning("cannot do this job", extra={"job": job, "chunk": chunk, "reason": str(error)})
        with suppress(RedisError):
            await self._tools.specs.refuse(job, str(error))

    async def _chunk(self, claim: Claim) -> None:
        """Does one chunk. Whatever happens, other chunks go on."""
        where = {"job": claim.job, "chunk": claim.chunk}
        try:
            await self._do(claim)
        except Stopped:
            pass
        except UserError as error:
            await self._cannot(claim.job, claim.chunk, error)
        except (ExternalError, RedisError) as error:
            log.warning("a chunk is put off", extra={**where, "kind": type(error).__name__})
            await self._retry.pause(str(error), 2.0)
        except Exception as error:
            log.error("a chunk broke off", extra={**where, "kind": type(error).__name__}, exc_info=True)

    async def _do(self, claim: Claim) -> None:
        try:
            spec = await self._tools.specs.of(claim.job)
        except UserError:
            await self._claims.release(claim, delay_s=_LEAVE_S)
            raise
        if spec is None:
            return
        run = ChunkRun(claim, spec, self._tools.jobs.spool_of(claim.job, spec), self._context)
        run.signals.stopping = self._tools.stopping()
        self._tools.runs[claim.job, claim.chunk] = run
        began = time.monotonic()
        try:
            outcome = await self._carry_out(run, spec)
        finally:
            self._tools.runs.pop((claim.job, claim.chunk), None)
        seconds = round(time.monotonic() - began, 3)
        where = {"job": claim.job, "chunk": claim.chunk}
        log.info("chunk", extra={**where, "outcome": outcome.value, "seconds": seconds})
        if outcome is Outcome.OUTAGE:
            await self._tools.pipelines.drop()
            await self._retry.pause("the models do not answer", 5.0)
            self._retry.reason = ""

    async def _own(self, annotator: Annotator, job: str, spec: JobSpec) -> Annotator:
        """The agents as one job uses them."""
        # Not isinstance: a protocol is slow to ask, and this is asked for every chunk.
        for_job = getattr(annotator, "for_job", None)
        return annotator if for_job is None else cast(Annotator, await for_job(job, spec, self._tools.parts))

    async def _carry_out(self, run: ChunkRun, spec: JobSpec) -> Outcome:
        try:
            async with self._tools.pipelines.using(spec) as annotator:
                return await run.run(await self._own(annotator, run.claim.job, spec))
        except (MednerError, OSError):
            with suppress(RedisError):
                await self._claims.release(run.claim, delay_s=spec.backoff_s)
            raise
        except Exception as error:
            if not is_unexpected(error):
                raise
            where = {"job": run.claim.job, "chunk": run.claim.chunk}
            log.error("a chunk broke off", extra={**where, "kind": type(error).__name__}, exc_info=True)
            return await run.broke_off(error)
