"""What version 0.1.0 left in a Redis: ended jobs, a dead letter, messages that wait, a worker that died.

``tests/cases/redis_0_1_0.json`` was written by that version: `done` and `bad` had ended, `waiting` had just been
submitted, and of `running` the worker had read two messages and claimed one chunk when it died.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from medner.store.jobs.keys import GROUP
from medner.store.redis.client import Client

_DUMP = Path(__file__).parent / "cases" / "redis_0_1_0.json"
_WEEK_S = 7 * 86_400


async def restore(redis: Client) -> None:
    """Puts all of it into an empty server."""
    for key, entry in json.loads(_DUMP.read_text(encoding="utf-8")).items():
        await _RESTORE[entry["type"]](redis, key, entry["value"])
        if entry["expires"]:
            await redis.expire(key, _WEEK_S)


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


async def _hash(redis: Client, key: str, value: dict[str, str]) -> None:
    await redis.hset(key, mapping={_bytes(name): _bytes(data) for name, data in value.items()})


async def _string(redis: Client, key: str, value: str) -> None:
    await redis.set(key, _bytes(value))


async def _set(redis: Client, key: str, value: list[str]) -> None:
    await redis.sadd(key, *map(_bytes, value))


async def _zset(redis: Client, key: str, value: dict[str, float]) -> None:
    await redis.zadd(key, {_bytes(name): score for name, score in value.items()})


async def _stream(redis: Client, key: str, value: dict[str, Any]) -> None:
    await redis.xgroup_create(key, GROUP, "0", mkstream=True)
    for message, fields in value["entries"]:
        await redis.xadd(key, {_bytes(name): _bytes(data) for name, data in fields.items()}, id=message)
    for _, worker in value["pending"]:
        await redis.xreadgroup(GROUP, worker, {key: ">"}, count=1)


_RESTORE: dict[str, Callable[[Client, str, Any], Awaitable[None]]] = {
    "hash": _hash,
    "string": _string,
    "set": _set,
    "zset": _zset,
    "stream": _stream,
}
