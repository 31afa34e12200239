"""Submitting: documents in, a job's id out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from medner.core.records import Document
from medner.service.http.access.limits import check_text, read_body
from medner.service.http.context import Service, service_of
from medner.service.http.jobs.ndjson import handed_over, line_documents
from medner.service.http.messages.answers import SubmitAnswer
from medner.service.http.messages.problems import Problem, refused
from medner.service.http.messages.requests import JobOptions, SubmitBody
from medner.service.http.messages.responses import json_answer, query_of
from medner.service.http.operation import JSON, LINES, acts_on
from medner.service.http.waited_jobs import give_up, registered_judge
from medner.store.jobs import JobSpec, SubmitCallbacks

_LONGEST_KEY = 200


async def submit(request: Request) -> Response:
    """POST /v1/jobs"""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        return await _submit_json(request)
    if kind == LINES:
        return await _submit_lines(request)
    raise Problem(
        "wrong-media-type",
        f"Content-Type {kind or '(none)'} is not read; send {JSON} with the documents, or {LINES} with one a line",
    )


async def _submit_json(request: Request) -> Response:
    service = service_of(request)
    # What the query says holds where the body says nothing.
    usual = query_of(request, JobOptions)
    data = await read_body(request, service.limits)
    try:
        body = SubmitBody.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise refused(error, SubmitBody, "the body") from error
    seen: set[str] = set()
    for number, one in enumerate(body.documents):
        check_text(one.text, service.limits, key=f"documents.{number}.text")
        if one.id in seen:
            raise Problem("unfitting", "two documents have one id; give each its own", key=f"documents.{number}.id")
        seen.add(one.id)
    given = body.model_dump(exclude={"documents"}, exclude_unset=True)
    options = JobOptions(**{**usual.model_dump(exclude_unset=True), **given})
    spec = await _spec(service, options)
    return await _submitted(request, service, spec, [Document(one.id, one.text) for one in body.documents])


async def _submit_lines(request: Request) -> Response:
    service = service_of(request)
    spec = await _spec(service, query_of(request, JobOptions))
    if service.streams.locked():
        raise Problem("busy", f"{service.limits.streams} streams are being read already; try again in a moment")
    async with service.streams:
        batches = line_documents(request, service.limits)
        return await _submitted(request, service, spec, handed_over(batches))


async def _spec(service: Service, options: JobOptions) -> JobSpec:
    """The specification."""
    judge = await registered_judge(service, options)
    return await asyncio.to_thread(service.offer.spec, options, judge)


async def _submitted(request: Request, service: Service, spec: JobSpec, documents: Iterable[Document]) -> Response:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise Problem("bad-request", f"Idempotency-Key: has {len(key)} characters; give it 1 to {_LONGEST_KEY}")
    submitted = await service.jobs.submit(spec, documents, key=key, progress=SubmitCallbacks(waiting=give_up))
    acts_on(request, submitted.id)
    view = await service.jobs.find_view(submitted.id)
    if view is None:
        raise Problem("busy", "another submit with this Idempotency-Key has just broken off; send it again")
    if not submitted.created and view.spec is not None and view.spec.fingerprint != spec.fingerprint:
        raise Problem(
            "key-in-use",
            f"this Idempotency-Key led to {view.id}, which has other options; use another key",
            job=view.id,
        )
    answer = SubmitAnswer(
        id=view.id,
        created=submitted.created,
        state=view.state,
        documents=view.counts.documents,
        sentences=view.counts.sentences,
    )
    return json_answer(answer, 202, {"Location": f"/v1/jobs/{view.id}"})
