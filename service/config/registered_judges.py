"""Judges of the registry in words: ``@`` the one in place, ``@7`` a version, ``@name`` a definition."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from medner.core.errors import UserError
from medner.service.config.frozen import thaw_data
from medner.service.config.options import Overrides
from medner.store.judges import JudgeRegistry, JudgeVersion

MARK = "@"


def names_registered(judge: object) -> bool:
    """Whether a judge in words is one of the registry."""
    return isinstance(judge, str) and judge.startswith(MARK)


async def with_registered_judge(overrides: Overrides, registry: JudgeRegistry, *, follow: bool = False) -> Overrides:
    """The overrides with a registered judge's table in the place of its name.

    ``follow``: where no judge is named, the one in place is what the job begins with, if any ever was.
    """
    judge = overrides.judge
    if isinstance(judge, str) and judge.startswith(MARK):
        return replace(overrides, judge=await registered_table(registry, judge.removeprefix(MARK)))
    if follow and judge is None and (current := await registry.current()) is not None:
        return replace(overrides, judge=table_of(current))
    return overrides


async def registered_table(registry: JudgeRegistry, name: str) -> dict[str, Any]:
    """The table of a version by its number, of the version in place (no name), or of a definition by its name."""
    if not name:
        current = await registry.current()
        if current is None:
            raise UserError("no judge was ever put in place; medner judges use NAME does")
        return table_of(current)
    if name.isdecimal():
        return table_of(await registry.version(int(name)))
    definition = await registry.definition(name)
    return {**thaw_data(definition.judge), "name": name, "version": f"{definition.revision}-defined"}


def table_of(version: JudgeVersion) -> dict[str, Any]:
    """A version's judge as a configuration's table, under its name and number."""
    return {**thaw_data(version.judge), "name": version.name, "version": str(version.number)}


def resolved_now(overrides: Overrides) -> Overrides:
    """The overrides with a registered judge looked up in the Redis that is meant; others come back as they are."""
    if not names_registered(overrides.judge):
        return overrides
    from medner.store.redis.connection import open_redis, require_redis  # noqa: PLC0415  an optional dependency

    require_redis()

    async def look() -> Overrides:
        async with open_redis() as redis:
            return await with_registered_judge(overrides, JudgeRegistry(redis))

    return asyncio.run(look())
