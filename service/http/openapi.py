"""The description of the API (OpenAPI 3.1), made of the routes and the models they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from medner.service.http.messages.answers import ProblemAnswer
from medner.service.http.messages.problems import MEDIA_TYPE
from medner.service.http.routes import ROUTES, Operation

PATH = "/v1/openapi.json"
_REFS = "#/components/schemas/{model}"
#: What any request may be answered.
_ALWAYS = (403, 421, 500, 503)
_KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "One job for this key, however often it is sent.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}
Json = dict[str, Any]


async def openapi(_: Request) -> Response:
    """GET /v1/openapi.json"""
    return JSONResponse(description())


@cache
def description() -> Json:
    """The whole description."""
    models = {model for one in ROUTES for model in _models(one)} | {ProblemAnswer}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema([(model, "serialization") for model in ordered], ref_template=_REFS)
    paths: dict[str, Json] = {}
    for one in ROUTES:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, definitions["$defs"])
    paths[PATH] = {"get": {"summary": "This description", "security": [], "responses": {"200": {"description": "OK"}}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "medner",
            "version": version("medner"),
            "description": "Jobs that find medical entities in Chinese clinical text. Offsets are 0-based, "
            "end-exclusive Unicode code points of the text.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


def _models(one: Operation) -> Iterable[type[BaseModel]]:
    yield from (model for model in (one.answer, one.query, *one.body.values()) if model is not None)


def _operation(one: Operation, schemas: Mapping[str, Json]) -> Json:
    found: Json = {"summary": one.summary, "responses": _responses(one)}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", one.path)
    ]
    if one.query is not None:
        known = schemas[one.query.__name__]["properties"]
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in known.items()]
    if one.status == HTTPStatus.ACCEPTED:
        parameters.append(_KEY_HEADER)
    if parameters:
        found["parameters"] = parameters
    if one.body:
        found["requestBody"] = {
            "required": True,
            "content": {kind: _content(model) for kind, model in one.body.items()},
        }
    if one.open:
        found["security"] = []
    return found


def _responses(one: Operation) -> Json:
    good: Json = {"description": HTTPStatus(one.status).phrase}
    if one.status != HTTPStatus.NO_CONTENT:
        good["content"] = {one.media: _content(one.answer) if one.answer else {"schema": {"type": "string"}}}
    statuses = sorted({*one.problems, *_ALWAYS, *(() if one.open else (401,))})
    bad = {
        str(status): {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: _content(ProblemAnswer)}}
        for status in statuses
    }
    return {str(one.status): good, **bad}


def _content(model: type[BaseModel]) -> Json:
    return {"schema": {"$ref": _REFS.format(model=model.__name__)}}
