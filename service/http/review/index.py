"""A job's conflicts brought from its traces into the queue of its review."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from medner.service.http.context import Service
from medner.service.http.messages.problems import Problem
from medner.service.review.worth import review_items
from medner.store.reviews import Decided
from medner.store.traces import RunRecord, TraceBackend


async def bring_up_to_date(service: Service, job: str) -> None:
    """Adds the conflicts of sentences that were annotated since the last time. Problem for no such job."""
    view = await service.view(job)
    backend = await service.traces.backend()
    run = None if backend is None else await asyncio.to_thread(backend.find, job)
    if backend is None or run is None:
        if view.counts.conflicts:
            raise Problem(
                "wrong-state",
                f"job {job} has conflicts, but no traces are here: it was submitted with trace none, or its workers "
                "write traces elsewhere; give workers and this server the same MEDNER_TRACES",
            )
        return
    traced = await asyncio.to_thread(backend.count, job)
    if traced == await service.reviews.counted(job):
        return
    async with service.indexing:
        known = await service.reviews.known(job)
        found = await asyncio.to_thread(lambda: list(_new(backend, run, known)))
        await service.reviews.add(job, found, sentences=traced)


def _new(backend: TraceBackend, run: RunRecord, known: set[str]) -> Iterator[Decided]:
    for number, one in enumerate(backend.summaries(run.run)):
        if not one.conflicts or one.sentence_id in known:
            continue
        trace = backend.trace(run.run, one.sentence_id)
        if trace is not None:
            yield from review_items(trace.annotation, number)
