"""`medner jobs server`: the Redis of the jobs, or the server that is asked instead."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.errors import UserError
from medner.service.cli.redis import with_jobs
from medner.service.cli.remote.options import Remote, with_server

if TYPE_CHECKING:
    from rich.console import Console

    from medner.store.jobs import Jobs


@with_server
def server(
    *,
    remote: Remote,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the embedded Redis; its data stay on disk.")] = False,
) -> None:
    """Show the Redis of the jobs, and whether it answers. The embedded one starts when it is needed.

    Example: medner jobs server --stop

    Exit code: 0 done; 2 medner did not start this Redis, so it cannot stop it; 3 Redis or the server failed.
    """
    from medner.store.redis import redis_address
    from medner.store.redis.connection import require_redis

    if remote:
        remote.refuse(stop=stop)
        return asyncio.run(_server_answers(remote))
    require_redis()
    address = redis_address()
    if address.embedded is None:
        if stop:
            raise UserError(f"{address.shown}: is not medner's to stop")
        with_jobs(_answers)
        typer.echo(f"{address.shown}: answers")
    elif stop:
        typer.echo(f"{address.shown}: " + ("stopped" if address.embedded.stop() else "was not running"))
    else:
        typer.echo(f"{address.shown}: " + ("answers" if address.embedded.answers() else "is not running"))


async def _server_answers(remote: Remote) -> None:
    from medner.service.client.health import health

    async with remote.connected() as connection:
        found = await connection.run(health())
        typer.echo(f"{connection.address.url}: answers; medner {found.version}, {found.workers:,} workers")


async def _answers(_: Jobs, __: Console) -> int:
    return 0
