"""The documents of a job with filters, and how far its taggers agree."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from starlette.requests import Request
from starlette.responses import Response

from medner.core.records import AnnotatedDocument, Conflict, Verdict
from medner.evaluation.measures.disputes import Disputes
from medner.service.http.context import service_of
from medner.service.http.jobs.decided import decided_results
from medner.service.http.messages.annotated import DocumentAnswer
from medner.service.http.messages.answers import DocumentsAnswer
from medner.service.http.messages.comparison_answers import AgreementAnswer
from medner.service.http.messages.requests import DocumentsQuery
from medner.service.http.messages.responses import json_answer, place_of, query_of
from medner.service.http.messages.trace_requests import AgreementQuery

#: A page looks through so many documents at most; what is left is on the next one.
_LOOKED_AT = 2_000
#: A page of more text than this is slow to open.
_MOST_CHARS = 400_000

_Keeps = Callable[[AnnotatedDocument], bool]


async def documents(request: Request) -> Response:
    """GET /v1/jobs/{id}/documents"""
    service, wanted = service_of(request), query_of(request, DocumentsQuery)
    view, begin, keeps = await service.view(str(request.path_params["id"])), place_of(wanted.cursor), _filter(wanted)
    found: list[DocumentAnswer] = []
    following, chars, place = None, 0, begin
    async for document in decided_results(service, view.id, offset=begin):
        fits = keeps(document)
        size = len(document.document.text) if fits else 0
        full = len(found) == wanted.limit or (found and chars + size > _MOST_CHARS)
        if (fits and full) or place - begin == _LOOKED_AT:
            following = str(place)
            break
        if fits:
            found.append(DocumentAnswer.of(document))
            chars += size
        place += 1
    return json_answer(DocumentsAnswer(documents=tuple(found), next=following))


def _filter(wanted: DocumentsQuery) -> _Keeps:
    """Whether a document is wanted: every filter that is given must fit."""
    checks: list[_Keeps] = []
    if wanted.only is not None:
        checks.append(_ONLY[wanted.only])
    if wanted.document is not None:
        checks.append(lambda document: document.document.id == wanted.document)
    if wanted.label is not None:
        label = wanted.label
        checks.append(lambda document: _has_label(document, label))
    if wanted.taggers is not None:
        first, _, second = wanted.taggers.replace("，", ",").partition(",")
        pair = (first.strip(), second.strip())
        checks.append(lambda document: any(_disagree(one, *pair) for one, _ in _conflicts(document)))
    return lambda document: all(check(document) for check in checks)


def _conflicts(document: AnnotatedDocument) -> Iterator[tuple[Conflict, Verdict | None]]:
    for annotation in document.annotations:
        verdicts = {one.conflict_id: one for one in annotation.verdicts}
        for conflict in annotation.conflicts:
            yield conflict, verdicts.get(conflict.id)


def _has_label(document: AnnotatedDocument, label: str) -> bool:
    found = any(one.entity.label == label for each in document.annotations for one in each.entities)
    return found or any(
        candidate.entity.label == label for conflict, _ in _conflicts(document) for candidate in conflict.candidates
    )


def _disagree(conflict: Conflict, one: str, other: str) -> bool:
    return any((one in candidate.taggers) != (other in candidate.taggers) for candidate in conflict.candidates)


_ONLY: dict[str, _Keeps] = {
    "conflicts": lambda document: any(True for _ in _conflicts(document)),
    "fallbacks": lambda document: any(one is not None and one.fallback is not None for _, one in _conflicts(document)),
    "abstained": lambda document: any(
        one is not None and one.abstained and one.overruled is None for _, one in _conflicts(document)
    ),
    "overruled": lambda document: any(one is not None and one.overruled is not None for _, one in _conflicts(document)),
    "failures": lambda document: any(annotation.failures for annotation in document.annotations),
}


async def agreement(request: Request) -> Response:
    """GET /v1/jobs/{id}/agreement"""
    service, wanted = service_of(request), query_of(request, AgreementQuery)
    view = await service.view(str(request.path_params["id"]))
    disputes = Disputes()
    async for document in decided_results(service, view.id):
        for annotation in document.annotations:
            disputes.add(annotation)
        await asyncio.sleep(0)  # other requests go on meanwhile
    return json_answer(AgreementAnswer.of(disputes.as_data(most=wanted.show)))
