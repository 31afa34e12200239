"""A medner server of the test's own loop, on a real Valkey, and a scripted worker beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

import medner
from tests.http_kit import opened
from tests.service.http.conftest import client, serving, until
from tests.service.worker.conftest import Working, address, jobs, redis, working

__all__ = ["address", "client", "jobs", "redis", "serving", "working"]

T = TypeVar("T")


@dataclass(frozen=True)
class Ward:
    """A server whose worker annotates by a dictionary: only one of two taggers knows 心电图."""

    url: str

    async def asked(self, story: Callable[[medner.Server], T]) -> T:
        """What a synchronous client does, in a thread while the server answers in this loop."""

        def work() -> T:
            with medner.connect(self.url) as server:
                return story(server)

        return await asyncio.to_thread(work)

    async def traced(self, texts: list[str]) -> medner.Job:
        """An ended job of texts whose conflicts' traces are written; each text has at most one."""
        async with self.connected() as server:
            job = await server.jobs.wait(await server.jobs.submit(texts))

            async def written() -> bool:  # traces are written behind the results
                return any(one.name == job.id and one.traces == job.conflicts for one in await server.traces.runs())

            await until(written)
        return job

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[medner.AsyncServer]:
        """An asynchronous client."""
        async with medner.connect_async(self.url) as server:
            yield server


@pytest.fixture
async def ward(
    client: httpx.AsyncClient, working: Working, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Ward]:
    """The server, with a worker, and traces of its own."""
    monkeypatch.setenv("MEDNER_TRACES", str(tmp_path / "traces.sqlite"))
    async with working(opened):
        yield Ward(str(client.base_url))
