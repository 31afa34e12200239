"""Chunks that break off for a reason that nobody expects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from medner.service.jobs.watch import described, end_in_words, remarks
from medner.store.jobs import Jobs, JobState
from medner.store.jobs.keys import job_key
from medner.store.redis.client import Client
from tests.jobs_kit import documents, expected, found, open_scripted, spec, until_ended
from tests.service.worker.waiting import until_async


def _breaking(times: int) -> Any:
    """Agents that cannot be opened the first ``times``, for a reason that nobody expects."""
    left = times

    @asynccontextmanager
    async def opened(given: Any) -> AsyncIterator[Any]:
        nonlocal left
        if left:
            left -= 1
            raise OverflowError("date value out of range")
        async with open_scripted()(given) as pipeline:
            yield pipeline

    return opened


async def test_a_chunk_that_breaks_off_is_tried_again(jobs: Jobs, working: Any) -> None:
    """At once after a short pause, not after the lease; in the end nothing is missing."""
    given = documents(2)
    job = (await jobs.submit(spec(attempts=3), given)).id
    async with working(_breaking(2), lease_s=60.0):
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.dead) == (JobState.COMPLETED, 0)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_a_chunk_that_breaks_off_each_time_becomes_dead_letters(jobs: Jobs, working: Any) -> None:
    """After its attempts every sentence without a result has a letter with the reason; a replay does them again."""
    given = documents(3)
    job = (await jobs.submit(spec(attempts=2), given)).id
    async with working(_breaking(1_000), lease_s=60.0):
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.dead) == (JobState.COMPLETED_WITH_ERRORS, 12)
    assert view.reason == "OverflowError: date value out of range"
    letters = await jobs.dead(job)
    assert {(one.kind, one.error, one.attempts) for one in letters} == {("OverflowError", "date value out of range", 2)}
    assert ("reason", view.reason) in described(view)
    assert view.reason in end_in_words(view)
    assert await jobs.replay(job) == 12
    async with working():
        view = await until_ended(jobs, job)
    assert (view.state, view.reason) == (JobState.COMPLETED, "")
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_a_chunk_that_cannot_be_read_ends_the_job(jobs: Jobs, working: Any, redis: Client) -> None:
    """There is no sentence to write a letter for; the reason says nothing of the content."""
    job = (await jobs.submit(spec(attempts=2), documents(2))).id
    await redis.hset(f"{job_key(job)}:in", "0", '[{"病历": "患者咳嗽"}]')
    async with working(lease_s=60.0):
        view = await until_ended(jobs, job)
    assert view.state is JobState.FAILED
    assert "chunk 0 breaks off each time: ValidationError" in view.reason
    assert "咳嗽" not in view.reason


async def test_what_is_wrong_is_told_while_a_job_runs(jobs: Jobs, working: Any) -> None:
    """Who watches sees why nothing comes."""
    job = (await jobs.submit(spec(attempts=50, backoff_s=30), documents(1))).id
    async with working(_breaking(1_000)):

        async def told() -> bool:
            return (await jobs.show(job)).reason != ""

        await until_async(told)
        assert "OverflowError: date value out of range" in await remarks(jobs, await jobs.show(job))
    await jobs.cancel(job)
