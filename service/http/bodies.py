"""Bodies as models."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from medner.service.http.access.limits import read_body
from medner.service.http.context import service_of
from medner.service.http.messages.problems import Problem, refused
from medner.service.http.operation import JSON

_Model = TypeVar("_Model", bound=BaseModel)


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
