"""Commands that talk to Redis: connected, errors told plainly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from medner.store.jobs import Jobs


def with_jobs(command: Callable[[Jobs, Console], Awaitable[int]]) -> int:
    """What a command gives that works on the jobs of the Redis that is meant; remarks go to the console, stderr."""
    from medner.service.annotate.progress import remarks_console
    from medner.store.redis.connection import open_redis, require_redis

    require_redis()
    from medner.store.jobs import Jobs

    console = remarks_console()

    async def run() -> int:
        async with open_redis() as redis:
            return await command(Jobs(redis), console)

    return asyncio.run(run())
