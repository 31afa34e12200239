"""Chunks and who holds them: claims, leases, what a stale worker may do, what is sent again."""

from __future__ import annotations

import asyncio

from medner.core.choices import Priority
from medner.store.jobs import Claims, Finished, Jobs, JobState
from medner.store.jobs.keys import QUEUES
from medner.store.jobs.lua import WINDOW
from medner.store.redis.client import Client
from tests.jobs_kit import documents, spec
from tests.store.jobs.claims_kit import annotated, claimed, do


async def test_a_chunk_has_one_holder(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """A second worker is told who has it; one that comes after the end, that it is done."""
    job = (await jobs.submit(spec(), documents(1))).id
    other = Claims(redis, "worker-2")
    claim = await claimed(claims, job, 0)
    assert await other.claim(job, 0) == "held"
    await do(jobs, claims, claim)
    assert await other.claim(job, 0) == "completed"


async def test_a_stale_worker_changes_nothing(jobs: Jobs, redis: Client) -> None:
    """Once another holds its chunk, nothing a worker sends counts: no record, no end, no release, no renewal."""
    slow, quick = Claims(redis, "slow", lease_s=0.05), Claims(redis, "quick")
    job = (await jobs.submit(spec(), documents(2))).id
    stale = await claimed(slow, job, 0)
    await asyncio.sleep(0.1)
    fresh = await claimed(quick, job, 0)
    assert fresh.token > stale.token
    assert fresh.lost == 1
    made = await annotated(jobs, job, 0)
    assert not await slow.record(stale, [Finished(0, made[0])])
    assert not await slow.release(stale)
    assert await slow.attempt(stale, 0) == 0
    assert await slow.renew(job, [stale]) == ("running", [])
    assert not await do(jobs, slow, stale)
    assert (await jobs.show(job)).counts.done == 0
    assert await do(jobs, quick, fresh)
    assert (await jobs.show(job)).counts.done == 8


async def test_what_was_recorded_is_counted_once(jobs: Jobs, redis: Client) -> None:
    """A worker dies with half a chunk recorded: the next has it, and the counters count it once."""
    dying, heir = Claims(redis, "dying", lease_s=0.05), Claims(redis, "heir")
    job = (await jobs.submit(spec(), documents(2))).id
    claim = await claimed(dying, job, 0)
    made = await annotated(jobs, job, 0)
    assert await dying.record(claim, [Finished(index, made[index]) for index in range(4)])
    assert await dying.record(claim, [Finished(index, made[index]) for index in range(4)])  # the answer was lost
    await asyncio.sleep(0.1)
    claim = await claimed(heir, job, 0)
    assert dict((await heir.progress(claim)).recorded) == dict(enumerate(made[:4]))
    await do(jobs, heir, claim)
    view = await jobs.show(job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 8)


async def test_the_end_of_a_chunk_may_be_told_twice(jobs: Jobs, claims: Claims) -> None:
    """When the answer is lost and the worker asks again, nothing is counted a second time."""
    job = (await jobs.submit(spec(), documents(4))).id
    claim = await claimed(claims, job, 0)
    assert await do(jobs, claims, claim)
    assert not await do(jobs, claims, claim)
    assert (await jobs.show(job)).counts.done == 8


async def test_a_message_names_its_chunk(jobs: Jobs, redis: Client) -> None:
    """It goes into the stream of the job's priority."""
    job = (await jobs.submit(spec(priority="low"), documents(1))).id
    [(_, fields)] = await redis.xrange(QUEUES[Priority.LOW])
    assert fields == {b"job": job.encode(), b"chunk": b"0"}


async def test_a_lost_message_is_sent_anew(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """A stream that lost its messages costs nothing: the sweep knows which chunks nobody has."""
    await jobs.submit(spec(), documents(4))
    await redis.delete(*QUEUES.values())
    assert await claims.sweep() == 2
    await redis.delete("medner:sweeping")
    assert await claims.sweep() == 0
    assert await redis.xlen(QUEUES[Priority.NORMAL]) == 2


async def test_a_lost_workers_chunk_is_sent_anew(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """A claim that is not renewed ends; the chunk comes back and remembers that a worker was lost over it."""
    job = (await jobs.submit(spec(), documents(1))).id
    await claimed(Claims(redis, "dead", lease_s=0.05), job, 0)
    await redis.delete(*QUEUES.values())
    await asyncio.sleep(0.1)
    assert await claims.sweep() == 1
    assert (await claimed(claims, job, 0)).lost == 1


async def test_a_claim_that_is_renewed_is_kept(jobs: Jobs, redis: Client) -> None:
    """A long chunk stays with its worker while that gives signs of life."""
    worker = Claims(redis, "alive", lease_s=0.3)
    job = (await jobs.submit(spec(), documents(1))).id
    claim = await claimed(worker, job, 0)
    for _ in range(5):
        await asyncio.sleep(0.1)
        assert await worker.renew(job, [claim]) == ("running", [claim])
    assert await Claims(redis, "other").claim(job, 0) == "held"


async def test_few_chunks_are_given_out_at_a_time(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """However long a job, only so many of its chunks are in the queue; each that is done brings the next."""
    job = (await jobs.submit(spec(chunk_sentences=1), documents(WINDOW + 3, sentences=1))).id
    assert await redis.xlen(QUEUES[Priority.NORMAL]) == WINDOW
    claim = await claimed(claims, job, 0)
    assert await redis.xlen(QUEUES[Priority.NORMAL]) == WINDOW - 1
    await do(jobs, claims, claim)
    assert await redis.xlen(QUEUES[Priority.NORMAL]) == WINDOW
    assert await claims.claim(job, WINDOW + 2) == "done"  # not given out yet: no claim to be had
