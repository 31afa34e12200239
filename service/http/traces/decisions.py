"""Forks to another judge, and people's decisions over a judge's."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from medner.core.errors import UserError
from medner.core.records import Annotation, Entity
from medner.service.http.access.audit import without_names
from medner.service.http.bodies import body_of
from medner.service.http.context import Service, service_of
from medner.service.http.judges.naming import judge_table
from medner.service.http.messages.annotated import FullConflictAnswer, full_conflict
from medner.service.http.messages.problems import Problem
from medner.service.http.messages.responses import json_answer
from medner.service.http.messages.trace_answers import ForkAnswer
from medner.service.http.messages.trace_requests import DecisionBody, ForkBody, OverruleBody
from medner.service.http.operation import acts_on, person_of
from medner.service.http.resources.trace_place import trace_of
from medner.service.traces.forking import ForkOrder, chosen_traces, forked
from medner.service.traces.overruling import NotOverruledError, Ruling, overrule, take_back
from medner.store.traces import RunRecord, TraceBackend, TraceSummary


async def fork(request: Request) -> Response:
    """POST /v1/traces/{run}/fork"""
    service, body, run = service_of(request), await body_of(request, ForkBody), str(request.path_params["run"])
    table = await judge_table(service, body.judge)
    chosen, source, backend = await service.traces.call(run, partial(_chosen, body))
    order = ForkOrder(source, table, chosen, keep_days=body.keep_days, engine_factory=service.engine_factory)
    found = await service.judging.alone(lambda: forked(backend, order))
    return json_answer(ForkAnswer(run=found.run, decided=found.decided, changed=found.changed), 201)


def _chosen(
    body: ForkBody, backend: TraceBackend, run: RunRecord
) -> tuple[list[TraceSummary], RunRecord, TraceBackend]:
    """The sentences of a fork. Problem where there are none, or one of those named is none."""
    chosen = chosen_traces(backend, run)
    if body.sentences is not None:
        named = set(body.sentences)
        chosen = [one for one in chosen if one.sentence_id in named]
        if len(chosen) < len(named):
            raise Problem("unfitting", "sentences: some have no trace with a conflict in this run", key="sentences")
    elif body.sample is not None:
        chosen = chosen_traces(backend, run, sample=body.sample, seed=body.seed)
    if not chosen:
        raise Problem("unfitting", f"run {run.run} has no trace with a conflict, so there is nothing to settle again")
    return chosen, run, backend


async def overrule_conflict(request: Request) -> Response:
    """POST /v1/traces/{run}/sentences/{sentence}/conflicts/{conflict}/overrule"""
    run, sentence, conflict = _names(request)
    body = await body_of(request, OverruleBody)
    if not body.why.strip():
        raise Problem("unfitting", "why: a reason is needed", key="why")
    ruling = ruling_of(request, body, conflict)
    found = await decided(service_of(request), run, sentence, ruling)
    await service_of(request).reviews.note_decided(run, sentence, conflict, ruling.by)
    return json_answer(found)


async def restore_conflict(request: Request) -> Response:
    """DELETE /v1/traces/{run}/sentences/{sentence}/conflicts/{conflict}/overrule"""
    run, sentence, conflict = _names(request)
    found = await restored(service_of(request), run, sentence, conflict)
    await service_of(request).reviews.note_open(run, sentence, conflict)
    return json_answer(found)


async def decided(service: Service, run: str, sentence: str, ruling: Ruling) -> FullConflictAnswer:
    """The conflict after a person's decision. Problem where it cannot be decided so."""

    async def use(backend: TraceBackend, record: RunRecord) -> FullConflictAnswer:
        trace = trace_of(backend, record, sentence)
        try:
            after = await overrule(backend, record, trace, ruling)
        except UserError as error:
            raise Problem("unfitting", str(error)) from error
        return shown_conflict(after, ruling.conflict_id)

    return await service.traces.change(run, use)


async def restored(service: Service, run: str, sentence: str, conflict: str) -> FullConflictAnswer:
    """The conflict after a decision was taken back. Problem where there is none."""

    async def use(backend: TraceBackend, record: RunRecord) -> FullConflictAnswer:
        trace = trace_of(backend, record, sentence)
        try:
            after = await take_back(backend, record, trace, conflict)
        except NotOverruledError as error:
            raise Problem("wrong-state", f"conflict {conflict} has no person's decision to take back") from error
        except UserError as error:
            raise Problem("unknown-sentence", str(error)) from error
        return shown_conflict(after, conflict)

    return await service.traces.change(run, use)


def shown_conflict(annotation: Annotation, conflict: str) -> FullConflictAnswer:
    """A conflict of an annotation that has it."""
    return full_conflict(annotation, next(one for one in annotation.conflicts if one.id == conflict))


def ruling_of(request: Request, body: DecisionBody, conflict: str) -> Ruling:
    """The decision of a body. Problem for one that contradicts itself, or another's name."""
    by = person_of(request, body.by)
    try:
        add = tuple(Entity(one.start, one.end, one.label) for one in body.add)
    except ValueError as error:
        raise Problem("unfitting", f"add: {error}", key="add") from error
    return Ruling(conflict, tuple(sorted(set(body.keep))), by, body.why.strip() or "reviewed", add)


def _names(request: Request) -> tuple[str, str, str]:
    run, sentence, conflict = (str(request.path_params[name]) for name in ("run", "sentence", "conflict"))
    acts_on(request, f"{run}/{without_names(sentence)}/{conflict}")
    return run, sentence, conflict
