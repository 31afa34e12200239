"""What the commands about judges share: the registry they work on, and common options."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from medner.service.cli.bounds import judge_name
from medner.service.cli.remote.options import Remote

if TYPE_CHECKING:
    from medner.service.cli.remote.judges import RemoteJudges
    from medner.store.judges import Held, JudgeDefinition, JudgeRegistry, JudgeVersion

#: The judges that a command works on.
JudgesThere: TypeAlias = "JudgeRegistry | RemoteJudges"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="NAME", callback=judge_name, help="The judge's name.")]


def with_registry(command: Callable[[JudgeRegistry], Awaitable[Any]]) -> Any:
    """What a command gives that works on the registry of the Redis that is meant."""
    from medner.store.redis.connection import open_redis, require_redis

    require_redis()
    from medner.store.judges import JudgeRegistry

    async def run() -> Any:
        async with open_redis() as redis:
            return await command(JudgeRegistry(redis))

    return asyncio.run(run())


def with_judges_there(remote: Remote, command: Callable[[JudgesThere], Awaitable[Any]]) -> Any:
    """The same for a command that a server can be asked to do."""
    if not remote:
        return with_registry(command)
    from medner.store.redis.connection import require_redis

    require_redis()  # its client also brings the records of judges
    from medner.service.cli.remote.judges import RemoteJudges

    async def run() -> Any:
        async with remote.connected() as connection:
            return await command(RemoteJudges(connection))

    return asyncio.run(run())


def as_data(remote: Remote, record: JudgeDefinition | JudgeVersion | Held) -> dict[str, Any]:
    """A record as plain data; a server tells fewer keys than Redis has."""
    if not remote:
        return record.model_dump(mode="json")
    from medner.service.cli.remote.judges import told

    return told(record)
