"""The application: routes, errors and guards put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.routing import Route

from medner.service.http.limits import Limits
from medner.service.http.offer import Offer
from medner.service.http.problems import HANDLERS
from medner.service.http.routes import ROUTES
from medner.service.http.service import open_service
from medner.store.redis import RedisAddress


@dataclass(frozen=True, slots=True)
class AppSettings:
    """What an application is made with."""

    address: RedisAddress
    offer: Offer = field(default_factory=Offer)
    limits: Limits = field(default_factory=Limits)
    stopping: Callable[[], bool] = lambda: False


def new_app(settings: AppSettings) -> Starlette:
    """The application on the jobs of a Redis."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_service(settings.address, settings.offer, settings.limits, settings.stopping) as service:
            app.state.service = service
            yield

    routes = [Route(one.path, one.endpoint, methods=[one.method]) for one in ROUTES]
    return Starlette(routes=routes, exception_handlers=dict(HANDLERS), lifespan=lifespan)
