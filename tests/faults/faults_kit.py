"""What a job must be in the end, and waiting for what processes do."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

from medner.core.records import Document
from medner.store.jobs import Jobs, JobView
from medner.store.jobs.keys import job_key
from tests.jobs_kit import WorkerProcess, expected, found


async def whole(jobs: Jobs, job: str, given: list[Document], *, dead: int = 0) -> JobView:
    """The job's view, after making sure that every sentence has exactly one result and the counters agree."""
    view = await jobs.show(job)
    result = [one async for one in jobs.results(job)]
    assert [one.document for one in result] == given
    ids = Counter(item.sentence.id for one in result for item in one.annotations)
    assert set(ids.values()) == {1}
    assert len(ids) == view.counts.sentences
    complete = [item for one in result for item in one.annotations if item.complete]
    assert (view.counts.done, view.counts.dead) == (len(complete), dead)
    assert view.counts.entities == sum(len(item.entities) for item in complete)
    if dead == 0:
        assert found(result) == expected(given)
    return view


async def started(jobs: Jobs, job: str, *, everybody: int = 1) -> None:
    """Until a first result is there and so many workers hold chunks."""
    async with asyncio.timeout(60):
        while True:
            view = await jobs.show(job)
            holders = {entry for entry in await _holders(jobs, job) if entry}
            if (view.counts.done or view.counts.chunks_done) and len(holders) >= everybody:
                return
            await asyncio.sleep(0.02)


async def _holders(jobs: Jobs, job: str) -> list[str]:
    import json

    entries = await jobs._redis.hvals(f"{job_key(job)}:open")
    return [json.loads(entry).get("w", "") for entry in entries if json.loads(entry)["s"] == "claimed"]


async def ready(worker: WorkerProcess) -> None:
    """Until a worker works: killed before, it would have nothing to lose."""
    async with asyncio.timeout(30):
        while worker.starts > worker.log.read_text(encoding="utf-8").count('"ready"'):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def told(jobs: Jobs, word: str) -> None:
    """Until a worker says that it waits for something with this word."""
    async with asyncio.timeout(30):
        while not any(word in one.reason for one in await jobs.workers()):  # noqa: ASYNC110  another process
            await asyncio.sleep(0.1)


async def tidied(folder: Path) -> None:
    """Until the manifest of a result folder is written."""
    end = time.monotonic() + 20
    while not (folder / "_medner" / "manifest.json").exists():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
