"""A worker process: chunks from the queue, claims kept alive, a clean end."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from typing import Any

from redis.exceptions import RedisError
from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver

from medner.core.errors import ExternalError, MednerError, UserError
from medner.core.records import Annotation
from medner.service.worker.broker import ChunkBroker
from medner.service.worker.chunk_run import ChunkContext, ChunkRun, Outcome, is_unexpected
from medner.service.worker.ending import is_cancelled
from medner.service.worker.job_agents import JobTraces, SharedAgents, WorkerParts
from medner.service.worker.metrics import WorkerMetrics
from medner.service.worker.pipelines import OpenAnnotator, Pipelines, open_pipeline
from medner.service.worker.steady import RetryWaits, Stopped
from medner.service.worker.watchdog import Watchdog
from medner.store.jobs.claims import Claims, goes_on
from medner.store.jobs.jobs import Jobs
from medner.store.jobs.records import JobSpec, WorkerView
from medner.store.jobs.scripts import TASK
from medner.store.jobs.views import known_spec
from medner.store.redis import RedisAddress, open_redis, redis_address
from medner.store.redis.connection import new_client

log = logging.getLogger("medner.worker")

_REFUSED_FOR_S = 60.0
_BEAT_S = 1.0
_SPECS_KEPT = 64
#: A worker that cannot do a job is slow to take its messages, which are for others.
_LEAVE_S = 0.2
#: Whom a worker that ends could not tell sees it by its silence.
_FAREWELL_S = 3.0


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
        self._finish = asyncio.Event()
        self._begun = False
        self._steady = RetryWaits(self._address, self._stopping)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._alone = asyncio.Lock()
        self._runs: dict[tuple[str, int], ChunkRun] = {}
        self._specs: dict[str, JobSpec] = {}
        self._tasks: set[asyncio.Task[Any] | None] = set()
        self._refused: dict[str, float] = {}
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
        self._finish.set()
        for run in self._runs.values():
            run.signals.stopping = True
        asyncio.get_running_loop().call_later(self._settings.grace_s, self._cut_off)

    def _cut_off(self) -> None:
        for task in self._tasks:
            if task is not None:
                task.cancel()

    async def run(self) -> None:
        """Works until :meth:`stop`. UserError or ExternalError where Redis cannot be used at the start."""
        async with open_redis(self._address):
            pass  # said at once, not after the first pause
        self._begun = True
        broker = ChunkBroker(self._address, self.id, lease_s=self._settings.lease_s)

        async def one_chunk(job: str, chunk: int) -> None:
            await self._chunk(job, chunk)

        broker.register_task(one_chunk, task_name=TASK)
        tasks = [asyncio.create_task(self._beat()), asyncio.create_task(Watchdog(self._settings.stuck_s).run())]
        log.info("ready", extra={"worker": self.id, "concurrency": self._settings.concurrency})
        try:
            receiver = Receiver(
                broker,
                max_async_tasks=self._settings.chunks,
                ack_type=AcknowledgeType.WHEN_EXECUTED,
                wait_tasks_timeout=self._settings.grace_s + 10,
            )
            broker.is_worker_process = True
            with self._metrics_served():
                await receiver.listen(self._finish)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(RedisError, TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    await self._claims.leave()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._pipelines.drop(), self._settings.grace_s)
            await asyncio.to_thread(self._parts.traces.close)
            await broker.shutdown()
            await self._redis.aclose()
            log.info("ended", extra={"worker": self.id, "sentences": self._sentences})

    async def _chunk(self, job: str, chunk: int) -> None:
        """The task of a message: one chunk, if it is to be had."""
        where = {"job": job, "chunk": chunk}
        try:
            await self._take(job, chunk)
        except Stopped:
            pass
        except UserError as error:
            # The sweep offers it again; who cannot do it now may after a fix, and others may at once.
            self._refused[job] = time.monotonic()
            log.warning("cannot do this job", extra={**where, "reason": str(error)})
            with suppress(RedisError):
                await self._refuse(job, str(error))
        except (ExternalError, RedisError) as error:
            log.warning("a chunk is put off", extra={**where, "kind": type(error).__name__})
            await self._steady.pause(str(error), 2.0)
        except Exception as error:
            log.error("a chunk broke off", extra={**where, "kind": type(error).__name__}, exc_info=True)

    async def _refuse(self, job: str, reason: str) -> None:
        """Notes why; a job of this version that no worker can do has failed."""
        await self._claims.refuse(job, reason)
        view = await self._jobs.find_view(job)
        if (
            view is not None
            and view.spec is not None
            and {one.id for one in await self._jobs.workers()} <= set(view.refusals)
        ):
            await self._claims.fail(job, reason)

    async def _take(self, job: str, chunk: int) -> None:
        if self._stopping.is_set():
            return
        spec = await self._spec(job)
        if spec is None:
            return
        claim = await self._steady(lambda: self._claims.claim(job, chunk))
        if isinstance(claim, str):
            return
        run = ChunkRun(
            claim,
            spec,
            self._jobs.spool_of(job, spec),
            ChunkContext(
                self._claims,
                self._steady,
                self._slots,
                self._alone,
                self._settings.concurrency,
                self._heard,
                self._metrics.failed,
            ),
        )
        run.signals.stopping = self.stopping
        task = asyncio.current_task()
        self._runs[job, chunk] = run
        self._tasks.add(task)
        began = time.monotonic()
        try:
            outcome = await self._carry_out(run, spec)
        finally:
            self._tasks.discard(task)
            self._runs.pop((job, chunk), None)
        seconds = round(time.monotonic() - began, 3)
        log.info("chunk", extra={"job": job, "chunk": chunk, "outcome": outcome.value, "seconds": seconds})
        if outcome is Outcome.OUTAGE:
            await self._pipelines.drop()
            await self._steady.pause("the models do not answer", 5.0)
            self._steady.reason = ""

    async def _carry_out(self, run: ChunkRun, spec: JobSpec) -> Outcome:
        try:
            async with self._pipelines.using(spec) as annotator:
                own = annotator
                if isinstance(annotator, SharedAgents):
                    own = await annotator.for_job(run.claim.job, spec, self._parts)
                return await run.run(own)
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

    async def _spec(self, job: str) -> JobSpec | None:
        """The job's specification; None for one that is gone, or that this worker cannot do."""
        if job in self._refused:
            await asyncio.sleep(_LEAVE_S)
            return None
        # A specification never changes; whether the job is still to be done, the claim says.
        if job in self._specs:
            return self._specs[job]
        view = await self._steady(lambda: self._jobs.find_view(job))
        if view is None:
            return None
        spec = known_spec(view)
        if len(self._specs) >= _SPECS_KEPT:
            self._specs.clear()
        self._specs[job] = spec
        return spec

    def _metrics_served(self) -> AbstractContextManager[None]:
        port = self._settings.metrics_port
        return nullcontext() if port is None else self._metrics.served(port, self._settings.metrics_host)

    def _heard(self, annotation: Annotation) -> None:
        self._sentences += 1
        if self._settings.metrics_port is not None:
            self._metrics.annotated(annotation)

    async def _beat(self) -> None:
        """Signs of life: claims are prolonged, the worker is seen, lost chunks are sent anew."""
        while not is_cancelled():
            try:
                await self._renew()
                await self._claims.tell(self._view())
                now = time.monotonic()
                self._refused = {job: at for job, at in self._refused.items() if now - at < _REFUSED_FOR_S}
                await self._claims.sweep(without=self._refused)
                await self._jobs.tidy()
                if self._settings.metrics_port is not None:
                    self._metrics.look(await self._jobs.queue(), await self._jobs.workers())
            except RedisError as error:
                log.debug("no sign of life", extra={"kind": type(error).__name__})
            except Exception:
                log.exception("a sign of life failed")
            await asyncio.sleep(min(_BEAT_S, self._settings.lease_s / 4))

    async def _renew(self) -> None:
        runs = sorted(self._runs.values(), key=lambda run: run.claim.job)
        for job, group in groupby(runs, key=lambda run: run.claim.job):
            held = list(group)
            state, still = await self._claims.renew(job, [run.claim for run in held])
            for run in held:
                run.signals.ended = run.signals.ended or not goes_on(state)
                run.signals.lost = run.signals.lost or run.claim not in still

    def _view(self) -> WorkerView:
        doing = "working" if self._runs else "idle"
        if self._stopping.is_set():
            doing = "stopping"
        elif self._steady.reason:
            doing = "paused"
        return WorkerView(
            id=self.id,
            host=socket.gethostname(),
            process=os.getpid(),
            version=version("medner"),
            doing=doing,
            reason=self._steady.reason,
            chunks=len(self._runs),
            sentences=self._sentences,
            since_s=self._since_s,
            seen_s=time.time(),
        )


def run_worker(
    settings: WorkerSettings,
    *,
    address: RedisAddress | None = None,
    open_annotator: OpenAnnotator = open_pipeline,
) -> int:
    """Runs a worker in this process until SIGINT or SIGTERM; gives the exit code. A second signal ends at once."""

    async def main() -> None:
        worker = Worker(settings, address=address, open_annotator=open_annotator)
        loop = asyncio.get_running_loop()

        def ask(number: signal.Signals) -> None:
            if worker.stopping:
                os._exit(128 + number)
            log.info("stopping", extra={"signal": number.name})
            if not worker.begun:
                # A thread waits for the embedded server, minutes if need be, and cannot be told; nothing is in hand.
                os._exit(0)
            worker.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ask, number)
        await worker.run()

    asyncio.run(main())
    return 0
