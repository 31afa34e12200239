"""Jobs that are cancelled and workers that are to end, in the middle of the work."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from medner.store.jobs import Jobs, JobState
from tests.jobs_kit import documents, expected, found, open_scripted, spec, until_ended
from tests.service.worker.waiting import something_done, until, until_async


async def test_cancelled_and_replayed_at_once_leaves_nothing_out(jobs: Jobs, working: Any) -> None:
    """However quickly a replay follows on a cancel, chunks that were under way end whole."""
    given = documents(30)
    async with working(open_scripted(delay_s=0.05)):
        job = (await jobs.submit(spec(), given)).id
        for _ in range(4):
            await asyncio.sleep(0.3)
            await jobs.cancel(job)
            await jobs.replay(job)
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 120)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_cancel_stops_within_two_seconds_and_a_sentence(jobs: Jobs, working: Any) -> None:
    """What is under way ends, nothing more begins; what is done stays and is read; a replay does the rest."""
    given = documents(40)
    async with working(open_scripted(delay_s=0.2)) as worker:
        job = (await jobs.submit(spec(), given)).id
        await until_async(lambda: something_done(jobs, job))
        began = time.monotonic()
        await jobs.cancel(job)
        await until(lambda: not worker._tools.runs)
        assert time.monotonic() - began < 2 + 0.4
        view = await jobs.show(job)
        assert 0 < view.counts.done < 160
        partial = [one async for one in jobs.results(job)]
        assert sum(len(one.annotations) for one in partial) == view.counts.done
        await asyncio.sleep(0.5)
        assert (await jobs.show(job)).counts.done == view.counts.done
    await jobs.replay(job)
    async with working():
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 160)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_a_worker_that_is_to_end_hands_its_chunks_back(jobs: Jobs, working: Any) -> None:
    """Stopped in the middle: what was done is recorded, no lease has to end, and the next worker does the rest."""
    given = documents(30)
    job = (await jobs.submit(spec(), given)).id
    async with working(open_scripted(delay_s=0.1), lease_s=60.0):
        await until_async(lambda: something_done(jobs, job))
    done = (await jobs.show(job)).counts.done
    assert 0 < done < 120
    async with working(lease_s=60.0):
        view = await until_ended(jobs, job, patience_s=15)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 120)
