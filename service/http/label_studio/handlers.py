"""The requests of Label Studio: is it there, does it fit the project, predict.

Of an answer that is an error Label Studio shows nothing but status and URL. So what does not fit is told in a URL that
it is sent on to.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from urllib.parse import quote_plus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from medner.core.characters import is_blank
from medner.core.choices import JudgeFollow
from medner.core.errors import UserError
from medner.core.labels import LabelSet, load_label_set
from medner.core.records import Document
from medner.service.config.options import configured
from medner.service.http.bodies import body_of
from medner.service.http.context import Service, service_of
from medner.service.http.label_studio.labelling_config import controls_of, text_of
from medner.service.http.label_studio.matching import MatchedText, matched_texts
from medner.service.http.label_studio.predictions import prediction
from medner.service.http.messages import label_studio as messages
from medner.service.http.messages.annotated import DocumentAnswer, FoundEntity
from medner.service.http.messages.problems import Problem
from medner.service.http.messages.requests import JobOptions
from medner.service.http.messages.responses import json_answer
from medner.service.http.operation import acts_on
from medner.service.http.waited_jobs import KEEP_DAYS, SPECS, give_up, registered_judge
from medner.store.jobs import JobSpec, JobState, JobView, Priority, SubmitCallbacks

log = logging.getLogger("medner.http")

#: Label Studio gives up after 100 s.
_WAIT_S = 90.0
#: Texts of many tasks at once, each Chinese character in six bytes.
_MOST_BYTES = 64 << 20
_LONGEST_REASON = 600
_NO_TRAINING = "medner is not trained from here; export the project and use medner train (docs/label-studio.md)"


async def health(request: Request) -> Response:
    """GET /label-studio/health"""
    await service_of(request).jobs.workers()  # raises where Redis does not answer
    return json_answer(messages.LabelStudioHealthAnswer(status="UP", model_class="medner"))


async def setup(request: Request) -> Response:
    """POST /label-studio/setup"""
    service, body = service_of(request), await body_of(request, messages.LabelStudioSetupBody)
    try:
        spec = await _spec(service, request)
        texts = await _fitting(service, request, body.labelling_config)
        if not await service.jobs.workers():
            raise Problem("unavailable", "no worker runs, so nothing would be predicted; start medner worker")
    except Problem as problem:
        return _told_in_url(request, problem)
    types = {text.name: {code: target.label for code, target in text.targets.items()} for text in texts}
    return json_answer(messages.LabelStudioSetupAnswer(model_version=_model_version(spec), types=types))


async def predict(request: Request) -> Response:
    """POST /label-studio/predict"""
    service = service_of(request)
    body = await body_of(request, messages.LabelStudioPredictBody, most=_MOST_BYTES)
    spec, texts = await _spec(service, request), await _fitting(service, request, body.label_config)
    model_version = _model_version(spec)
    documents = _documents(service, body.tasks, texts)
    entities = await _annotated(request, service, spec, documents) if documents else {}
    results = tuple(
        prediction(texts, {text.name: entities.get(_id(number, text), ()) for text in texts}, model_version)
        for number in range(len(body.tasks))
    )
    return json_answer(messages.LabelStudioPredictAnswer(results=results, model_version=model_version))


async def versions(request: Request) -> Response:
    """GET /label-studio/versions"""
    spec = await _spec(service_of(request), request)
    return json_answer(messages.LabelStudioVersionsAnswer(versions=(_model_version(spec),)))


async def webhook(request: Request) -> Response:
    """POST /label-studio/webhook"""
    body = await body_of(request, messages.LabelStudioWebhookBody)
    if body.action == "START_TRAINING":
        return _told_in_url(request, Problem("unfitting", _NO_TRAINING))
    return json_answer(messages.LabelStudioWebhookAnswer(detail="nothing is done with it"))


async def problem(request: Request) -> Response:
    """GET /label-studio/problems/{reason}"""
    raise Problem("unfitting", request.path_params["reason"].replace("+", " ")[:_LONGEST_REASON])


async def _spec(service: Service, request: Request) -> JobSpec:
    labels, known = request.path_params.get("labels"), service.offer.label_sets
    if labels is not None and labels not in known:
        raise Problem("unfitting", f"labels: no label set {labels!r}; there are {', '.join(known)}")
    options = JobOptions(
        labels=labels,
        name="label-studio",
        priority=Priority.HIGH,
        keep_days=KEEP_DAYS,
        judge_follow=JudgeFollow.LATEST,
    )
    return await SPECS.spec(service, options, await registered_judge(service, options))


async def _fitting(service: Service, request: Request, config: str) -> tuple[MatchedText, ...]:
    """The project's texts and labels. Problem where they do not fit, with another label set where that fits."""
    name = request.path_params.get("labels")
    known = await asyncio.to_thread(_label_sets, service)
    own = known[name or ""]
    try:
        controls = controls_of(config)
        try:
            return matched_texts(controls, own)
        except UserError as error:
            fitting = [other for other, labels in known.items() if other and labels != own and _fits(config, labels)]
            hint = f". {fitting[0]} fits: connect /label-studio/{fitting[0]} instead" if fitting else ""
            raise UserError(f"{error}{hint}") from error
    except UserError as error:
        raise Problem("unfitting", str(error)) from error


def _fits(config: str, labels: LabelSet) -> bool:
    try:
        return bool(matched_texts(controls_of(config), labels))
    except UserError:
        return False


def _label_sets(service: Service) -> Mapping[str, LabelSet]:
    """The label sets that clients may name; "" is the server's default."""
    named = {name: load_label_set(where) for name, where in service.offer.label_sets.items()}
    return {**named, "": load_label_set(configured(service.offer.base).labels)}


def _documents(
    service: Service, tasks: Sequence[messages.LabelStudioTask], texts: Sequence[MatchedText]
) -> list[Document]:
    """What there is to annotate. A task without it gets an empty prediction, so that the others get theirs."""
    found, most = [], service.limits.text_chars
    for number, task in enumerate(tasks):
        for text in texts:
            value = text_of(task.data, text.key)
            if value is not None and len(value) <= most and not is_blank(value):
                found.append(Document(_id(number, text), value))
                continue
            reason = "no text" if value is None else "a blank text" if len(value) <= most else "too long a text"
            log.warning("Label Studio: not annotated", extra={"task": task.id, "key": text.key, "reason": reason})
    return found


async def _annotated(
    request: Request, service: Service, spec: JobSpec, documents: Sequence[Document]
) -> Mapping[str, Sequence[FoundEntity]]:
    """The entities by document, of a job that goes on if it takes longer: the same request then finds its results."""
    view = await _ended(request, service, spec, documents, key=_key(spec, documents))
    if view is None or view.state in (JobState.FAILED, JobState.CANCELLED) or view.counts.dead:
        view = await _ended(request, service, spec, documents, key=None)
    if view is None or view.state in (JobState.FAILED, JobState.CANCELLED):
        state, reason = ("is gone", "deleted") if view is None else (view.state.value, view.reason or "ended by hand")
        raise Problem("unfitting", f"the job of the predictions {state}: {reason}")
    answers = [DocumentAnswer.of(one) async for one in service.jobs.results(view.id)]
    return {one.id: one.entities for one in answers}


async def _ended(
    request: Request, service: Service, spec: JobSpec, documents: Sequence[Document], *, key: str | None
) -> JobView | None:
    submitted = await service.jobs.submit(spec, documents, key=key, progress=SubmitCallbacks(waiting=give_up))
    acts_on(request, submitted.id)
    if not await service.endings.wait(submitted.id, _WAIT_S):
        raise Problem(
            "unavailable",
            f"{len(documents)} texts take longer than {_WAIT_S:g} s; job {submitted.id} goes on, and its results come "
            "when the same tasks are asked for again",
            job=submitted.id,
        )
    return await service.jobs.find_view(submitted.id)


def _key(spec: JobSpec, documents: Sequence[Document]) -> str:
    digest = hashlib.sha256(spec.fingerprint.encode())
    for document in documents:
        digest.update(f"{document.id}\0{len(document.text)}\0{document.text}".encode())
    return f"label-studio-{digest.hexdigest()}"


def _id(number: int, text: MatchedText) -> str:
    return f"{number}/{text.name}"


def _model_version(spec: JobSpec) -> str:
    """Changes with whatever may change a prediction, so that Label Studio asks again."""
    return f"medner-{version('medner')}-{spec.fingerprint[:8]}"


def _told_in_url(request: Request, problem: Problem) -> Response:
    log.warning("Label Studio: does not fit", extra={"reason": problem.detail})
    words = quote_plus(problem.detail.replace("/", "∕")[:_LONGEST_REASON], safe="-._,:;()='")
    base = request.url.path.rpartition("/label-studio/")[0]
    return RedirectResponse(f"{base}/label-studio/problems/{words}", 303)
