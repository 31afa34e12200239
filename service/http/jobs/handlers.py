"""Looking at jobs and steering them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from medner.core.errors import UserError
from medner.core.records import AnnotatedDocument
from medner.service.http.context import service_of
from medner.service.http.jobs.submit import LINES
from medner.service.http.messages.answers import (
    DeadAnswer,
    DeadLettersAnswer,
    EntityAnswer,
    HealthAnswer,
    JobAnswer,
    JobsAnswer,
    LabelSetsAnswer,
    ReplayAnswer,
    ResultLine,
    WorkerAnswer,
    moment,
)
from medner.service.http.messages.problems import Problem
from medner.service.http.messages.requests import ListQuery, ResultsQuery
from medner.service.http.messages.responses import json_answer, query_of
from medner.store.corpora import annotated_to_line


async def health(request: Request) -> Response:
    """GET /health"""
    workers = await service_of(request).jobs.workers()
    return json_answer(HealthAnswer(status="ok", version=version("medner"), workers=len(workers)))


async def metrics(request: Request) -> Response:
    """GET /metrics"""
    service = service_of(request)
    text = await service.metrics.text(service.jobs)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def labels(request: Request) -> Response:
    """GET /v1/labels"""
    default, found = await asyncio.to_thread(service_of(request).offer.labels)
    return json_answer(LabelSetsAnswer(default=default, labels=found))


async def listed(request: Request) -> Response:
    """GET /v1/jobs"""
    jobs, wanted = service_of(request).jobs, query_of(request, ListQuery)
    (views, total), workers = await jobs.newest(wanted.limit), await jobs.workers()
    return json_answer(
        JobsAnswer(
            jobs=tuple(JobAnswer.of(view) for view in views),
            total=total,
            workers=tuple(WorkerAnswer.of(one) for one in workers),
        )
    )


async def show(request: Request) -> Response:
    """GET /v1/jobs/{id}"""
    return json_answer(JobAnswer.of(await service_of(request).view(_id(request))))


async def cancel(request: Request) -> Response:
    """POST /v1/jobs/{id}/cancel"""
    service, job = service_of(request), _id(request)
    await service.view(job)
    return json_answer(JobAnswer.of(await service.jobs.cancel(job)))


async def replay(request: Request) -> Response:
    """POST /v1/jobs/{id}/replay"""
    service, job = service_of(request), _id(request)
    await service.view(job)
    try:
        count = await service.jobs.replay(job)
    except UserError as error:
        raise Problem("wrong-state", str(error)) from error
    return json_answer(ReplayAnswer(sentences=count, job=JobAnswer.of(await service.view(job))))


async def delete(request: Request) -> Response:
    """DELETE /v1/jobs/{id}"""
    service, job = service_of(request), _id(request)
    view = await service.view(job)
    try:
        await service.jobs.delete(job)
    except UserError as error:
        raise Problem(
            "wrong-state", f"{job} is {view.state.value}; cancel it first: POST /v1/jobs/{job}/cancel"
        ) from error
    return Response(status_code=204)


async def dead(request: Request) -> Response:
    """GET /v1/jobs/{id}/dead"""
    service, job = service_of(request), _id(request)
    await service.view(job)
    found = [
        DeadAnswer(
            document=one.document,
            sentence=one.sentence,
            kind=one.kind,
            error=one.error,
            attempts=one.attempts,
            worker=one.worker,
            at=moment(one.at_s),
        )
        for one in await service.jobs.dead(job)
    ]
    return json_answer(DeadLettersAnswer(dead=tuple(found)))


async def results(request: Request) -> Response:
    """GET /v1/jobs/{id}/results"""
    service, job = service_of(request), _id(request)
    line = _FORMS[query_of(request, ResultsQuery).format]
    view = await service.view(job)
    documents = service.jobs.results(job)
    # The first before the headers: what fails at once has a status of its own.
    first = await anext(documents, None)

    async def lines() -> AsyncIterator[str]:
        if first is not None:
            yield line(first) + "\n"
        async for document in documents:
            yield line(document) + "\n"

    missing = view.counts.sentences - view.counts.done
    headers = {"Medner-Job-State": view.state.value, "Medner-Sentences-Missing": str(missing)}
    return StreamingResponse(lines(), headers=headers, media_type=LINES)


def _entities_line(document: AnnotatedDocument) -> str:
    text = document.document.text
    entities = tuple(
        EntityAnswer(start=one.start, end=one.end, label=one.label, text=one.text_in(text)) for one in document.entities
    )
    return ResultLine(id=document.document.id, entities=entities).model_dump_json()


_FORMS: dict[str, Callable[[AnnotatedDocument], str]] = {"entities": _entities_line, "full": annotated_to_line}


def _id(request: Request) -> str:
    return str(request.path_params["id"])
