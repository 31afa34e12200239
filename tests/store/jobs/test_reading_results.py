"""Results from any document on."""

from __future__ import annotations

import random
from pathlib import Path

from medner.core.records import Document
from medner.store.jobs import Claims, Jobs
from medner.store.jobs.keys import job_key
from medner.store.redis.client import Client
from tests.jobs_kit import documents, spec
from tests.store.jobs.claims_kit import claimed, commands, do


async def test_results_begin_where_they_are_wanted(jobs: Jobs, claims: Claims, redis: Client, tmp_path: Path) -> None:
    """From any document on, also where long documents are cut and chunks are missing; earlier ones are not read."""
    long = Document("长", "".join(f"第{number}天好转。\n" for number in range(100)))
    given = [*documents(7), long, *documents(3, sentences=9)]
    chance = random.Random(5)  # noqa: S311  an order, not a secret
    for settings in ({}, {"results": str(tmp_path / "out")}):
        job = (await jobs.submit(spec(chunk_sentences=4, **settings), given)).id
        chunks = list(range((await jobs.show(job)).counts.chunks))
        chance.shuffle(chunks)
        for chunk in chunks:
            await from_everywhere(jobs, job, len(given))
            await do(jobs, claims, await claimed(claims, job, chunk), settings=settings)
        assert await from_everywhere(jobs, job, len(given)) == [one.id for one in given]
    job = (await jobs.submit(spec(chunk_sentences=4), given)).id
    await redis.hset(f"{job_key(job)}:in", "0", "damaged")
    assert [one.document.id async for one in jobs.results(job, offset=8)] == [one.id for one in given[8:]]


async def test_a_page_of_documents_costs_the_same_wherever_it_begins(
    jobs: Jobs, claims: Claims, redis: Client, tmp_path: Path
) -> None:
    """The first documents or the last of many: nothing before them is read."""
    for settings in ({}, {"results": str(tmp_path / "out")}):
        job = (await jobs.submit(spec(**settings), documents(200))).id
        for chunk in range(100):
            await do(jobs, claims, await claimed(claims, job, chunk), settings=settings)
        costs = []
        for offset in (1, 197):
            before = await commands(redis)
            result = jobs.results(job, offset=offset)
            assert (await anext(result)).document.id == f"病历{offset}"
            await result.aclose()  # type: ignore[attr-defined]
            costs.append(await commands(redis) - before)
        # To find its place takes the logarithm of the chunks.
        assert abs(costs[1] - costs[0]) <= 8


async def from_everywhere(jobs: Jobs, job: str, most: int) -> list[str]:
    """The ids of a job's documents, after making sure that reading may begin at any of them."""
    every = [one.document.id async for one in jobs.results(job)]
    for offset in range(most + 2):
        assert [one.document.id async for one in jobs.results(job, offset=offset)] == every[offset:]
    return every
