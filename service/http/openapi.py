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

from medner.service.http.context import service_of
from medner.service.http.messages.answers import ProblemAnswer
from medner.service.http.messages.problems import MEDIA_TYPE
from medner.service.http.operation import EVENTS, JSON, Operation
from medner.service.http.routes import ROUTES

PATH = "/v1/openapi.json"
_REFS = "#/components/schemas/{model}"
#: What any request may be answered.
_ALWAYS = (403, 421, 500, 503)
#: What a request with a body may be answered beside.
_OF_BODIES = (408, 409, 413, 415, 422)
_KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "One job for this key, however often it is sent.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}
Json = dict[str, Any]


async def openapi(request: Request) -> Response:
    """GET /v1/openapi.json"""
    return JSONResponse(description(keys=service_of(request).access.ring.needed))


@cache
def description(*, keys: bool = True) -> Json:
    """The whole description; ``keys``: whether the server asks for them."""
    models = {model for one in ROUTES for model in _models(one)} | {ProblemAnswer}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema([(model, "serialization") for model in ordered], ref_template=_REFS)
    paths: dict[str, Json] = {}
    for one in ROUTES:
        paths.setdefault(one.described_path, {})[one.method.lower()] = _operation(one, definitions["$defs"], keys=keys)
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
        "security": [{"key": []}] if keys else [],
    }


def _models(one: Operation) -> Iterable[type[BaseModel]]:
    known = (one.answer, one.query, *one.body.values(), *one.others.values())
    yield from (model for model in known if model is not None)


def _operation(one: Operation, schemas: Mapping[str, Json], *, keys: bool) -> Json:
    found: Json = {"summary": one.summary, "responses": _responses(one)}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", one.described_path)
    ]
    if one.query is not None:
        known = schemas[one.query.__name__]["properties"]
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in known.items()]
    if one.key_header:
        parameters.append(_KEY_HEADER)
    if parameters:
        found["parameters"] = parameters
    if one.body:
        found["requestBody"] = {
            "required": one.body_required,
            "content": {kind: _content(model) for kind, model in one.body.items()},
        }
    if one.open:
        found["security"] = []
    elif keys:
        found["description"] = f"Needs a key with the scope {one.scope.value}."
    return found


def _responses(one: Operation) -> Json:
    good: Json = {"description": HTTPStatus(one.status).phrase}
    if one.status != HTTPStatus.NO_CONTENT:
        good["content"] = {one.media: _good(one)}
        good["content"] |= {media: {} for media in one.further_media}
    others = {str(status): _other(status, model) for status, model in one.others.items()}
    further = {*(_OF_BODIES if one.body else ()), *((422,) if one.query else ()), *(() if one.open else (401,))}
    statuses = sorted({*one.problems, *_ALWAYS, *further} - {one.status, *one.others})
    bad = {
        str(status): {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: _content(ProblemAnswer)}}
        for status in statuses
    }
    return {str(one.status): good, **others, **bad}


def _good(one: Operation) -> Json:
    if one.answer is None:
        return {"schema": {"type": "string"}}
    if one.media != EVENTS:
        return _content(one.answer)
    # Of each event: what stands in its fields is words, and the data's are JSON.
    data = {"type": "string", "contentMediaType": JSON, "contentSchema": _content(one.answer)["schema"]}
    event = {"type": "string", "enum": ["progress", "end", "gone"]}
    return {"schema": {"type": "object", "properties": {"event": event, "data": data}}}


def _other(status: int, model: type[BaseModel] | None) -> Json:
    found: Json = {"description": HTTPStatus(status).phrase}
    return found if model is None else {**found, "content": {JSON: _content(model)}}


def _content(model: type[BaseModel]) -> Json:
    return {"schema": {"$ref": _REFS.format(model=model.__name__)}}
