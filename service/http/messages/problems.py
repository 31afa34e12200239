"""What goes wrong, as ``application/problem+json`` (RFC 9457): what it is, why, and the way out.

No message repeats a text of a note.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from medner.core.errors import ExternalError, MednerError, UserError
from medner.core.validation import complaint
from medner.store.redis import plain_redis_errors

log = logging.getLogger("medner.http")

MEDIA_TYPE = "application/problem+json"
_AGAIN_S = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its HTTP status, and what it is called."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "bad-request": Kind(400, "The request cannot be understood"),
    "bad-line": Kind(400, "A line of the stream cannot be read"),
    "no-key": Kind(401, "An API key is needed"),
    "no-scope": Kind(403, "The key may not do this"),
    "forbidden-origin": Kind(403, "The request comes from a page of another site"),
    "unknown-job": Kind(404, "There is no such job"),
    "unknown-run": Kind(404, "There is no such run of traces"),
    "unknown-sentence": Kind(404, "There is no such trace"),
    "unknown-judge": Kind(404, "There is no such judge"),
    "unknown-claim": Kind(404, "There is no such claim"),
    "unknown-path": Kind(404, "There is nothing at this path"),
    "wrong-method": Kind(405, "This path knows other methods"),
    "too-slow": Kind(408, "The body did not come"),
    "wrong-state": Kind(409, "The state of things does not allow it"),
    "unfitting": Kind(409, "The request does not fit what is here"),
    "claim-lost": Kind(409, "The claim is another's now, or the conflict is decided"),
    "key-in-use": Kind(409, "The idempotency key belongs to another job"),
    "too-large": Kind(413, "The request is too large"),
    "wrong-media-type": Kind(415, "The body is of a kind that is not read"),
    "unknown-host": Kind(421, "The server does not answer under this name"),
    "unusable": Kind(422, "The request is not as the description says"),
    "judge-test-failed": Kind(409, "The judge did not pass its test"),
    "defect": Kind(500, "A defect of medner"),
    "unavailable": Kind(503, "Something that is needed does not answer"),
    "busy": Kind(503, "Too much at a time"),
}


class Problem(UserError):  # noqa: N818  RFC 9457's word
    """A request that fails: a kind of ``KINDS``, a reason that ends with the way out, members of its own."""

    def __init__(self, kind: str, detail: str, **members: Any) -> None:
        self.kind = kind
        self.detail = detail
        self.members = members
        super().__init__(detail)


def unknown_job(job: str) -> Problem:
    """The problem of an id that no job has."""
    return Problem("unknown-job", f"no job {job!r}; GET /v1/jobs lists those there are (results are kept for a time)")


def answer(problem: Problem) -> Response:
    """The problem as a response."""
    kind = KINDS[problem.kind]
    content = {
        "type": f"urn:medner:problem:{problem.kind}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        **problem.members,
    }
    headers = {"Retry-After": str(_AGAIN_S)} if kind.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    if problem.kind == "no-key":
        headers["WWW-Authenticate"] = 'Bearer realm="medner"'
    return JSONResponse(content, kind.status, headers, MEDIA_TYPE)


def wrong(error: ValidationError, model: type[BaseModel]) -> tuple[str, str | None]:
    """The first thing that is wrong with data, and its key. Never the data itself."""
    first = error.errors(include_url=False, include_input=False)[0]
    return (first["msg"], None) if first["type"] == "json_invalid" else complaint(error, model)


def refused(error: ValidationError, model: type[BaseModel], where: str) -> Problem:
    """The problem of data that a model refuses; ``where`` is the body, the query ..."""
    reason, key = wrong(error, model)
    return Problem("unusable", f"{where}: {reason}", **({"key": key} if key else {}))


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  as it is registered below
    return answer(error)


async def _ours(_: Request, error: Exception) -> Response:
    return answer(Problem("unfitting" if isinstance(error, UserError) else "unavailable", str(error)))


async def _redis(request: Request, error: Exception) -> Response:
    service = request.app.state.service
    service.mender.wake()
    try:
        with plain_redis_errors(service.address):
            raise error
    except (UserError, ExternalError) as told:
        log.warning("Redis fails", extra={"kind": type(error).__name__})
        return answer(Problem("unavailable", f"{told}; nothing is lost, try again in {_AGAIN_S} s"))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  as it is registered below
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answer(Problem("unknown-path", "no such path; GET /v1/openapi.json lists those there are"))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _wrong_method(request)
    return answer(Problem("bad-request", "the request is not valid HTTP for this server; see docs/http.md"))


def _wrong_method(request: Request) -> Response:
    """The answer with the methods of the path that is meant: the first that fits, where a placeholder fits as well."""
    fitting = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = sorted({method for route in fitting if route.path == fitting[0].path for method in route.methods})
    found = answer(Problem("wrong-method", f"this path knows {', '.join(methods)}"))
    found.headers["Allow"] = ", ".join(methods)
    return found


async def _gone(_: Request, error: Exception) -> Response:  # noqa: ARG001  the form of a handler
    return Response(status_code=499)  # nobody reads it


async def _defect(_: Request, error: Exception) -> Response:
    return answer(
        Problem("defect", f"{type(error).__name__}; the server's log has the time of it. Please report what you did")
    )


HANDLERS: Mapping[Any, Any] = {
    Problem: _problem,
    MednerError: _ours,
    RedisError: _redis,
    HTTPException: _http,
    ClientDisconnect: _gone,
    Exception: _defect,
}
