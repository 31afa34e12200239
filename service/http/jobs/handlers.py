"""Looking at jobs and steering them."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response

from medner.core.errors import UserError
from medner.service.http.context import service_of
from medner.service.http.messages.answers import (
    DeadAnswer,
    DeadLettersAnswer,
    HealthAnswer,
    JobAnswer,
    JobsAnswer,
    LabelSetsAnswer,
    ReplayAnswer,
    WorkerAnswer,
    moment,
)
from medner.service.http.messages.problems import Problem
from medner.service.http.messages.requests import ListQuery
from medner.service.http.messages.responses import json_answer, query_of, wrong_cursor


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
    try:
        page, workers = await asyncio.gather(
            jobs.page(wanted.limit, after=wanted.cursor, state=wanted.state, name=wanted.name), jobs.workers()
        )
    except UserError as error:
        raise wrong_cursor() from error
    return json_answer(
        JobsAnswer(
            jobs=tuple(JobAnswer.of(view) for view in page.views),
            total=page.total,
            next=page.next,
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


def _id(request: Request) -> str:
    return str(request.path_params["id"])
