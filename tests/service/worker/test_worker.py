"""A worker on a real Valkey, with agents that answer from a script."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from medner.core.errors import UserError
from medner.store.jobs import FORMAT, Jobs, JobState
from medner.store.jobs.keys import job_key
from medner.store.redis.client import Client
from tests.jobs_kit import WORD, documents, expected, found, open_scripted, spec, until_ended
from tests.service.worker.waiting import until


async def test_every_document_gets_its_entities(jobs: Jobs, working: Any) -> None:
    """Results in the order of the documents, offsets in the whole document."""
    given = documents(20)
    async with working():
        job = (await jobs.submit(spec(), given)).id
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 80)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_what_was_submitted_before_the_worker_came_is_done(jobs: Jobs, working: Any) -> None:
    """A queue waits for whoever comes."""
    job = (await jobs.submit(spec(), documents(5))).id
    async with working():
        assert (await until_ended(jobs, job)).state is JobState.COMPLETED


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
async def test_a_result_folder_gets_parts_and_redis_only_the_bookkeeping(
    jobs: Jobs, working: Any, redis: Client, tmp_path: Path, form: str
) -> None:
    """Parts in the folder give the documents again; neither texts nor results are in Redis."""
    given = documents(12)
    folder = tmp_path / "结果 folder"
    job = (await jobs.submit(spec(results=str(folder), part_format=form), given)).id
    assert WORD.encode() not in b"".join(
        [b"".join((await redis.hgetall(name)).values()) for name in await redis.keys(f"{job_key(job)}:*")]
    )
    async with working():
        await until_ended(jobs, job)
        await until((folder / "_medner" / "manifest.json").exists)
        await until(lambda: not (folder / "_medner" / "chunks").exists())
    manifest = json.loads((folder / "_medner" / "manifest.json").read_text(encoding="utf-8"))
    names = [part["file"] for part in manifest["parts"]]
    assert sorted(path.name for path in folder.glob("part-*")) == sorted(names)
    assert sum(part["sentences"] for part in manifest["parts"]) == 48
    assert found([one async for one in jobs.results(job)]) == expected(given)
    assert not await redis.exists(f"{job_key(job)}:in", f"{job_key(job)}:res")


async def test_a_result_folder_that_holds_something_is_refused(jobs: Jobs, tmp_path: Path) -> None:
    """Nothing of another's is written over, and no job stays."""
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="name a new or an empty folder"):
        await jobs.submit(spec(results=str(tmp_path)), documents(1))
    assert await jobs.all() == []


async def test_a_worker_that_cannot_do_a_job_says_why(jobs: Jobs, working: Any) -> None:
    """When none can, the job has failed with the reason; after a fix it is replayed."""

    @asynccontextmanager
    async def cannot(_: Any) -> AsyncIterator[Any]:
        raise UserError("the model is not here; medner models pull it")
        yield

    job = (await jobs.submit(spec(), documents(2))).id
    async with working(cannot):
        view = await until_ended(jobs, job)
    assert (view.state, view.reason) == (JobState.FAILED, "the model is not here; medner models pull it")
    await jobs.replay(job)
    async with working():
        assert (await until_ended(jobs, job)).state is JobState.COMPLETED


async def test_agents_that_are_set_up_wrongly_fail_the_job_and_not_its_sentences(jobs: Jobs, working: Any) -> None:
    """What the user must mend is the job's reason; no sentence is blamed for it."""

    class Wrong:
        async def annotate_sentence(self, _: Any) -> Any:
            raise UserError("there is no such adapter on the servers")

    @asynccontextmanager
    async def wrong(_: Any) -> AsyncIterator[Any]:
        yield Wrong()

    job = (await jobs.submit(spec(), documents(2))).id
    async with working(wrong):
        view = await until_ended(jobs, job)
    assert (view.state, view.reason) == (JobState.FAILED, "there is no such adapter on the servers")
    assert view.counts.dead == 0


async def test_a_newer_job_is_refused_and_left_for_others(jobs: Jobs, working: Any, redis: Client) -> None:
    """An older worker says that it is too old, touches nothing, and does the jobs it knows."""
    newer = (await jobs.submit(spec(), documents(2))).id
    record = {**json.loads(await redis.hget(job_key(newer), "spec")), "later": 1}
    await redis.hset(job_key(newer), mapping={"format": FORMAT + 1, "spec": json.dumps(record)})
    known = (await jobs.submit(spec(), documents(2))).id
    async with working() as worker:
        assert (await until_ended(jobs, known)).state is JobState.COMPLETED
        view = await jobs.show(newer)
    assert (view.state, view.counts.done) == (JobState.QUEUED, 0)
    assert "newer medner" in view.refusals[worker.id]


async def test_urgent_jobs_go_first(jobs: Jobs, working: Any) -> None:
    """A job of high priority that comes later is done before what waits."""
    slow = (await jobs.submit(spec(chunk_sentences=4, priority="low"), documents(40))).id
    urgent = (await jobs.submit(spec(chunk_sentences=4, priority="high"), documents(2))).id
    async with working(open_scripted(delay_s=0.05)):
        await until_ended(jobs, urgent)
        assert (await jobs.show(slow)).counts.done < 80
