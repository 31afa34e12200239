"""A job's results with people's decisions in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from medner.core.records import AnnotatedDocument, Annotation
from medner.service.http.context import Service
from medner.service.traces.exporting import decided_annotations, with_decisions


async def decided_results(service: Service, job: str, *, offset: int = 0) -> AsyncIterator[AnnotatedDocument]:
    """The documents of a job in order, each sentence that a person decided about as its trace has it."""
    decided = await _decided(service, job)
    async for document in service.jobs.results(job, offset=offset):
        if decided:
            (document,) = with_decisions([document], decided)  # noqa: PLW2901  the same with decisions
        yield document


async def _decided(service: Service, job: str) -> Mapping[str, Annotation]:
    backend = await service.traces.backend()
    run = None if backend is None else await asyncio.to_thread(backend.find, job)
    if backend is None or run is None:
        return {}
    return await asyncio.to_thread(decided_annotations, backend, run)
