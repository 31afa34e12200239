"""Judges in Redis. Messages are a hint to look sooner; what stands under the keys is the truth."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from medner.core.errors import ExternalError, UserError
from medner.store.judges.records import Held, JudgeDefinition, JudgeVersion
from medner.store.redis.client import Client

DEFINITIONS: Final = "medner:judges"
REVISIONS: Final = "medner:judges:revisions"
VERSIONS: Final = "medner:judges:versions"
COUNTER: Final = "medner:judges:counter"
HELD: Final = "medner:judges:held"
CHANNEL: Final = "medner:judges:news"

#: A worker that told nothing for so long is gone, or does not follow any more.
SILENT_S: Final = 10.0

# One step, so that no reader sees a number whose version is not there yet.
_SEAT = """
local number = redis.call('INCR', KEYS[1])
redis.call('HSET', KEYS[2], number, ARGV[1])
redis.call('PUBLISH', KEYS[3], number)
return number
"""
Record = TypeVar("Record", bound=BaseModel)


class JudgeRegistry:
    """The judges of one Redis."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    async def add(self, definition: JudgeDefinition) -> JudgeDefinition:
        """Defines a judge; one of the same name gets a new revision. Nothing follows it until it is used."""
        revision = await self._redis.hincrby(REVISIONS, definition.name, 1)
        kept = definition.model_copy(update={"revision": int(revision)})
        await self._redis.hset(DEFINITIONS, kept.name, kept.model_dump_json())
        return kept

    async def definitions(self) -> list[JudgeDefinition]:
        """All judges, by name."""
        found = await self._redis.hgetall(DEFINITIONS)
        return sorted((_read(JudgeDefinition, data) for data in found.values()), key=lambda one: one.name)

    async def definition(self, name: str) -> JudgeDefinition:
        """A judge by name. UserError when there is none."""
        data = await self._redis.hget(DEFINITIONS, name)
        if data is None:
            known = ", ".join(one.name for one in await self.definitions()) or "none yet: medner judges add NAME"
            raise UserError(f"there is no judge {name!r}; there are {known}")
        return _read(JudgeDefinition, data)

    async def remove(self, name: str) -> None:
        """Forgets a judge's definition; versions made of it stay. UserError for the one in use."""
        await self.definition(name)
        current = await self.current()
        if current is not None and current.name == name:
            raise UserError(f"judge {name!r} is in use (version {current.number}); use another one first")
        await self._redis.hdel(DEFINITIONS, name)

    async def seat(self, version: JudgeVersion) -> JudgeVersion:
        """Puts a judge in place for all jobs that follow; its number is the next one."""
        data = version.model_copy(update={"number": 0}).model_dump_json()
        number = await self._redis.eval(_SEAT, 3, COUNTER, VERSIONS, CHANNEL, data)
        return version.model_copy(update={"number": int(number)})

    async def current_number(self) -> int:
        """The number of the version in place; 0 when none ever was."""
        return int(await self._redis.get(COUNTER) or 0)

    async def current(self) -> JudgeVersion | None:
        """The version in place."""
        number = await self.current_number()
        return None if number == 0 else await self.version(number)

    async def version(self, number: int) -> JudgeVersion:
        """A version by its number, whoever is in place now. UserError when there is none."""
        data = await self._redis.hget(VERSIONS, str(number))
        if data is None:
            raise UserError(f"there is no version {number}; the newest is {await self.current_number()}")
        return _read(JudgeVersion, data).model_copy(update={"number": number})

    async def history(self) -> list[JudgeVersion]:
        """All versions, the newest first."""
        found = await self._redis.hgetall(VERSIONS)
        versions = [_read(JudgeVersion, data).model_copy(update={"number": int(n)}) for n, data in found.items()]
        return sorted(versions, key=lambda one: -one.number)

    async def hold(self, held: Held) -> None:
        """A worker tells what it judges with."""
        await self._redis.hset(HELD, held.worker, held.model_dump_json())

    async def let_go(self, worker: str) -> None:
        """A worker judges no more."""
        await self._redis.hdel(HELD, worker)

    async def held(self) -> list[Held]:
        """What each worker that follows told lately; those silent for too long are forgotten."""
        found = await self._redis.hgetall(HELD)
        told = [_read(Held, data) for data in found.values()]
        silent = [one.worker for one in told if time.time() - one.seen_s > SILENT_S]
        if silent:
            await self._redis.hdel(HELD, *silent)
        return sorted((one for one in told if one.worker not in silent), key=lambda one: one.worker)

    @asynccontextmanager
    async def news(self) -> AsyncIterator[Client]:
        """A subscription to the messages that a version was put in place."""
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        try:
            await pubsub.subscribe(CHANNEL)
            yield pubsub
        finally:
            await pubsub.aclose()


def _read(kind: type[Record], data: bytes) -> Record:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise ExternalError(f"the registry of judges holds what this version of medner cannot read: {error}") from error
