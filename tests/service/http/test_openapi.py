"""The description of the API says what the API does."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from medner.service.http.openapi import description
from medner.service.http.routes import ROUTES


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_references(one) for one in value.values()), set())
    return set().union(*(_references(one) for one in value), set()) if isinstance(value, list) else set()


def test_every_route_is_described_and_nothing_else() -> None:
    """Methods and paths are those of the routes, beside the description's own."""
    paths = description()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(one.method, one.described_path) for one in ROUTES} | {("GET", "/v1/openapi.json")}


def test_every_reference_leads_somewhere() -> None:
    """Each `$ref` names a schema of the description."""
    schemas = description()["components"]["schemas"]
    assert {one.removeprefix("#/components/schemas/") for one in _references(description())} <= set(schemas)


def test_parameters_of_paths_and_queries_are_described() -> None:
    """Placeholders are path parameters, fields of the query model are query parameters."""
    for one in ROUTES:
        said = description()["paths"][one.described_path][one.method.lower()].get("parameters", [])
        names = {(each["in"], each["name"]) for each in said}
        assert {name for kind, name in names if kind == "path"} == set(re.findall(r"{(\w+)}", one.described_path))
        if one.query is not None:
            assert {name for kind, name in names if kind == "query"} == set(one.query.model_fields)


@pytest.mark.parametrize(
    "one", [one for one in ROUTES if one.method == "GET" and "{" not in one.path], ids=lambda one: one.path
)
async def test_answers_are_as_described(client: httpx.AsyncClient, one: Any) -> None:
    """Status and media type of an answer are the described ones, and its body is the described model's."""
    answer = await client.get(one.path)
    assert answer.status_code == one.status
    assert answer.headers["content-type"].startswith(one.media)
    if one.answer is not None:
        one.answer.model_validate_json(answer.content)


async def test_the_description_is_served(client: httpx.AsyncClient) -> None:
    """GET /v1/openapi.json gives it."""
    assert (await client.get("/v1/openapi.json")).json() == description(keys=False)
