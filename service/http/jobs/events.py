"""A job's progress as server-sent events."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from medner.core.errors import ExternalError
from medner.service.annotate.counts import RunCounts
from medner.service.http.context import Service, service_of
from medner.service.http.messages.answers import CountsAnswer, ProgressEvent
from medner.service.jobs.watch import remarks
from medner.store.jobs import TERMINAL, JobView

_EVERY_S = 0.5
#: A comment now and then keeps proxies from taking a quiet stream for a dead one.
_SIGN_S = 15.0
_HEAD = f"retry: {int(4 * _EVERY_S * 1000)}\n\n"


async def events(request: Request) -> Response:
    """GET /v1/jobs/{id}/events"""
    service = service_of(request)
    view = await service.view(str(request.path_params["id"]))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(service, view), headers=headers, media_type="text/event-stream")


async def _events(service: Service, first: JobView) -> AsyncIterator[str]:
    """``progress`` whenever something changed, ``end`` with the last state; ``gone`` for a job that was deleted."""
    course, last, said_s = _Course(first), "", time.monotonic()
    yield _HEAD
    while not service.stopping():
        try:
            view = await service.jobs.find_view(first.id)
            told = None if view is None else course.event(view, tuple(await remarks(service.jobs, view)))
        except (RedisError, ExternalError):
            # The stream just ends; the browser asks again and is told why by a status.
            service.mender.wake()
            return
        if view is None or told is None:
            yield "event: gone\ndata: {}\n\n"
            return
        if view.state in TERMINAL:
            yield f"event: end\ndata: {told.model_dump_json()}\n\n"
            return
        data = told.model_dump_json(exclude={"sentences_per_s", "seconds_left"})
        if data != last:
            last, said_s = data, time.monotonic()
            yield f"event: progress\ndata: {told.model_dump_json()}\n\n"
        elif time.monotonic() - said_s > _SIGN_S:
            said_s = time.monotonic()
            yield ": still there\n\n"
        await asyncio.sleep(_EVERY_S)


@dataclass(slots=True)
class _Course:
    """How fast a job goes since somebody looks."""

    first: JobView
    _tally: RunCounts = field(init=False)

    def __post_init__(self) -> None:
        counts = self.first.counts
        self._tally = RunCounts(counts.sentences, done=counts.done, reused=counts.done)

    def event(self, view: JobView, remarks: tuple[str, ...]) -> ProgressEvent:
        """The event of a view."""
        self._tally.done = max(self._tally.reused, view.counts.done)
        speed = self._tally.per_second
        known = not math.isnan(speed)
        return ProgressEvent(
            id=view.id,
            state=view.state,
            reason=view.reason,
            counts=CountsAnswer.of(view.counts),
            sentences_per_s=round(speed, 3) if known else None,
            seconds_left=round(view.counts.left / speed, 1) if known else None,
            remarks=remarks,
        )
