"""Answers of models, queries as models, and cursors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from medner.service.http.messages.problems import Problem, refused

_Model = TypeVar("_Model", bound=BaseModel)


def json_answer(answer: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A model as a JSON response."""
    return Response(answer.model_dump_json(), status, headers, "application/json")


def query_of(request: Request, model: type[_Model]) -> _Model:
    """The query as a model. Problem for what does not fit."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise refused(error, model, "the query") from error


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
