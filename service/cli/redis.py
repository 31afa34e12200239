"""Commands about jobs: connected to Redis, or to a server that is asked instead; errors told plainly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from medner.service.cli.remote.options import Remote

if TYPE_CHECKING:
    from rich.console import Console

    from medner.service.cli.remote.jobs import RemoteJobs
    from medner.store.jobs import Jobs

#: The jobs that a command works on.
JobsThere: TypeAlias = "Jobs | RemoteJobs"


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


def with_jobs_there(remote: Remote, command: Callable[[JobsThere, Console], Awaitable[int]]) -> int:
    """The same for a command that a server can be asked to do."""
    from medner.service.annotate.progress import remarks_console
    from medner.store.redis.connection import require_redis

    if not remote:
        return with_jobs(command)
    require_redis()  # its client also brings the records of jobs
    from medner.service.cli.remote.jobs import RemoteJobs

    async def run() -> int:
        async with remote.connected() as connection:
            return await command(RemoteJobs(connection), remarks_console())

    return asyncio.run(run())
