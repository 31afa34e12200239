"""The application on a real Valkey, on a real port in the test's own loop, and a scripted worker beside it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from medner.service.config.options import Overrides
from medner.service.http.access.callers import Access
from medner.service.http.access.keys import KeyFile, KeyRing
from medner.service.http.allowed_options import AllowedOptions
from medner.service.http.app import new_app
from medner.service.http.context import ServiceParts
from medner.service.http.server import new_server
from medner.store.redis.address import RedisAddress
from medner.store.redis.client import Client
from tests.service.worker.conftest import address, jobs, redis, working

__all__ = ["address", "jobs", "redis", "working"]

#: What the scripted worker can do: taggers without adapters, a judge without a model.
OFFER = AllowedOptions(Overrides(taggers="html:full,json:plain", judge="hard-vote"))
Serving = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Audit logs and traces of a test go to a folder of its own."""
    monkeypatch.setenv("MEDNER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MEDNER_TRACES", raising=False)
    return tmp_path / "home"


@asynccontextmanager
async def answering(parts: ServiceParts, *, hosts: frozenset[str] = frozenset()) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that answers while the block lasts."""
    server = new_server(new_app(parts, hosts=hosts))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            assert not task.done(), "the server did not start"
            await asyncio.sleep(0.01)
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30
            ) as client:
                yield client
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, 20)


@pytest.fixture
def serving(redis: Client, address: RedisAddress, tmp_path: Path) -> Serving:
    """How a test gets a client; ``hosts`` and what parts are made of may be said."""

    def serve(*, hosts: frozenset[str] = frozenset(), **settings: Any) -> Any:
        access = Access(KeyRing(KeyFile(tmp_path / "no-keys.json")))
        return answering(
            ServiceParts(
                **{
                    "address": address,
                    "access": access,
                    "offer": OFFER,
                    **settings,
                }
            ),
            hosts=hosts,
        )

    return serve


@pytest.fixture
async def client(serving: Serving) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server as it is by default."""
    async with serving() as found:
        yield found


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Until something holds."""
    async with asyncio.timeout(30):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


async def until_end(client: httpx.AsyncClient, job: str) -> dict[str, Any]:
    """The job once it has ended."""
    async with asyncio.timeout(60):
        while True:
            found: dict[str, Any] = (await client.get(f"/v1/jobs/{job}")).json()
            if found["finished"] is not None:
                return found
            await asyncio.sleep(0.05)
