"""Messages and claims: what a worker takes, on a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.exceptions import ResponseError

from medner.core.choices import Priority
from medner.store.jobs import Claims, Jobs
from medner.store.jobs.claims import Claim
from medner.store.jobs.keys import GROUP, QUEUES, job_key
from medner.store.jobs.queue import NotTaken, QueueReader
from medner.store.jobs.records import FORMAT
from medner.store.redis.client import Client
from tests.jobs_kit import documents, spec

NORMAL = QUEUES[Priority.NORMAL]


async def at_once(call: Callable[[], Awaitable[Any]]) -> Any:
    """No second try."""
    return await call()


@pytest.fixture
def queue(redis: Client) -> QueueReader:
    """The queue of a worker that does not wait long."""
    return QueueReader(redis, "worker-1", lease_s=60, block_ms=50)


async def take(queue: QueueReader) -> Claim:
    """A claim that must be had."""
    claim = await queue.take(at_once)
    assert isinstance(claim, Claim)
    return claim


async def test_the_highest_priority_is_taken_first(jobs: Jobs, queue: QueueReader) -> None:
    """Also where the urgent job comes last, and while others wait."""
    low = (await jobs.submit(spec(priority="low"), documents(6))).id
    assert (await take(queue)).job == low
    normal = (await jobs.submit(spec(), documents(1))).id
    high = (await jobs.submit(spec(priority="high"), documents(1))).id
    assert [(await take(queue)).job for _ in range(3)] == [high, normal, low]


async def test_a_message_leaves_its_stream_with_the_claim(jobs: Jobs, queue: QueueReader, redis: Client) -> None:
    """Nothing is left to acknowledge: from here on the books have the chunk."""
    job = (await jobs.submit(spec(), documents(1))).id
    claim = await take(queue)
    assert (claim.job, claim.chunk, claim.lost, claim.begun) == (job, 0, 0, False)
    assert await redis.xlen(NORMAL) == 0
    assert await queue.take(at_once) is None
    assert (await redis.xpending(NORMAL, GROUP))["pending"] == 0


async def test_an_idle_worker_is_woken_by_a_message(jobs: Jobs, redis: Client) -> None:
    """It waits in a read, and has the chunk as soon as there is one."""
    queue = QueueReader(redis, "worker-1", lease_s=60, block_ms=5_000)
    waiting = asyncio.create_task(queue.take(at_once))
    await asyncio.sleep(0.2)
    job = (await jobs.submit(spec(), documents(1))).id
    claim = await asyncio.wait_for(waiting, 2)
    assert isinstance(claim, Claim)
    assert claim.job == job
    assert await redis.xlen(NORMAL) == 0


async def test_a_lost_answer_costs_no_chunk(jobs: Jobs, queue: QueueReader) -> None:
    """A take that is sent again, because its answer was lost, gives the same claim and not the next chunk."""
    await jobs.submit(spec(), documents(4))
    lost: list[Any] = []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "accept", lost.append)
        await queue._next()
    claim = await take(queue)
    assert (claim.chunk, claim.token) == (0, 1)
    assert int(lost[0][3]) == 1
    assert (await take(queue)).chunk == 1


async def test_what_woke_a_worker_that_died_is_taken_by_another(jobs: Jobs, redis: Client) -> None:
    """It died between waking and taking: the message is still there for whoever looks next."""
    queue = QueueReader(redis, "worker-1", lease_s=60, block_ms=50)
    assert await queue.take(at_once) is None
    await jobs.submit(spec(), documents(1))
    await redis.xreadgroup(GROUP, "dead", {NORMAL: ">"}, count=1, noack=True)
    assert (await take(queue)).lost == 0
    assert await redis.xlen(NORMAL) == 0


async def test_messages_for_nothing_are_dropped(jobs: Jobs, claims: Claims, queue: QueueReader, redis: Client) -> None:
    """Of chunks that are held or done, of jobs that have ended or are gone, and what is no message at all."""
    ended = (await jobs.submit(spec(), documents(4))).id
    gone = (await jobs.submit(spec(), documents(4))).id
    for job in (ended, gone):
        await jobs.cancel(job)
    await jobs.delete(gone)
    held = (await jobs.submit(spec(), documents(2))).id
    assert isinstance(await claims.claim(held, 0), Claim)
    for fields in ({"job": held, "chunk": "0"}, {"data": "{"}, {"data": '{"args": 3}'}, {"else": "x"}):
        await redis.xadd(NORMAL, fields)
    assert await queue.take(at_once) is None
    assert await redis.xlen(NORMAL) == 0


async def test_a_job_that_this_worker_cannot_do_is_left(jobs: Jobs, redis: Client) -> None:
    """Refused before, or of a newer version: it says so, claims nothing, and takes what it can."""
    refused = (await jobs.submit(spec(), documents(1))).id
    newer = (await jobs.submit(spec(), documents(1))).id
    await redis.hset(job_key(newer), "format", FORMAT + 1)
    known = (await jobs.submit(spec(), documents(1))).id
    queue = QueueReader(redis, "worker-1", lease_s=60, block_ms=50, cannot=lambda: [refused])
    assert await queue.take(at_once) == NotTaken(refused, 0, "refused")
    assert await queue.take(at_once) == NotTaken(newer, 0, "newer")
    assert (await take(queue)).job == known
    assert [(await jobs.show(job)).state.value for job in (refused, newer)] == ["queued", "queued"]
    assert await Claims(redis, "other").sweep() == 2


async def test_streams_that_vanish_are_made_again(jobs: Jobs, queue: QueueReader, redis: Client) -> None:
    """With their group, whenever they are missing; whatever else is wrong with them is raised."""
    await redis.delete(*QUEUES.values())
    assert await queue.take(at_once) is None
    await redis.delete(*QUEUES.values())
    await jobs.submit(spec(), documents(1))
    assert (await take(queue)).chunk == 0
    await redis.delete(NORMAL)
    await redis.set(NORMAL, "no stream")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await queue.take(at_once)


async def test_a_worker_that_ends_leaves_the_group(queue: QueueReader, redis: Client) -> None:
    """The group does not grow with the workers there ever were."""
    assert await queue.take(at_once) is None
    assert await queue.take(at_once) is None
    assert len(await redis.xinfo_consumers(NORMAL, GROUP)) == 1
    await queue.leave()
    assert await redis.xinfo_consumers(NORMAL, GROUP) == []


async def test_the_end_of_a_chunk_takes_the_next(jobs: Jobs, claims: Claims, queue: QueueReader, redis: Client) -> None:
    """In one step, and only where a chunk is wanted; at the end of a queue nothing is there."""
    job = (await jobs.submit(spec(), documents(6))).id
    wanted = True
    reader = QueueReader(redis, "worker-1", lease_s=60, block_ms=50, wanted=lambda: wanted)
    claim = await take(reader)
    assert await claims.complete(claim, "res", b"x", [], [], reader)
    assert reader.has_taken
    claim = await take(reader)
    assert (claim.job, claim.chunk) == (job, 1)
    wanted = False
    assert await claims.complete(claim, "res", b"x", [], [], reader)
    assert not reader.has_taken
    wanted = True
    claim = await take(reader)
    assert claim.chunk == 2
    assert await claims.complete(claim, "res", b"x", [], [], reader)
    assert not reader.has_taken
    assert (await jobs.show(job)).state.value == "completed"
    assert not await claims.complete(claim, "res", b"x", [], [], reader)
