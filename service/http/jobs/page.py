"""A job's documents as the page of annotations."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import AnnotatedDocument
from medner.service.config.frozen import thaw
from medner.service.http.context import Service, service_of
from medner.service.http.messages.requests import PageQuery
from medner.service.http.messages.responses import query_of
from medner.service.page.page import Language, render_page
from medner.store.jobs import TERMINAL, JobView

#: A page of more text than this is slow to open; what follows stands on the next one.
_MOST_CHARS = 400_000
_UNFINISHED: Mapping[Language, str] = {
    "zh": "任务尚未全部完成：没有结果的句子标为“未标注”。",
    "en": "The job is not done: sentences without a result are marked as not annotated.",
}
#: The page's own policy stands in it, by hashes; this one lets the server's own page show it.
_POLICY = "frame-ancestors 'self'"


async def page(request: Request) -> Response:
    """GET /v1/jobs/{id}/page"""
    service, wanted = service_of(request), query_of(request, PageQuery)
    view = await service.view(str(request.path_params["id"]))
    documents = await _documents(service, view.id, wanted)
    html = await asyncio.to_thread(_rendered, view, documents, wanted.language)
    return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY, "Medner-Documents": str(len(documents))})


async def _documents(service: Service, job: str, wanted: PageQuery) -> list[AnnotatedDocument]:
    found: list[AnnotatedDocument] = []
    chars = 0
    async for document in service.jobs.results(job, offset=wanted.offset):
        chars += len(document.document.text)
        if found and chars > _MOST_CHARS:
            break
        found.append(document)
        if len(found) == wanted.limit:
            break
    return found


def _rendered(view: JobView, documents: list[AnnotatedDocument], language: Language) -> str:
    labels, facts, notice = _described(view, language)
    done = view.state in TERMINAL and view.counts.left == 0
    notices = [one for one in (None if done else _UNFINISHED[language], notice) if one]
    return render_page(
        documents,
        labels,
        title=view.name or view.id,
        configuration=facts,
        notice="\n".join(notices) or None,
        language=language,
    )


def _described(view: JobView, language: Language) -> tuple[LabelSet, dict[str, str], str | None]:
    """The label set, what the page says of the job, and what its reader must know of the taggers.

    A label set or an adapter that is no longer here leaves the codes of the types, and says so.
    """
    facts = {"job": view.id, "state": view.state.value}
    if view.spec is None:
        return LabelSet("", "", ()), facts, None
    facts["fingerprint"] = view.spec.fingerprint
    try:
        configuration = thaw(view.spec.configuration)
        labels = configuration.label_set
    except UserError as error:
        return LabelSet("", "", ()), facts, str(error)
    return labels, {**facts, **configuration.described()}, configuration.notice(language)
