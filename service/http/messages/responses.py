"""Answers of models, and queries as models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from medner.service.http.messages.problems import Problem, refused

_Query = TypeVar("_Query", bound=BaseModel)


def json_answer(answer: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A model as a JSON response."""
    return Response(answer.model_dump_json(), status, headers, "application/json")


def no_query(request: Request) -> None:
    """Problem for a request with a query where none is read."""
    if request.query_params:
        raise Problem("unusable", f"the query: {next(iter(request.query_params))!r} is unknown; none is read here")


def query_of(request: Request, model: type[_Query]) -> _Query:
    """The query as a model. Problem for what does not fit."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise refused(error, model, "the query") from error
