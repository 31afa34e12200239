"""The queue between submitters and workers: taskiq over Redis streams.

A message is a hint that a chunk waits. What makes sure that every chunk is done, and once, are the claims
(``medner.store.jobs.claims``): a message that comes twice finds its chunk held or done, one that is lost is sent anew
by the sweep. So a message is taken off its stream when its task has run, whatever came of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from redis import exceptions as errors
from redis.asyncio import Redis
from taskiq import AckableMessage
from taskiq_redis import RedisStreamBroker

from medner.service.worker.ending import is_cancelled
from medner.store.jobs.keys import GROUP, QUEUES
from medner.store.redis import RedisAddress
from medner.store.redis.connection import make_ready

log = logging.getLogger("medner.worker.queue")

_BLOCK_MS = 1_000
_RETRY_S = 1.0


class ChunkBroker(RedisStreamBroker):
    """Streams by priority, read one message at a time; a lost connection is waited for.

    A message that a worker took and has not acknowledged after ``lease_s`` is given to another: its worker died before
    it claimed the chunk, or holds the chunk, which the other then is told.
    """

    def __init__(self, address: RedisAddress, worker: str, *, lease_s: float) -> None:
        first, *others = QUEUES.values()
        super().__init__(
            address.url,
            queue_name=first,
            consumer_group_name=GROUP,
            consumer_name=worker,
            consumer_id="0",
            additional_streams=dict.fromkeys(others, ">"),
            xread_block=_BLOCK_MS,
            xread_count=1,
            idle_timeout=int(lease_s * 1000),
            unacknowledged_lock_timeout=10.0,
            protocol=2,
            socket_timeout=20.0,
        )
        self._address = address
        self._streams = (first, *others)
        self._looked_s = 0.0
        self._held: list[tuple[str, str, bytes]] = []
        # One for all: to make a client takes longer than to ask it something.
        self._acking = Redis(connection_pool=self.connection_pool)

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Messages, those of a higher priority first."""
        async with Redis(connection_pool=self.connection_pool) as redis:
            # Each message is waited for in a task of its own, which is cancelled when the worker is to end.
            while not is_cancelled():
                try:
                    found = await self._next(redis)
                except (errors.ConnectionError, errors.TimeoutError, errors.ResponseError) as error:
                    if is_cancelled():
                        return
                    log.warning("the queue cannot be read", extra={"error": type(error).__name__})
                    await asyncio.sleep(_RETRY_S)
                    await self._mend()
                    continue
                for stream, message, data in found:
                    yield AckableMessage(data=data, ack=self._ack_generator(id=message, queue_name=stream))

    async def _next(self, redis: Redis) -> list[tuple[str, str, bytes]]:
        """The next message, of the highest priority there is; waits a moment where there is none."""
        if time.monotonic() - self._looked_s > self.idle_timeout / 4_000:
            for stream in self._streams:
                if found := await self._take_over(redis, stream):
                    return found
            self._looked_s = time.monotonic()
        # One question for all streams may bring a message of each; those of lower priority wait here, one a stream.
        higher = self._streams[: self._streams.index(self._held[0][0])] if self._held else self._streams
        if higher:
            self._held = [*await self._read(redis, list(higher), None), *self._held]
        if not self._held:
            self._held = await self._read(redis, list(self._streams), self.block)
        first, self._held = self._held[:1], self._held[1:]
        return first

    async def _read(self, redis: Redis, streams: list[str], block: int | None) -> list[tuple[str, str, bytes]]:
        places: dict[Any, Any] = dict.fromkeys(streams, ">")
        answer: Any = await redis.xreadgroup(GROUP, self.consumer_name, places, count=1, block=block)
        return [
            (stream.decode(), message.decode(), data[b"data"])
            for stream, messages in answer or []
            for message, data in messages
        ]

    async def _take_over(self, redis: Redis, stream: str) -> list[tuple[str, str, bytes]]:
        answer: Any = await redis.xautoclaim(stream, GROUP, self.consumer_name, self.idle_timeout, count=1)
        return [(stream, message.decode(), data[b"data"]) for message, data in answer[1] if data]

    def _ack_generator(self, id: str, queue_name: str) -> Callable[[], Awaitable[None]]:  # noqa: A002
        """Takes a message off its stream: what is only acknowledged would stay there."""

        async def ack() -> None:
            try:
                async with self._acking.pipeline(transaction=True) as pipe:
                    pipe.xack(queue_name, GROUP, id)
                    pipe.xdel(queue_name, id)
                    await pipe.execute()
            except (errors.ConnectionError, errors.TimeoutError) as error:
                # It comes again, and finds its chunk held or done.
                log.warning("a message could not be acknowledged", extra={"error": type(error).__name__})

        return ack

    async def _mend(self) -> None:
        """What a restarted server may lack: the server itself, and its consumer groups."""
        try:
            await asyncio.to_thread(make_ready, self._address)
            await self._declare_consumer_group()
        except Exception as error:  # noqa: BLE001  it is tried again until it works
            log.warning("Redis is not back", extra={"error": type(error).__name__})
