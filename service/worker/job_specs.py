"""What a worker knows of its jobs: their specifications, and which of them it cannot do."""

from __future__ import annotations

import time
from collections.abc import Collection

from medner.service.worker.retry_waits import RetryWaits
from medner.store.jobs.claims import Claims
from medner.store.jobs.jobs import Jobs
from medner.store.jobs.records import JobSpec
from medner.store.jobs.views import known_spec

_REFUSED_FOR_S = 60.0
_KEPT = 64


class JobSpecs:
    """The specifications of the jobs at hand. A refused job is tried again after a minute: something may be mended."""

    def __init__(self, jobs: Jobs, claims: Claims, retry: RetryWaits) -> None:
        self._jobs = jobs
        self._claims = claims
        self._retry = retry
        self._specs: dict[str, JobSpec] = {}
        self._refused: dict[str, float] = {}

    @property
    def refused(self) -> Collection[str]:
        """The jobs that this worker leaves to others for now."""
        now = time.monotonic()
        self._refused = {job: at for job, at in self._refused.items() if now - at < _REFUSED_FOR_S}
        return self._refused

    async def of(self, job: str) -> JobSpec | None:
        """A job's specification, None for a job that is gone. UserError for one that this version cannot read."""
        # A specification never changes; whether the job is still to be done, the claim says.
        if job in self._specs:
            return self._specs[job]
        view = await self._retry(lambda: self._jobs.find_view(job))
        if view is None:
            return None
        spec = known_spec(view)
        if len(self._specs) >= _KEPT:
            self._specs.clear()
        self._specs[job] = spec
        return spec

    def leave(self, job: str) -> None:
        """Leaves a job to others."""
        self._refused[job] = time.monotonic()

    async def refuse(self, job: str, reason: str) -> None:
        """Notes why; a job of this version that no worker can do has failed."""
        await self._claims.refuse(job, reason)
        view = await self._jobs.find_view(job)
        if (
            view is not None
            and view.spec is not None
            and {worker.id for worker in await self._jobs.workers()} <= set(view.refusals)
        ):
            await self._claims.fail(job, reason)
