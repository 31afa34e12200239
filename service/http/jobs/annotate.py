"""Texts in, entities out, in one request: a job of the highest priority that the request waits for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from medner.core.choices import JudgeFollow
from medner.core.records import Document
from medner.service.http.access.limits import check_text
from medner.service.http.bodies import body_of
from medner.service.http.context import Service, service_of
from medner.service.http.messages.annotated import DocumentAnswer
from medner.service.http.messages.answers import AnnotatedAnswer, WaitingAnswer
from medner.service.http.messages.problems import Problem, unknown_job
from medner.service.http.messages.requests import AnnotateBody, JobOptions
from medner.service.http.messages.responses import json_answer
from medner.service.http.operation import acts_on
from medner.service.http.waited_jobs import KEEP_DAYS, SPECS, give_up, registered_judge
from medner.service.jobs.watch import remarks
from medner.store.jobs import JobState, Priority, SubmitCallbacks


async def annotate(request: Request) -> Response:
    """POST /v1/annotate"""
    service, body = service_of(request), await body_of(request, AnnotateBody)
    documents = _documents(service, body)
    options = JobOptions(
        **body.model_dump(exclude={"text", "documents", "wait_s"}),
        name="annotate",
        priority=Priority.HIGH,
        keep_days=KEEP_DAYS,
        judge_follow=JudgeFollow.PINNED if body.judge else JudgeFollow.LATEST,
    )
    judge = await registered_judge(service, options)
    spec = await SPECS.spec(service, options, judge)
    submitted = await service.jobs.submit(spec, documents, progress=SubmitCallbacks(waiting=give_up))
    acts_on(request, submitted.id)
    if not await service.endings.wait(submitted.id, body.wait_s):
        return await _later(service, submitted.id)
    view = await service.jobs.find_view(submitted.id)
    if view is None:
        raise unknown_job(submitted.id)
    if view.state in (JobState.FAILED, JobState.CANCELLED):
        raise Problem("unfitting", f"the job {view.state.value}: {view.reason or 'somebody ended it'}", job=view.id)
    found = [DocumentAnswer.of(one) async for one in service.jobs.results(view.id)]
    return json_answer(AnnotatedAnswer(job=view.id, documents=tuple(found)))


async def _later(service: Service, job: str) -> Response:
    view = await service.view(job)
    answer = WaitingAnswer(
        job=job, position=await service.jobs.position(job), remarks=tuple(await remarks(service.jobs, view))
    )
    return json_answer(answer, 202, {"Location": f"/v1/jobs/{job}"})


def _documents(service: Service, body: AnnotateBody) -> list[Document]:
    """The texts of a request. Problem for one that is too long, or two with one id."""
    given = [("text", body.text)] if body.text is not None else [(one.id, one.text) for one in body.documents or ()]
    seen: set[str] = set()
    for number, (name, text) in enumerate(given):
        check_text(text, service.limits, key="text" if body.documents is None else f"documents.{number}.text")
        if name in seen:
            raise Problem("unfitting", "two documents have one id; give each its own", key=f"documents.{number}.id")
        seen.add(name)
    return [Document(name, text) for name, text in given]
