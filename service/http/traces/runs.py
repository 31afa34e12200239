"""Runs of traces and their sentences: listed, shown, compared, exported, removed."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from medner.core.errors import UserError
from medner.core.records import Document, Entity
from medner.evaluation.measures.disputes import disputes_in
from medner.service.http.bodies import body_of
from medner.service.http.context import service_of
from medner.service.http.messages.annotated import PlainEntity
from medner.service.http.messages.comparison_answers import AgreementAnswer, ChangeAnswer, DiffAnswer
from medner.service.http.messages.problems import Problem
from medner.service.http.messages.responses import json_answer, place_of, query_of
from medner.service.http.messages.trace_answers import (
    PathAnswer,
    RemovedAnswer,
    RunAnswer,
    RunDetailAnswer,
    RunsAnswer,
    SentencesAnswer,
    SummaryAnswer,
)
from medner.service.http.messages.trace_requests import (
    AgreementQuery,
    DiffQuery,
    ExportQuery,
    GoldBody,
    RunsQuery,
    SentencesQuery,
)
from medner.service.http.operation import LINES
from medner.service.http.resources.trace_place import trace_of
from medner.service.http.traces.views import path_of
from medner.service.traces.differences import Sides, annotations_of, compared
from medner.service.traces.exporting import decided_annotations, judge_examples, lines_of, sentence_documents
from medner.service.traces.scoring import scored
from medner.store.traces import RunRecord, TraceBackend, TraceSummary

_KEEPS: Mapping[str | None, Callable[[TraceSummary], bool]] = {
    None: lambda _: True,
    "conflicts": lambda one: one.conflicts > 0,
    "abstained": lambda one: one.abstained > 0,
    "fallbacks": lambda one: one.fallbacks > 0,
    "overruled": lambda one: one.overruled > 0,
}


async def runs(request: Request) -> Response:
    """GET /v1/traces"""
    wanted = query_of(request, RunsQuery)
    backend = await service_of(request).traces.backend()
    if backend is None:
        return json_answer(RunsAnswer(runs=(), next=None))
    return json_answer(await asyncio.to_thread(_runs, backend, wanted))


def _runs(backend: TraceBackend, wanted: RunsQuery) -> RunsAnswer:
    before = None if wanted.cursor is None else _place(wanted.cursor)
    found = backend.newest(wanted.limit + 1, before)
    page = found[: wanted.limit]
    return RunsAnswer(
        runs=tuple(RunAnswer.of(run, backend.count(run.run)) for run in page),
        next=_cursor(page[-1]) if len(found) > len(page) else None,
    )


def _cursor(run: RunRecord) -> str:
    return f"{int(run.created.timestamp())}:{quote(run.run, safe='')}"


def _place(cursor: str) -> tuple[datetime, str]:
    moment, _, run = cursor.partition(":")
    return datetime.fromtimestamp(int(moment), UTC), unquote(run)


async def show(request: Request) -> Response:
    """GET /v1/traces/{run}"""
    return json_answer(await service_of(request).traces.call(_run(request), _detail))


def _detail(backend: TraceBackend, run: RunRecord) -> RunDetailAnswer:
    found = list(backend.summaries(run.run))
    return RunDetailAnswer(
        **RunAnswer.of(run, len(found)).model_dump(),
        conflicts=sum(one.conflicts for one in found),
        fallbacks=sum(one.fallbacks for one in found),
        abstained=sum(one.abstained for one in found),
        overruled=sum(one.overruled for one in found),
        forks=tuple(backend.forks(run.run)),
    )


async def remove(request: Request) -> Response:
    """DELETE /v1/traces/{run}"""

    def removed(backend: TraceBackend, run: RunRecord) -> RemovedAnswer:
        forks = tuple(backend.forks(run.run))
        return RemovedAnswer(removed=backend.remove(run.run), forks=forks)

    return json_answer(await service_of(request).traces.call(_run(request), removed))


async def sentences(request: Request) -> Response:
    """GET /v1/traces/{run}/sentences"""
    wanted = query_of(request, SentencesQuery)
    begin, keeps = place_of(wanted.cursor), _KEEPS[wanted.only]

    def page(backend: TraceBackend, run: RunRecord) -> SentencesAnswer:
        found: list[tuple[int, TraceSummary]] = []
        for number, one in enumerate(backend.summaries(run.run), 1):
            if number <= begin or not keeps(one):
                continue
            if len(found) == wanted.limit:
                return _sentences(found, str(found[-1][0]))
            found.append((number, one))
        return _sentences(found, None)

    return json_answer(await service_of(request).traces.call(_run(request), page))


def _sentences(found: list[tuple[int, TraceSummary]], following: str | None) -> SentencesAnswer:
    return SentencesAnswer(sentences=tuple(SummaryAnswer.of(*one) for one in found), next=following)


async def path(request: Request) -> Response:
    """GET /v1/traces/{run}/sentences/{sentence}"""
    sentence = str(request.path_params["sentence"])

    def whole(backend: TraceBackend, run: RunRecord) -> PathAnswer:
        trace = trace_of(backend, run, sentence)
        forks = [one for one in backend.forks(run.run) if backend.trace(one, sentence) is not None]
        return path_of(run, trace, forks)

    return json_answer(await service_of(request).traces.call(_run(request), whole))


async def agreement(request: Request) -> Response:
    """GET /v1/traces/{run}/agreement"""
    wanted = query_of(request, AgreementQuery)

    def counted(backend: TraceBackend, run: RunRecord) -> AgreementAnswer:
        return AgreementAnswer.of(disputes_in(annotations_of(backend, run.run)).as_data(most=wanted.show))

    return json_answer(await service_of(request).traces.call(_run(request), counted))


async def diff(request: Request) -> Response:
    """GET /v1/traces/{run}/diff/{other}"""
    return await _diff(request, None)


async def diff_with_gold(request: Request) -> Response:
    """POST /v1/traces/{run}/diff/{other}"""
    return await _diff(request, await body_of(request, GoldBody))


async def _diff(request: Request, gold: GoldBody | None) -> Response:
    wanted = query_of(request, DiffQuery)
    service, a, b = service_of(request), _run(request), str(request.path_params["other"])
    await service.traces.call(b, lambda *_: None)

    def told(backend: TraceBackend, run: RunRecord) -> DiffAnswer:
        sides = compared(backend, run.run, b)
        return _difference((a, b), sides, wanted.show, None if gold is None else _score(gold, sides))

    return json_answer(await service.traces.call(a, told))


def _difference(names: tuple[str, str], sides: Sides, show: int, score: dict[str, Any] | None) -> DiffAnswer:
    changes = tuple(
        ChangeAnswer(
            sentence=one.sentence_id,
            text=one.text,
            only_a=tuple(PlainEntity.of(each, one.text, 0) for each in one.only_a),
            only_b=tuple(PlainEntity.of(each, one.text, 0) for each in one.only_b),
        )
        for one in sides.differences.changes[:show]
    )
    counts = sides.differences.as_data()
    return DiffAnswer.model_validate({"a": names[0], "b": names[1], **counts, "changes": changes, "score": score})


def _score(gold: GoldBody, sides: Sides) -> dict[str, Any]:
    try:
        documents = [
            Document(one.id, one.text, tuple(Entity(each.start, each.end, each.label) for each in one.entities))
            for one in gold.documents
        ]
    except ValueError as error:
        raise Problem("unfitting", f"the body: {error}") from error
    try:
        found = scored(documents, sides, seed=gold.seed, resamples=gold.resamples)
    except UserError as error:
        raise Problem("unfitting", str(error).removeprefix("--gold: ")) from error
    cleaned: dict[str, Any] = _without_nan(found)
    return cleaned


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


async def export(request: Request) -> Response:
    """GET /v1/traces/{run}/export"""
    wanted = query_of(request, ExportQuery)

    def lines(backend: TraceBackend, run: RunRecord) -> Iterator[str]:
        if wanted.decisions:
            found = decided_annotations(backend, run).values()
            return (json.dumps(one, ensure_ascii=False) + "\n" for one in judge_examples(found, run.labels.name))
        return (line + "\n" for line in lines_of(sentence_documents(annotations_of(backend, run.run))))

    return StreamingResponse(await service_of(request).traces.call(_run(request), lines), media_type=LINES)


def _run(request: Request) -> str:
    return str(request.path_params["run"])
