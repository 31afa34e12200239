"""Jobs by name, lists of them and their numbers."""

from __future__ import annotations

import pytest

from medner.core.errors import UserError
from medner.store.jobs import Claims, Finished, Jobs
from medner.store.jobs.keys import job_key
from medner.store.redis.client import Client
from tests.jobs_kit import documents, spec
from tests.store.jobs.claims_kit import annotated, claimed, commands, do


async def test_jobs_are_found_by_id_beginning_name_and_last(jobs: Jobs) -> None:
    """What means several is refused."""
    first = (await jobs.submit(spec(name="甲"), documents(1))).id
    second = (await jobs.submit(spec(name="乙"), documents(1))).id
    assert await jobs.find("last") == second
    assert await jobs.find("甲") == first
    assert await jobs.find(second[:-1] if second[:-1] != first[:-1] else second) == second
    with pytest.raises(UserError, match="2 jobs"):
        await jobs.find(first[:8])
    with pytest.raises(UserError, match="no job"):
        await jobs.find("丙")


async def test_what_a_list_costs_does_not_grow_with_the_jobs(jobs: Jobs, redis: Client) -> None:
    """A page of jobs, the numbers of the queue, a name, the newest: the same commands for 12 jobs as for 60."""
    costs = []
    await jobs.newest(1)  # a server learns each script once
    await jobs.queue()
    for count in (12, 48):
        ids = [(await jobs.submit(spec(name=f"{count}-{number}"), documents(1))).id for number in range(count)]
        before = await commands(redis)
        listed, total = await jobs.newest(5)
        assert [one.id for one in listed] == [*reversed(ids)][:5]
        queue = await jobs.queue()
        assert (queue.jobs["queued"], queue.sentences_left) == (total, 4 * total)
        assert await jobs.find(f"{count}-3") == ids[3]
        assert await jobs.find("last") == ids[-1]
        costs.append(await commands(redis) - before)
    assert costs[0] == costs[1]


async def test_a_job_that_is_gone_leaves_the_lists(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """Expired, deleted, or lost by the server: neither lists nor numbers nor names know it any more."""
    ids = [(await jobs.submit(spec(name=str(number)), documents(1))).id for number in range(12)]
    for job in ids[:2]:
        await do(jobs, claims, await claimed(claims, job, 0))
    await redis.pexpire(job_key(ids[0]), 1)
    await redis.zadd("medner:state:completed", {ids[0]: 1})
    await jobs.delete(ids[1])
    await redis.delete(job_key(ids[3]))
    listed, total = await jobs.newest(9)
    assert ([one.id for one in listed], total) == ([job for job in reversed(ids) if job not in (*ids[:2], ids[3])], 9)
    for name in ("0", "1", "3"):
        with pytest.raises(UserError, match="no job"):
            await jobs.find(name)
    await jobs.reindex()
    queue = await jobs.queue()
    assert (queue.jobs["queued"], queue.jobs["completed"], queue.sentences_left) == (9, 0, 36)


async def test_sentences_left_follow_every_step(jobs: Jobs, claims: Claims) -> None:
    """Done, given up, cancelled, replayed, deleted: the number is that of the active jobs."""

    async def left() -> int:
        counted = (await jobs.queue()).sentences_left
        views = [view for view in await jobs.all() if view.state.value in ("queued", "running")]
        assert counted == sum(view.counts.left for view in views)
        return counted

    job = (await jobs.submit(spec(), documents(6))).id
    assert await left() == 24
    claim = await claimed(claims, job, 0)
    made = await annotated(jobs, job, 0)
    await claims.record(claim, [Finished(0, made[0])])
    assert await left() == 23
    await do(jobs, claims, claim, dead={3: "毒"})
    assert await left() == 16
    await jobs.cancel(job)
    assert await left() == 0
    assert await jobs.replay(job) == 17
    assert await left() == 17
    await jobs.cancel(job)
    await jobs.delete(job)
    assert await left() == 0
