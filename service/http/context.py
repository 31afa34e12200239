"""What every request needs: the jobs, what clients may ask for, the limits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from starlette.requests import Request

from medner.core.errors import MednerError
from medner.service.build.engines import EngineFactory
from medner.service.http.access.audit import AuditLog, audit_log
from medner.service.http.access.callers import Access
from medner.service.http.access.limits import Limits
from medner.service.http.allowed_options import AllowedOptions
from medner.service.http.messages.problems import unknown_job
from medner.service.http.metrics import HttpMetrics
from medner.service.http.resources.job_endings import JobEndings
from medner.service.http.resources.judge_runner import JudgeRunner
from medner.service.http.resources.trace_place import TracePlace
from medner.store.jobs import Jobs, JobView
from medner.store.redis import RedisAddress
from medner.store.redis.client import Client
from medner.store.redis.connection import make_ready, new_client
from medner.store.reviews import Reviews

log = logging.getLogger("medner.http")

_TIMEOUT_S = 5.0


class Mender:
    """Starts the embedded server again where it died, beside the requests and once at a time."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Looks after the server soon; nothing where the server is not medner's."""
        if self._address.embedded is not None and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._mend())

    async def _mend(self) -> None:
        try:
            await asyncio.to_thread(make_ready, self._address)
        except MednerError as error:
            log.warning("Redis is not back", extra={"reason": str(error)})


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """What a service is made of. ``stopping`` says whether the server is to end: streams then end too.

    ``engine_factory`` makes the models of judges that the server itself asks; None: here, as commands do.
    """

    address: RedisAddress
    access: Access
    offer: AllowedOptions = field(default_factory=AllowedOptions)
    limits: Limits = field(default_factory=Limits)
    metrics: HttpMetrics = field(default_factory=HttpMetrics)
    audit: AuditLog = field(default_factory=audit_log)
    stopping: Callable[[], bool] = lambda: False
    engine_factory: EngineFactory | None = None


class Service:
    """The parts that requests share."""

    def __init__(self, redis: Client, parts: ServiceParts) -> None:
        self.address = parts.address
        self.access = parts.access
        self.offer = parts.offer
        self.limits = parts.limits
        self.metrics = parts.metrics
        self.audit = parts.audit
        self.stopping = parts.stopping
        self.engine_factory = parts.engine_factory
        self.jobs = Jobs(redis)
        self.reviews = Reviews(redis)
        self.traces = TracePlace()
        self.judging = JudgeRunner()
        self.endings = JobEndings(self.jobs)
        self.indexing = asyncio.Lock()
        self.mender = Mender(parts.address)
        self.streams = asyncio.Semaphore(parts.limits.streams)

    async def view(self, job: str) -> JobView:
        """A job as it is now. Problem where there is none of this id."""
        found = await self.jobs.find_view(job)
        if found is None:
            raise unknown_job(job)
        return found


@asynccontextmanager
async def open_service(parts: ServiceParts) -> AsyncIterator[Service]:
    """The service on a Redis, whose server is not waited for."""
    from redis.asyncio.retry import Retry  # noqa: PLC0415  an optional dependency
    from redis.backoff import ExponentialBackoff  # noqa: PLC0415

    # A person waits: better a plain answer soon than the right one late.
    retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), 2)
    redis = new_client(parts.address, socket_timeout=_TIMEOUT_S, retry=retry)
    service = Service(redis, parts)
    try:
        yield service
    finally:
        # Submits that were cut off take back what they began, for which they need Redis.
        with suppress(TimeoutError):
            async with asyncio.timeout(_TIMEOUT_S):
                for _ in range(parts.limits.streams):
                    await service.streams.acquire()
        await service.traces.close()
        await redis.aclose()


def service_of(request: Request) -> Service:
    """The service of a request's application."""
    found: Service = request.app.state.service
    return found
