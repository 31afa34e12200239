"""Jobs that version 0.1.0 left in Redis are read, listed, found, and their messages understood."""

from __future__ import annotations

from medner.store.jobs import Claims, Jobs, JobState
from medner.store.jobs.claims import Claim
from medner.store.jobs.keys import QUEUES
from medner.store.jobs.queue import QueueReader
from medner.store.redis.client import Client
from tests.jobs_kit import documents, expected, found
from tests.old_redis import restore
from tests.store.jobs.test_queue import at_once


async def test_jobs_are_listed_found_and_counted(jobs: Jobs, redis: Client) -> None:
    """The indexes, which 0.1.0 did not keep, are made when they are first looked at."""
    await restore(redis)
    views, total = await jobs.newest(3)
    assert ([view.name for view in views], total) == (["running", "waiting", "bad"], 4)
    assert [(await jobs.show(await jobs.find(name))).name for name in ("done", "last")] == ["done", "running"]
    queue = await jobs.queue()
    assert {state: count for state, count in queue.jobs.items() if count} == {
        "queued": 1,
        "running": 1,
        "completed": 1,
        "completed_with_errors": 1,
    }
    assert queue.sentences_left == sum(
        view.counts.left for view in await jobs.all() if view.name in ("running", "waiting")
    )


async def test_results_and_dead_letters_are_read(jobs: Jobs, redis: Client) -> None:
    """From any document on, and a replay opens what failed."""
    await restore(redis)
    done, bad = await jobs.find("done"), await jobs.find("bad")
    given = documents(3)
    assert found([one async for one in jobs.results(done)]) == expected(given)
    assert [one.document.id async for one in jobs.results(done, offset=2)] == [given[2].id]
    [letter] = await jobs.dead(bad)
    assert (letter.sentence, letter.kind) == ("毒#1", "RuntimeError")
    assert await jobs.replay(bad) == 1
    assert (await jobs.show(bad)).state is JobState.QUEUED


async def test_messages_of_the_old_form_are_taken(jobs: Jobs, redis: Client) -> None:
    """Those that wait at once, those that a dead worker had in hand after its lease."""
    await restore(redis)
    queue = QueueReader(redis, "new", lease_s=0.2, block_ms=50)
    taken = []
    for _ in range(40):
        claim = await queue.take(at_once)
        if isinstance(claim, Claim):
            taken.append((claim.job, claim.chunk))
        await Claims(redis, "new").sweep()
    # Leases are short, so the last sweep may have sent a chunk again.
    while await queue.take(at_once) is not None:
        pass
    running, waiting = await jobs.find("running"), await jobs.find("waiting")
    assert {chunk for job, chunk in taken if job == running} == {0, 1, 2}
    assert {chunk for job, chunk in taken if job == waiting} == {0, 1, 2}
    assert [await redis.xlen(stream) for stream in QUEUES.values()] == [0, 0, 0]
