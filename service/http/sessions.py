"""A browser's session: a key once, then a cookie that scripts cannot read and other sites cannot send."""

from __future__ import annotations

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from medner.service.http.access.callers import COOKIE, SESSION_S
from medner.service.http.access.limits import read_body
from medner.service.http.context import service_of
from medner.service.http.messages.answers import SessionAnswer
from medner.service.http.messages.problems import Problem, refused
from medner.service.http.messages.requests import SessionBody
from medner.service.http.messages.responses import json_answer
from medner.service.http.scopes import Scope

#: Whoever has no key yet is read no further.
_MOST_BYTES = 4_096


async def session(request: Request) -> Response:
    """GET /v1/session"""
    access = service_of(request).access
    caller = access.caller(request.headers)
    return json_answer(
        SessionAnswer(
            key_needed=access.ring.needed,
            name=None if caller is None else caller.name,
            scopes=() if caller is None else tuple(one for one in Scope if one in caller.scopes),
        )
    )


async def begin(request: Request) -> Response:
    """POST /v1/session"""
    service = service_of(request)
    try:
        body = SessionBody.model_validate_json(await read_body(request, service.limits, most=_MOST_BYTES))
    except ValidationError as error:
        raise refused(error, SessionBody, "the body") from error
    token = service.access.begin(body.key.strip())
    if token is None:
        raise Problem("no-key", "this key is none of the server's; medner serve keys add NAME makes one")
    response = Response(status_code=204)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, max_age=SESSION_S, httponly=True, samesite="strict", secure=secure)
    return response


async def end(request: Request) -> Response:
    """DELETE /v1/session"""
    service_of(request).access.end(request.headers)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
