"""Jobs from submit to delete, on a real Valkey; a worker's steps are taken by hand."""

from __future__ import annotations

import json

import pytest

from medner.core.errors import UserError
from medner.store.jobs import FORMAT, Claims, Finished, Jobs, JobState
from medner.store.jobs.keys import ACTIVE_JOBS, job_key
from medner.store.redis.client import Client
from tests.jobs_kit import documents, expected, found, spec
from tests.store.jobs.claims_kit import annotated, claimed, do


async def test_a_job_goes_from_submit_to_results(jobs: Jobs, claims: Claims) -> None:
    """Queued, running with the first claim, completed with the last chunk; every sentence has its result."""
    given = documents(6)
    job = (await jobs.submit(spec(name="病房"), given)).id
    view = await jobs.show(job)
    assert (view.state, view.counts.sentences, view.counts.documents, view.counts.chunks) == (
        JobState.QUEUED,
        24,
        6,
        3,
    )
    for chunk in range(3):
        claim = await claimed(claims, job, chunk)
        assert (await jobs.show(job)).state is JobState.RUNNING
        assert await do(jobs, claims, claim)
    view = await jobs.show(job)
    assert (view.state, view.counts.done, view.counts.dead, view.counts.left) == (JobState.COMPLETED, 24, 0, 0)
    assert view.counts.entities == sum(map(len, expected(given).values()))
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_dead_letters_end_a_job_with_errors_and_are_replayed(jobs: Jobs, claims: Claims) -> None:
    """A sentence that was given up is listed; its chunk-mates have results; a replay does it and only it."""
    given = documents(4)
    job = (await jobs.submit(spec(), given)).id
    await do(jobs, claims, await claimed(claims, job, 0), dead={3: "毒"})
    await do(jobs, claims, await claimed(claims, job, 1))
    view = await jobs.show(job)
    assert (view.state, view.counts.done, view.counts.dead) == (JobState.COMPLETED_WITH_ERRORS, 15, 1)
    [letter] = await jobs.dead(job)
    assert (letter.chunk, letter.index, letter.error, letter.attempts) == (0, 3, "毒", 3)
    assert await jobs.replay(job) == 1
    assert (await jobs.show(job)).state is JobState.QUEUED
    assert await claims.claim(job, 1) == "done"
    claim = await claimed(claims, job, 0)
    made = await annotated(jobs, job, 0)
    spool = jobs.spool_of(job, spec())
    kept = await spool.keep(0, claim.token, (), made)
    assert await claims.complete(claim, spool.where, kept, [Finished(3, made[3])], [])
    view = await jobs.show(job)
    assert (view.state, view.counts.done, view.counts.dead) == (JobState.COMPLETED, 16, 0)
    assert await jobs.dead(job) == []


async def test_a_cancelled_job_gives_out_nothing_and_keeps_what_it_has(jobs: Jobs, claims: Claims) -> None:
    """Cancel, cancel again, replay: the rest is done and nothing twice."""
    given = documents(6)
    job = (await jobs.submit(spec(), given)).id
    await do(jobs, claims, await claimed(claims, job, 0))
    under_way = await claimed(claims, job, 1)
    assert (await jobs.cancel(job)).state is JobState.CANCELLED
    assert (await jobs.cancel(job)).state is JobState.CANCELLED
    assert await claims.claim(job, 2) == "cancelled"
    assert (await claims.renew(job, [under_way]))[0] == "cancelled"
    made = await annotated(jobs, job, 1)
    assert await claims.record(under_way, [Finished(0, made[0])])
    assert await claims.release(under_way)
    assert len([one async for one in jobs.results(job)]) == 6
    assert await jobs.replay(job) == 24 - 9
    for chunk in (1, 2):
        await do(jobs, claims, await claimed(claims, job, chunk))
    view = await jobs.show(job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 24)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_only_what_has_ended_is_replayed_or_deleted(jobs: Jobs) -> None:
    """A job that runs is cancelled first; one that is completed has nothing left."""
    job = (await jobs.submit(spec(), documents(1))).id
    with pytest.raises(UserError, match="queued"):
        await jobs.replay(job)
    with pytest.raises(UserError, match="cancel it first"):
        await jobs.delete(job)


async def test_a_deleted_job_leaves_nothing(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """Neither results nor bookkeeping; a worker that comes is told that it is gone."""
    job = (await jobs.submit(spec(), documents(4), key="mine")).id
    await claimed(claims, job, 0)
    await jobs.cancel(job)
    await jobs.delete(job)
    left = [name for name in await redis.keys("medner:*") if job.encode() in name or b"key" in name]
    assert not left
    assert await claims.claim(job, 1) == "gone"
    assert not await redis.sismember(ACTIVE_JOBS, job)


async def test_a_job_of_a_newer_version_is_shown_and_not_touched(jobs: Jobs, redis: Client) -> None:
    """Its state can be seen; what would need to understand it is refused with the reason."""
    job = (await jobs.submit(spec(), documents(1))).id
    newer = {**json.loads(await redis.hget(job_key(job), "spec")), "from_the_future": True}
    await redis.hset(job_key(job), mapping={"format": FORMAT + 1, "spec": json.dumps(newer)})
    view = await jobs.show(job)
    assert (view.spec, view.state) == (None, JobState.QUEUED)
    with pytest.raises(UserError, match="newer medner"):
        _ = [one async for one in jobs.results(job)]


async def test_a_damaged_record_can_be_listed_and_deleted(jobs: Jobs, redis: Client) -> None:
    """One job's damage is not that of the others."""
    job = (await jobs.submit(spec(), documents(1))).id
    await jobs.cancel(job)
    await redis.hset(job_key(job), "spec", "{")
    assert [view.spec for view in await jobs.all()] == [None]
    with pytest.raises(UserError, match="damaged"):
        _ = [one async for one in jobs.results(job)]
    await jobs.delete(job)
    assert await jobs.all() == []


async def test_an_ended_job_is_kept_for_a_time(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """All of it expires together, and only once it has ended."""
    job = (await jobs.submit(spec(keep_s=3_600), documents(2))).id
    assert await redis.ttl(job_key(job)) == -1
    await do(jobs, claims, await claimed(claims, job, 0))
    parts = list(await redis.keys(f"{job_key(job)}*"))
    assert {b"res", b"in"} <= {name.rpartition(b":")[2] for name in parts}
    assert all([3_500 < await redis.ttl(name) <= 3_600 for name in parts])
