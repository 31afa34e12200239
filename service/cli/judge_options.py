"""What the commands about judges share: the registry they work on, and common options."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medner.service.cli.bounds import judge_name

if TYPE_CHECKING:
    from medner.store.judges import JudgeRegistry

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
