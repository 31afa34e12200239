"""Submits: one job a key, and nothing left of one that broke."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medner.core.errors import UserError
from medner.core.records import Document
from medner.store.jobs import Jobs
from medner.store.jobs.keys import job_key
from medner.store.jobs.submitting import SubmitCallbacks, Submitter
from medner.store.redis.client import Client
from tests.jobs_kit import documents, spec


async def test_two_jobs_never_share_an_id(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the id that is drawn is taken, another one is drawn, and the job that has it keeps its documents."""
    draws = iter(["aaaaaa", "aaaaaa", "bbbbbb"])
    token_hex = secrets.token_hex
    monkeypatch.setattr(secrets, "token_hex", lambda size: next(draws) if size == 3 else token_hex(size))
    monkeypatch.setattr(time, "strftime", lambda _: "20260102-030405")
    first = await jobs.submit(spec(), [Document("a", "咳嗽三天。")])
    second = await jobs.submit(spec(), [Document("b", "发热。"), Document("c", "头痛。")])
    assert (first.id, second.id) == ("20260102-030405-aaaaaa", "20260102-030405-bbbbbb")
    assert [(await jobs.show(one.id)).counts.documents for one in (first, second)] == [1, 2]
    assert (await jobs.newest(5))[1] == 2


async def test_the_same_key_is_the_same_job(jobs: Jobs, redis: Client) -> None:
    """Two submits at the same time with one key make one job, with each document once."""
    both = await asyncio.gather(
        jobs.submit(spec(), documents(50), key="夜班"), Jobs(redis).submit(spec(), documents(50), key="夜班")
    )
    assert len({one.id for one in both}) == 1
    assert sorted(one.created for one in both) == [False, True]
    assert (await jobs.show(both[0].id)).counts.sentences == 200
    assert len(await jobs.all()) == 1


async def test_a_submit_that_died_is_begun_anew_by_its_key(jobs: Jobs, redis: Client) -> None:
    """Half a job is no job: who comes with the key after the submitter's lease makes it whole."""
    job, _ = await Submitter(redis, spec(), SubmitCallbacks())._open("k")
    assert (await jobs.submit(spec(), documents(2), key="k")).id == job
    await redis.hset(job_key(job), "submit_until", 1)
    again = await jobs.submit(spec(), documents(2), key="k")
    assert again.created
    assert again.id != job
    assert [view.id for view in await jobs.all()] == [again.id]


async def test_a_submit_that_cannot_read_on_leaves_no_job(jobs: Jobs, redis: Client) -> None:
    """When an input breaks in the middle, what was submitted so far is gone."""

    def broken() -> Iterator[Document]:
        yield from documents(30)
        raise UserError("line 31 is damaged")

    with pytest.raises(UserError, match="damaged"):
        await jobs.submit(spec(), broken(), key="k")
    assert await redis.keys("medner:*") == []


async def test_a_submit_that_broke_leaves_its_result_folder_empty(jobs: Jobs, tmp_path: Path) -> None:
    """The same command can be given again; another job's folder is never touched."""

    def broken() -> Iterator[Document]:
        yield from documents(30)
        raise UserError("damaged")

    place = str(tmp_path / "out")
    with pytest.raises(UserError, match="damaged"):
        await jobs.submit(spec(results=place), broken())
    job = (await jobs.submit(spec(results=place), documents(3))).id
    with pytest.raises(UserError, match="holds"):
        await jobs.submit(spec(results=place), documents(3))
    assert len(await jobs.spool_of(job, spec(results=place)).get(0)) == 2
