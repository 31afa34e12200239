"""A worker: chunks from the queue, claims kept alive, a clean end."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from importlib.metadata import version

from redis.exceptions import RedisError

from medner.core.records import Annotation
from medner.service.worker.chunk_loop import ChunkLoop, ChunkTools
from medner.service.worker.heartbeat import Heartbeat
from medner.service.worker.job_agents import JobTraces, WorkerParts
from medner.service.worker.job_specs import JobSpecs
from medner.service.worker.metrics import WorkerMetrics
from medner.service.worker.pipelines import OpenAnnotator, Pipelines, open_pipeline
from medner.service.worker.retry_waits import RetryWaits, Stopped
from medner.service.worker.run_context import RunContext
from medner.service.worker.watchdog import Watchdog
from medner.store.jobs.claims import Claims
from medner.store.jobs.jobs import Jobs
from medner.store.jobs.queue import QueueReader
from medner.store.jobs.records import WorkerView
from medner.store.redis import RedisAddress, open_redis, redis_address
from medner.store.redis.connection import new_client

log = logging.getLogger("medner.worker")

#: A Redis that does not hear that a worker ends notices it by its silence.
_FAREWELL_S = 3.0
#: What is cut off has so long to give its chunk back.
_HAND_BACK_S = 5.0


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker works: sentences and chunks under way at a time, how long a claim holds without a sign of life.

    ``grace_s``: sentences under way may end within this when the worker is to end. ``stuck_s``: a process that stands
    still for so long ends itself. ``metrics_port`` None: nothing listens.
    """

    concurrency: int = 16
    chunks: int = 2
    lease_s: float = 30.0
    grace_s: float = 30.0
    stuck_s: float = 120.0
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"


class Worker:
    """One worker on one Redis, until it is told to stop."""

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        address: RedisAddress | None = None,
        open_annotator: OpenAnnotator = open_pipeline,
    ) -> None:
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._settings = settings
        self._address = address or redis_address()
        self._redis = new_client(self._address)
        self._claims = Claims(self._redis, self.id, lease_s=settings.lease_s)
        self._jobs = Jobs(self._redis)
        self._parts = WorkerParts(self.id, self._redis, JobTraces())
        self._pipelines = Pipelines(open_annotator)
        self._metrics = WorkerMetrics()
        self._stopping = asyncio.Event()
        self._begun = False
        self._retry = RetryWaits(self._address, self._stopping)
        self._specs = JobSpecs(self._jobs, self._claims, self._retry)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._alone = asyncio.Lock()
        self._tools = ChunkTools(self._jobs, self._specs, self._pipelines, self._parts, lambda: self.stopping)
        self._readers = [self._reader(number) for number in range(settings.chunks)]
        self._tasks: list[asyncio.Task[None]] = []
        self._sentences = 0
        self._since_s = time.time()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping.is_set()

    @property
    def begun(self) -> bool:
        """Whether it can have anything in hand: it has found Redis."""
        return self._begun

    def stop(self) -> None:
        """Takes no more chunks; those under way are finished up to the sentence and handed back."""
        self._stopping.set()
        for run in self._tools.runs.values():
            run.signals.stopping = True
        loop = asyncio.get_running_loop()
        loop.call_later(_FAREWELL_S, self._stop_reading)
        loop.call_later(self._settings.grace_s, self._cut_off)

    def _stop_reading(self) -> None:
        """Ends reads of a Redis that stands still; any other has ended by itself by then."""
        for task in self._tools.reading:
            if task is not None:
                task.cancel()

    def _cut_off(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def run(self) -> None:
        """Works until :meth:`stop`. UserError or ExternalError where Redis cannot be used at the start."""
        async with open_redis(self._address):
            pass  # fails at once, not after the first pause
        self._begun = True
        tasks = [asyncio.create_task(self._heartbeat().run())]
        tasks.append(asyncio.create_task(Watchdog(self._settings.stuck_s).run()))
        log.info("ready", extra={"worker": self.id, "concurrency": self._settings.concurrency})
        try:
            with self._metrics_served(), suppress(Stopped):
                await self._retry(self._jobs.reindex)
                self._tasks = [asyncio.create_task(self._loop(reader).run()) for reader in self._readers]
                await self._worked()
        finally:
            await self._end(tasks)

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        """Everything that is open is closed; nothing that stands still is waited for beyond its time."""
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_FAREWELL_S)
        with suppress(RedisError, TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                await self._claims.leave()
                for reader in self._readers:
                    await reader.leave()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._pipelines.drop(), self._settings.grace_s)
        await asyncio.to_thread(self._parts.traces.close)
        await self._redis.aclose()
        log.info("ended", extra={"worker": self.id, "sentences": self._sentences})

    async def _worked(self) -> None:
        """Until the worker is to end and its chunks are finished or given back; raises what ended any of its tasks."""
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({stopped, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        ended, left = await asyncio.wait(self._tasks, timeout=self._settings.grace_s + _HAND_BACK_S)
        for task in left:
            task.cancel()
        for task in ended:
            if not task.cancelled():
                task.result()

    def _loop(self, reader: QueueReader) -> ChunkLoop:
        context = RunContext(
            self._claims,
            self._retry,
            self._slots,
            self._alone,
            reader,
            self._settings.concurrency,
            self._annotated,
            self._metrics.failed,
        )
        return ChunkLoop(reader, self._tools, context)

    def _reader(self, number: int) -> QueueReader:
        return QueueReader(
            self._redis,
            self.id,
            number=number,
            lease_s=self._settings.lease_s,
            cannot=lambda: self._specs.refused,
            wanted=lambda: not self.stopping,
        )

    def _metrics_served(self) -> AbstractContextManager[None]:
        port = self._settings.metrics_port
        return nullcontext() if port is None else self._metrics.served(port, self._settings.metrics_host)

    def _annotated(self, annotation: Annotation) -> None:
        self._sentences += 1
        if self._settings.metrics_port is not None:
            self._metrics.annotated(annotation)

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(
            self._claims,
            self._jobs,
            view=self._view,
            runs=self._tools.runs.values,
            cannot=lambda: self._specs.refused,
            metrics=None if self._settings.metrics_port is None else self._metrics,
        )

    def _view(self) -> WorkerView:
        doing = "working" if self._tools.runs else "idle"
        if self._stopping.is_set():
            doing = "stopping"
        elif self._retry.reason:
            doing = "paused"
        return WorkerView(
            id=self.id,
            host=socket.gethostname(),
            process=os.getpid(),
            version=version("medner"),
            doing=doing,
            reason=self._retry.reason,
            chunks=len(self._tools.runs),
            sentences=self._sentences,
            since_s=self._since_s,
            seen_s=time.time(),
        )
