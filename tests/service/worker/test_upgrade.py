"""A worker finishes what version 0.1.0 left in Redis."""

from __future__ import annotations

from typing import Any

from medner.store.jobs import Jobs, JobState
from medner.store.redis.client import Client
from tests.jobs_kit import documents, expected, found, until_ended
from tests.old_redis import restore


async def test_jobs_of_the_version_before_are_finished(jobs: Jobs, working: Any, redis: Client) -> None:
    """Those that waited and those that were under way, each sentence once."""
    await restore(redis)
    async with working():
        for name in ("waiting", "running"):
            job = await jobs.find(name)
            view = await until_ended(jobs, job)
            assert (view.state, view.counts.done) == (JobState.COMPLETED, 24)
            assert found([one async for one in jobs.results(job)]) == expected(documents(6))
