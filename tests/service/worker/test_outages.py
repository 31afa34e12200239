"""Models, Redis or its queues that are away: the work waits, and nothing is missing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from medner.core.records import Document
from medner.store.jobs import Jobs, JobState
from medner.store.jobs.keys import QUEUES
from medner.store.redis.client import Client
from tests.jobs_kit import RAISES, WORD, documents, expected, found, open_scripted, spec, until_ended
from tests.service.worker.waiting import something_done, until, until_async, worker_is


async def test_models_that_are_away_pause_the_work_and_cost_nothing(jobs: Jobs, working: Any, tmp_path: Path) -> None:
    """While no agent answers, no sentence is given up; the worker says what it waits for, and goes on by itself."""
    away = tmp_path / "away"
    away.touch()
    given = documents(4)
    async with working(open_scripted(away=away)):
        job = (await jobs.submit(spec(attempts=1), given)).id
        await until_async(lambda: worker_is(jobs, "paused"))
        [worker] = await jobs.workers()
        assert worker.reason == "the models do not answer"
        assert (await jobs.show(job)).counts.dead == 0
        away.unlink()
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.dead) == (JobState.COMPLETED, 0)


async def test_a_bad_sentence_during_an_outage_is_not_given_up_for_it(jobs: Jobs, working: Any, tmp_path: Path) -> None:
    """While the models are away nothing is counted against any sentence; afterwards the bad one alone is given up."""
    away = tmp_path / "away"
    away.touch()
    given = [*documents(3), Document("毒", f"{RAISES}。\n{WORD}。\n")]
    async with working(open_scripted(away=away)):
        job = (await jobs.submit(spec(attempts=1), given)).id
        await until_async(lambda: worker_is(jobs, "paused"))
        away.unlink()
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done, view.counts.dead) == (JobState.COMPLETED_WITH_ERRORS, 13, 1)
    assert [letter.sentence for letter in await jobs.dead(job)] == ["毒#0"]


async def test_a_full_redis_pauses_the_work(jobs: Jobs, working: Any, redis: Client) -> None:
    """While Redis takes no writes the worker waits and says so; with room it goes on and nothing is missing."""
    given = documents(30)
    job = (await jobs.submit(spec(), given)).id
    async with working(open_scripted(delay_s=0.05)) as worker:
        await until_async(lambda: something_done(jobs, job))
        await redis.config_set("maxmemory", 1)
        await until(lambda: "full" in worker._retry.reason)
        await redis.config_set("maxmemory", 0)
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 120)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_queues_that_are_lost_are_made_anew(jobs: Jobs, working: Any, redis: Client) -> None:
    """Streams that vanish with their groups and messages, while a worker reads them: the job is done all the same."""
    given = documents(30)
    async with working(open_scripted(delay_s=0.05)):
        job = (await jobs.submit(spec(), given)).id
        for _ in range(3):
            await asyncio.sleep(0.4)
            await redis.delete(*QUEUES.values())
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 120)
    assert not [await redis.xlen(stream) for stream in QUEUES.values() if await redis.xlen(stream)]
