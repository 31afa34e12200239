"""The audit log, for those who may administer."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from medner.service.http.context import service_of
from medner.service.http.messages.audit import AuditAnswer
from medner.service.http.messages.responses import json_answer, place_of, query_of
from medner.service.http.messages.trace_requests import PageOf


async def audit(request: Request) -> Response:
    """GET /v1/audit"""
    wanted = query_of(request, PageOf)
    before = None if wanted.cursor is None else place_of(wanted.cursor)
    page = await asyncio.to_thread(service_of(request).audit.page, wanted.limit, before)
    return json_answer(AuditAnswer(entries=page.entries, next=None if page.next is None else str(page.next)))
