"""A worker's signs of life: claims are prolonged, the worker is seen, lost chunks are sent again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from itertools import groupby

from redis.exceptions import RedisError

from medner.service.worker.cancellation import is_cancelled
from medner.service.worker.chunk_run import ChunkRun
from medner.service.worker.metrics import WorkerMetrics
from medner.store.jobs.claims import Claims, goes_on
from medner.store.jobs.jobs import Jobs
from medner.store.jobs.records import WorkerView

log = logging.getLogger("medner.worker")

_BEAT_S = 1.0


class Heartbeat:
    """Beats until it is cancelled. ``runs`` are the chunks under way, ``cannot`` the jobs that this worker leaves.

    ``metrics`` None: nobody reads them.
    """

    def __init__(
        self,
        claims: Claims,
        jobs: Jobs,
        *,
        view: Callable[[], WorkerView],
        runs: Callable[[], Collection[ChunkRun]],
        cannot: Callable[[], Collection[str]],
        metrics: WorkerMetrics | None = None,
    ) -> None:
        self._claims = claims
        self._jobs = jobs
        self._view = view
        self._runs = runs
        self._cannot = cannot
        self._metrics = metrics
        self._every_s = min(_BEAT_S, claims.lease_s / 4)

    async def run(self) -> None:
        """Trouble with Redis changes nothing but the time."""
        while not is_cancelled():
            try:
                await self._renew()
                await self._claims.heartbeat(self._view())
                await self._claims.sweep(without=self._cannot())
                await self._jobs.tidy()
                if self._metrics is not None:
                    self._metrics.look(await self._jobs.queue(), await self._jobs.workers())
            except RedisError as error:
                log.debug("no sign of life", extra={"kind": type(error).__name__})
            except Exception:
                log.exception("a sign of life failed")
            await asyncio.sleep(self._every_s)

    async def _renew(self) -> None:
        runs = sorted(self._runs(), key=lambda run: run.claim.job)
        for job, group in groupby(runs, key=lambda run: run.claim.job):
            held = list(group)
            state, still = await self._claims.renew(job, [run.claim for run in held])
            for run in held:
                run.signals.ended = run.signals.ended or not goes_on(state)
                run.signals.lost = run.signals.lost or run.claim not in still
