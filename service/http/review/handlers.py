"""Conflicts of a job, one at a time to one reviewer at a time."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from medner.core.errors import UserError
from medner.core.records import Annotation, Conflict
from medner.service.http.access.audit import without_names
from medner.service.http.bodies import body_of
from medner.service.http.context import Service, service_of
from medner.service.http.judges.naming import judge_table
from medner.service.http.messages.annotated import FullConflictAnswer, VerdictAnswer
from medner.service.http.messages.answers import moment
from medner.service.http.messages.problems import Problem
from medner.service.http.messages.responses import json_answer
from medner.service.http.messages.review_messages import (
    AskBody,
    AskedAnswer,
    ClaimAnswer,
    ClaimBody,
    DecidedAnswer,
    DecisionsFor,
    DoubtAnswer,
    KeptAnswer,
    ProgressAnswer,
    SkipBody,
    UndoBody,
)
from medner.service.http.messages.trace_requests import DecisionBody
from medner.service.http.operation import acts_on, caller_of, person_of
from medner.service.http.resources.trace_place import trace_of
from medner.service.http.review.index import bring_up_to_date
from medner.service.http.traces.decisions import restored, ruling_of, shown_conflict
from medner.service.review.worth import decisions_for
from medner.service.traces.forking import asked
from medner.service.traces.overruling import overrule
from medner.store.reviews import Claim, Filters
from medner.store.reviews.queue import WRITING_S
from medner.store.traces import RunRecord, Trace, TraceBackend


async def progress(request: Request) -> Response:
    """GET /v1/jobs/{id}/review/progress"""
    service, job = service_of(request), str(request.path_params["id"])
    await bring_up_to_date(service, job)
    state = await service.reviews.state(job)
    settled, left = sum(one.doubt for one in state.decided), sum(one.doubt for one in state.waiting)
    total = settled + left + sum(one.doubt for one in state.skipped)
    return json_answer(
        ProgressAnswer(
            conflicts=len(state.waiting) + len(state.skipped) + len(state.decided),
            decided=len(state.decided),
            skipped=len(state.skipped),
            claimed=state.claimed,
            left=len(state.waiting),
            doubt=DoubtAnswer(
                total=round(total, 4),
                settled=round(settled / total, 4) if total else 1.0,
                left=round((total - settled) / total, 4) if total else 0.0,
            ),
            decisions_for=tuple(
                DecisionsFor(share=share, decisions=number)
                for share, number in decisions_for((*state.waiting, *state.skipped), settled).items()
            ),
            per_minute=state.per_minute,
        )
    )


async def claim(request: Request) -> Response:
    """POST /v1/jobs/{id}/review/claim"""
    service, job = service_of(request), str(request.path_params["id"])
    body = await body_of(request, ClaimBody, required=False)
    by = person_of(request, body.by)
    await bring_up_to_date(service, job)
    filters = Filters(body.kinds, body.label, body.skipped)
    while (held := await service.reviews.claim(job, by, filters)) is not None:
        found = await service.traces.call(job, partial(_claimed, held))
        if found is not None:
            return json_answer(await _counted(service, found))
        # Decided by another way meanwhile, a command for example; or its trace is gone.
        await service.reviews.decide(held)
    return Response(status_code=204)


def _claimed(held: Claim, backend: TraceBackend, run: RunRecord) -> ClaimAnswer | None:
    """The conflict of a claim; None where it needs no decision any more."""
    item = held.item
    trace = backend.trace(run.run, item.sentence)
    if trace is None or _decider(trace.annotation, item.conflict) is not None:
        return None
    sentence = trace.annotation.sentence
    return ClaimAnswer(
        claim=held.token,
        expires=moment(held.until_s),
        job=held.job,
        run=run.run,
        sentence=item.sentence,
        document=sentence.document_id,
        text=sentence.text,
        offset=sentence.offset,
        labels=run.labels.name,
        conflict=shown_conflict(trace.annotation, item.conflict),
        worth=round(item.doubt, 4),
        before=0,
        left=0,
    )


async def _counted(service: Service, found: ClaimAnswer) -> ClaimAnswer:
    before, left = await service.reviews.numbers(found.job)
    return found.model_copy(update={"before": before, "left": left})


def _decider(annotation: Annotation, conflict: str) -> str | None:
    """Who overruled a conflict's judge, None for nobody."""
    verdict = next((one for one in annotation.verdicts if one.conflict_id == conflict), None)
    return None if verdict is None or verdict.overruled is None else verdict.overruled.by


async def keep(request: Request) -> Response:
    """POST /v1/review/claims/{token}/keep"""
    held = await _held(request)
    until = await service_of(request).reviews.keep(held)
    if until is None:
        raise _lost()
    return json_answer(KeptAnswer(expires=moment(until)))


async def decide(request: Request) -> Response:
    """POST /v1/review/claims/{token}/decide"""
    service, held = service_of(request), await _held(request)
    body = await body_of(request, DecisionBody)
    ruling = ruling_of(request, body.model_copy(update={"by": body.by or held.by}), held.item.conflict)
    if await service.reviews.keep(held, lease_s=WRITING_S) is None:
        raise _lost()

    async def use(backend: TraceBackend, run: RunRecord) -> FullConflictAnswer | None:
        trace = trace_of(backend, run, held.item.sentence)
        if _decider(trace.annotation, held.item.conflict) is not None:
            return None
        try:
            after = await overrule(backend, run, trace, ruling)
        except UserError as error:
            raise Problem("unfitting", str(error)) from error
        return shown_conflict(after, held.item.conflict)

    found = await service.traces.change(held.job, use)
    at = await service.reviews.decide(held)
    if found is None or at is None:
        raise _lost()
    return json_answer(DecidedAnswer(conflict=found, decided_at=moment(at)))


async def skip(request: Request) -> Response:
    """POST /v1/review/claims/{token}/skip"""
    held = await _held(request)
    await body_of(request, SkipBody, required=False)
    if not await service_of(request).reviews.skip(held):
        raise _lost()
    return Response(status_code=204)


async def release(request: Request) -> Response:
    """DELETE /v1/review/claims/{token}"""
    # A claim that is lost already is given back as well.
    await service_of(request).reviews.release(await _held(request))
    return Response(status_code=204)


async def ask(request: Request) -> Response:
    """POST /v1/review/claims/{token}/ask"""
    service, held = service_of(request), await _held(request)
    table = await judge_table(service, (await body_of(request, AskBody)).judge)

    def read(backend: TraceBackend, run: RunRecord) -> tuple[RunRecord, Trace]:
        return run, trace_of(backend, run, held.item.sentence)

    run, trace = await service.traces.call(held.job, read)
    found = await service.judging.alone(lambda: asked(run, trace, table, service.engine_factory))
    conflict = next(one for one in trace.annotation.conflicts if one.id == held.item.conflict)
    return json_answer(AskedAnswer(verdict=verdict_about(found, conflict, str(table["kind"]))))


def verdict_about(annotation: Annotation, asked_about: Conflict, judge: str) -> VerdictAnswer:
    """The verdict on a conflict, its candidates numbered as there. Problem where that judge does not see it as one.

    A judge that counts votes is asked about disagreements alone, which then have other ids.
    """
    entities = {one.entity for one in asked_about.candidates}
    for conflict in annotation.conflicts:
        if {one.entity for one in conflict.candidates} <= entities:
            verdict = next(one for one in annotation.verdicts if one.conflict_id == conflict.id)
            return VerdictAnswer.of(verdict, asked_about, annotation.sentence.text, 0)
    raise Problem(
        "unfitting",
        f"judge: {judge} goes by who gave an entity, and the taggers do not disagree here; ask one that goes by "
        "scores, as filter-score",
    )


async def undo(request: Request) -> Response:
    """POST /v1/jobs/{id}/review/undo"""
    service, job = service_of(request), str(request.path_params["id"])
    body = await body_of(request, UndoBody, required=False)
    await service.view(job)
    by = person_of(request, body.by)
    newest = await service.reviews.newest_of(job, by)
    if newest is None:
        raise Problem("wrong-state", f"{by} decided nothing in the review of this job that could be taken back")
    sentence, conflict = newest
    acts_on(request, f"{job}/{without_names(sentence)}/{conflict}")
    found = await restored(service, job, sentence, conflict)
    await service.reviews.note_open(job, sentence, conflict)
    return json_answer(found)


async def _held(request: Request) -> Claim:
    """The claim that a request acts on. Problem where there is none of the caller's."""
    held = await service_of(request).reviews.claim_of(str(request.path_params["token"]))
    name = caller_of(request).name
    if held is None or (name and held.by != name):
        raise Problem("unknown-claim", "there is no such claim of yours; POST /v1/jobs/{id}/review/claim gives one")
    acts_on(request, f"{held.job}/{without_names(held.item.sentence)}/{held.item.conflict}")
    return held


def _lost() -> Problem:
    return Problem("claim-lost", "somebody else has this conflict now, or decided it; claim the next one")
