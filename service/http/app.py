"""The application: routes, errors and guards put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from medner.service.http.access.guard import Guard, Rules
from medner.service.http.context import ServiceParts, open_service
from medner.service.http.messages.problems import HANDLERS
from medner.service.http.openapi import PATH, openapi
from medner.service.http.operation import guarded
from medner.service.http.routes import ROUTES
from medner.service.http.web import WEB_ROUTES


def new_app(parts: ServiceParts, *, hosts: frozenset[str] = frozenset()) -> ASGIApp:
    """The application on the jobs of a Redis. ``hosts`` are the names it answers to, all without any."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_service(parts) as service:
            app.state.service = service
            yield

    routes = [Route(one.path, guarded(one), methods=[one.method]) for one in ROUTES]
    names = {route.endpoint: one.described_path for route, one in zip(routes, ROUTES, strict=True)}
    routes += [Route(PATH, openapi, methods=["GET"]), *WEB_ROUTES]
    inner = Starlette(routes=routes, exception_handlers=dict(HANDLERS), lifespan=lifespan)
    needless = [one.path for one in ROUTES if one.open]
    folders = ("/assets/", *(path.partition("{")[0] for path in needless if "{" in path))
    rules = Rules(hosts, frozenset({"/", PATH, *needless}), folders)
    # Around all of it, so that the answer to a defect is guarded as well.
    return Guard(inner, rules, parts.access, parts.metrics, {**{one.endpoint: one.path for one in routes}, **names})
