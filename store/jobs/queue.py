"""The queue between submitters and workers: Redis streams by priority.

A message is a hint that a chunk waits. The claims (``medner.store.jobs.claims``) make sure that every chunk is done,
and once: a message for a chunk that is held or done is dropped, and one that is lost is sent again by the sweep.
A worker takes a message and claims its chunk in one step inside Redis, so that there is nothing to acknowledge. An idle
worker waits as a consumer of a group: a new message wakes one of those that wait, and whoever is first takes it.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from medner.store.jobs.claims import Claim
from medner.store.jobs.keys import GROUP, QUEUES, taken_key
from medner.store.jobs.lua import Scripts
from medner.store.redis.client import Client

_BLOCK_MS = 1_000
#: Makes a call, again where that helps (``medner.service.worker.retry_waits``).
Retry = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A message whose chunk this worker left alone: ``refused``, or ``newer`` than this version of medner."""

    job: str
    chunk: int
    reason: str


class QueueReader:
    """A worker's place for one chunk at a time. Where a chunk ends, the next is taken in the same step.

    ``cannot`` gives the jobs that the worker leaves to others, ``wanted`` whether it takes any chunk at all.
    """

    def __init__(  # noqa: PLR0913  what a worker has, of each kind
        self,
        redis: Client,
        worker: str,
        *,
        lease_s: float,
        number: int = 0,
        cannot: Callable[[], Collection[str]] = tuple,
        wanted: Callable[[], bool] = lambda: True,
        block_ms: int = _BLOCK_MS,
    ) -> None:
        self.key = taken_key(f"{worker}:{number}")
        self._redis = redis
        self._scripts = Scripts(redis)
        self._worker = worker
        self._lease_ms = int(lease_s * 1000)
        self._cannot = cannot
        self._wanted = wanted
        self._block_ms = block_ms
        # A call may be made again when its answer is lost: the word makes it the same claim.
        self._call = secrets.token_hex(6)
        self._taken: Any = None

    @property
    def has_taken(self) -> bool:
        """Whether a chunk is there that the next :meth:`take` gives."""
        return self._taken is not None

    def wish(self) -> Sequence[object] | None:
        """The words of the next take, None where no chunk is wanted."""
        return (self._worker, self._lease_ms, self._call, *self._cannot()) if self._wanted() else None

    def accept(self, taken: Any) -> None:
        """Keeps the answer for the next take."""
        self._call = secrets.token_hex(6)
        self._taken = None if taken[0] == b"empty" else taken

    async def take(self, retry: Retry) -> Claim | NotTaken | None:
        """The next chunk, of the highest priority there is; None where no message came for a moment."""
        if self._taken is None:
            await retry(self._next)
        if self._taken is None and await retry(self._wait):
            await retry(self._next)
        answer, self._taken = self._taken, None
        if answer is None:
            return None
        state, job, chunk = answer[0].decode(), answer[1].decode(), int(answer[2])
        if state == "ok":
            return Claim(job, chunk, int(answer[3]), int(answer[4]), bool(answer[5]), answer[6])
        return NotTaken(job, chunk, state) if job else None

    async def leave(self) -> None:
        """Takes this worker out of the group of those that wait."""
        await self._redis.delete(self.key)
        for stream in QUEUES.values():
            with suppress(ResponseError):  # the stream or its group is gone
                await self._redis.xgroup_delconsumer(stream, GROUP, self._worker)

    async def _next(self) -> None:
        words = (self._worker, self._lease_ms, self._call, *self._cannot())
        self.accept(await self._scripts("take", self.key, *words))

    async def _wait(self) -> bool:
        """Whether a message came before long."""
        try:
            return await self._read()
        except ResponseError as error:
            if "NOGROUP" in str(error):
                await self._make_groups()
                return await self._read()
            if "UNBLOCKED" in str(error):
                return False  # the streams went while they were read
            raise

    async def _read(self) -> bool:
        # What is read is not kept for this worker: it is still there to be taken, by this worker or another.
        streams = dict.fromkeys(QUEUES.values(), ">")
        return bool(
            await self._redis.xreadgroup(GROUP, self._worker, streams, count=1, block=self._block_ms, noack=True)
        )

    async def _make_groups(self) -> None:
        for stream in QUEUES.values():
            with suppress(ResponseError):  # it is there
                await self._redis.xgroup_create(stream, GROUP, "0", mkstream=True)
