"""What a worker does with chunks: take, hold, record, finish, give back. Every step carries the claim's token.

A token is newer than all before it; whoever comes with an older one is told so and changes nothing.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from medner.core.records import Annotation
from medner.store.jobs.keys import ACTIVE_JOBS, SWEEPING, WORKERS, job_key, worker_key
from medner.store.jobs.lua import Scripts
from medner.store.jobs.payload import counts_of, dump_annotation, load_annotation
from medner.store.jobs.records import DeadLetter, WorkerView
from medner.store.jobs.states import ACTIVE, JobState
from medner.store.redis.client import Client

_SWEEP_LOCK_MS = 900
_SWEEP_BACKOFF_MS = 1_000
#: So many jobs are swept with one question.
_SWEEP_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Claim:
    """A chunk this worker holds. ``lost`` workers died or fell silent over it; ``begun``: results may be there.

    ``content`` is the chunk itself where it lies in Redis.
    """

    job: str
    chunk: int
    token: int
    lost: int
    begun: bool = True
    content: bytes | None = field(default=None, repr=False)


class ChunkPlace(Protocol):
    """A worker's place for one chunk at a time (``medner.store.jobs.queue``): what it asks for, what it got."""

    key: str

    def wish(self) -> Sequence[object] | None:
        """The words of the next take, None where no chunk is wanted."""
        ...

    def accept(self, taken: Any) -> None:
        """Keeps the answer for the next take."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a chunk's sentences by index: results recorded by earlier claims, attempts so far."""

    recorded: Mapping[int, Annotation] = field(default_factory=dict)
    attempts: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """A sentence that has a result: its index in the chunk, and the result."""

    index: int
    annotation: Annotation


class Claims:
    """The chunks of one Redis, for one worker. A claim not renewed for ``lease_s`` is given to others."""

    def __init__(self, redis: Client, worker: str, *, lease_s: float = 30.0) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self.worker = worker
        self.lease_s = lease_s

    async def claim(self, job: str, chunk: int) -> Claim | str:
        """A claim; else why there is none: ``done``, ``held`` by another, ``later``, ``gone``, or the job's state."""
        # The client asks again when an answer is lost on its way.
        call = secrets.token_hex(6)
        said = await self._scripts("claim", job_key(job), chunk, self.worker, self._lease_ms, call)
        if said[0] != b"ok":
            return str(said[0].decode())
        return Claim(job, chunk, int(said[1]), int(said[2]), bool(said[3]), said[4])

    async def progress(self, claim: Claim) -> Progress:
        """What earlier claims of the chunk left."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(f"{job_key(claim.job)}:part:{claim.chunk}")
            pipe.hlen(f"{job_key(claim.job)}:tries")
            part, tries = await pipe.execute()
        attempts: dict[int, int] = {}
        if tries:
            known = await self._redis.hgetall(f"{job_key(claim.job)}:tries")
            places = {name.decode().split(":")[1]: int(count) for name, count in known.items() if _is_of(name, claim)}
            attempts = {int(index): count for index, count in places.items()}
        return Progress({int(index): load_annotation(data) for index, data in part.items()}, attempts)

    async def renew(self, job: str, claims: Sequence[Claim]) -> tuple[str, list[Claim]]:
        """Prolongs claims of one job; gives the job's state (``gone`` without one) and the claims that still hold."""
        pairs = [word for claim in claims for word in (claim.chunk, claim.token)]
        said = await self._scripts("renew", job_key(job), self._lease_ms, *pairs)
        return said[0].decode(), [claim for claim, held in zip(claims, said[1:], strict=True) if held]

    async def record(self, claim: Claim, finished: Sequence[Finished]) -> bool:
        """Keeps results of a chunk under way; whether the claim still held."""
        words = [word for one in finished for word in (one.index, *_stored(one.annotation))]
        return bool(await self._scripts("record", job_key(claim.job), claim.chunk, claim.token, *words))

    async def attempt(self, claim: Claim, index: int) -> int:
        """Counts an attempt at a sentence; how many there were, 0 when the claim no longer holds."""
        return int(await self._scripts("attempt", job_key(claim.job), claim.chunk, claim.token, index))

    async def complete(
        self,
        claim: Claim,
        where: str,
        kept: bytes,
        fresh: Sequence[Finished],
        dead: Sequence[DeadLetter],
        place: ChunkPlace | None = None,
    ) -> bool:
        """Ends a chunk: its results count from now on; whether the claim still held.

        ``fresh`` are results that were not recorded, ``kept`` is what the job's spool gave for all of them. In the
        same step ``place`` takes the next chunk.
        """
        counts = counts_of(*(one.annotation for one in fresh))
        words: list[object] = [claim.chunk, claim.token, where, kept, len(fresh), counts, len(dead)]
        words += [word for one in dead for word in (one.index, json.dumps(asdict(one), ensure_ascii=False))]
        wish = None if place is None else place.wish()
        if place is None or wish is None:
            return bool((await self._scripts("complete", job_key(claim.job), *words))[0])
        held, taken = await self._scripts("complete", job_key(claim.job), *words, *wish, also=place.key)
        place.accept(taken)
        return bool(held)

    async def release(self, claim: Claim, *, delay_s: float = 0.0) -> bool:
        """Gives a chunk back, to be taken again at once or after a delay; whether the claim still held."""
        return bool(await self._scripts("release", job_key(claim.job), claim.chunk, claim.token, int(delay_s * 1000)))

    async def break_off(self, claim: Claim, reason: str, *, attempts: int, backoff_s: float) -> int:
        """Counts an attempt at the whole chunk that ended unexpectedly; 0 when the claim no longer holds.

        Until there were ``attempts`` the chunk is given back, to be tried again after a while; then the claim stays.
        """
        backoff_ms = max(1, int(backoff_s * 1000))
        return int(
            await self._scripts("break_off", job_key(claim.job), claim.chunk, claim.token, attempts, backoff_ms, reason)
        )

    async def fail(self, job: str, reason: str) -> bool:
        """Ends a job that cannot be done; whether it was not ended already."""
        return bool(await self._scripts("fail", job_key(job), reason))

    async def refuse(self, job: str, reason: str) -> None:
        """Notes that this worker cannot do a job."""
        await self._redis.hset(f"{job_key(job)}:refused", self.worker, reason)

    async def sweep(self, *, without: Collection[str] = ()) -> int:
        """Sends anew what nobody holds and no message stands for; how many chunks. One worker at a time does it.

        ``without`` are jobs this worker cannot do: it would only be sent what it must leave alone.
        """
        if not await self._redis.set(SWEEPING, self.worker, nx=True, px=_SWEEP_LOCK_MS):
            return 0
        names = [name.decode() for name in await self._redis.smembers(ACTIVE_JOBS)]
        jobs = [job for job in names if job not in without]
        sent = 0
        for begin in range(0, len(jobs), _SWEEP_AT_ONCE):
            async with self._redis.pipeline(transaction=False) as pipe:
                for job in jobs[begin : begin + _SWEEP_AT_ONCE]:
                    await self._scripts("sweep", job_key(job), job, _SWEEP_BACKOFF_MS, client=pipe)
                sent += sum(map(int, await pipe.execute()))
        return sent

    async def heartbeat(self, view: WorkerView) -> None:
        """Shows that this worker lives, and what it does."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(
                worker_key(self.worker), json.dumps(asdict(view), ensure_ascii=False), px=max(6_000, self._lease_ms)
            )
            pipe.zadd(WORKERS, {self.worker: time.time()})
            await pipe.execute()

    async def leave(self) -> None:
        """Shows that this worker has ended."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.delete(worker_key(self.worker))
            pipe.zrem(WORKERS, self.worker)
            await pipe.execute()

    @property
    def _lease_ms(self) -> int:
        return int(self.lease_s * 1000)


def _stored(annotation: Annotation) -> tuple[bytes, str]:
    return dump_annotation(annotation), counts_of(annotation)


def goes_on(state: str) -> bool:
    """Whether a job in this state (or ``gone``) is still to be worked on."""
    return state != "gone" and JobState(state) in ACTIVE


def _is_of(name: bytes, claim: Claim) -> bool:
    return name.decode().split(":")[0] == str(claim.chunk)
