"""Waiting for what a worker does."""

from __future__ import annotations

import asyncio
from typing import Any

from medner.store.jobs import Jobs


async def worker_is(jobs: Jobs, what: str) -> bool:
    """Whether a worker does this."""
    return any(one.doing == what for one in await jobs.workers())


async def something_done(jobs: Jobs, job: str) -> bool:
    """Whether a sentence of the job is done."""
    return (await jobs.show(job)).counts.done > 0


async def until(condition: Any) -> None:
    """Until a function gives something true; fails after 20 seconds."""

    async def asked() -> bool:
        return bool(condition())

    await until_async(asked)


async def until_async(condition: Any) -> None:
    """The same for a coroutine function."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110  what is asked is not of this process
            await asyncio.sleep(0.02)
