"""Answers of models, queries and bodies as models, and cursors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from medner.service.http.access.limits import read_body
from medner.service.http.context import service_of
from medner.service.http.messages.problems import Problem, refused

_Model = TypeVar("_Model", bound=BaseModel)
JSON = "application/json"


def json_answer(answer: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A model as a JSON response."""
    return Response(answer.model_dump_json(), status, headers, JSON)


def query_of(request: Request, model: type[_Model]) -> _Model:
    """The query as a model. Problem for what does not fit."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise refused(error, model, "the query") from error


async def body_of(request: Request, model: type[_Model], *, required: bool = True, most: int | None = None) -> _Model:
    """The JSON body as a model; an empty one is an empty object where none is required. Problem where it does not fit.

    It has ``most`` bytes at most, None: as many as the server's limits say.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    data = await read_body(request, service_of(request).limits, most=most)
    if not data and not required:
        data = b"{}"
    elif kind != JSON:
        raise Problem("wrong-media-type", f"Content-Type {kind or '(none)'} is not read; send {JSON}")
    try:
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise refused(error, model, "the body") from error


def place_of(cursor: str | None) -> int:
    """The place of a cursor that counts what came before it. Problem for one that no answer gave."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal()) or len(cursor) > 15:
        raise wrong_cursor()
    return int(cursor)


def wrong_cursor() -> Problem:
    """The problem of a cursor that no answer gave."""
    return Problem("unusable", "cursor: is none of this list; send back what an answer gave as next", key="cursor")
