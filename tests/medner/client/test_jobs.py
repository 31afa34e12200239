"""Jobs of a server from Python: the verbs and the objects of the local ones, with a real server, Valkey and worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import httpx
import pytest

import medner
from medner.store.redis.address import RedisAddress
from tests.jobs_kit import RAISES, WORD, documents
from tests.service.worker.conftest import Working

T = TypeVar("T")
TEXTS = [one.text for one in documents(6)]


async def beside(work: Callable[[], T]) -> T:
    """What a synchronous client does, while the server answers in this loop."""
    return await asyncio.to_thread(work)


async def test_a_job_from_texts_to_results(client: httpx.AsyncClient, address: RedisAddress, working: Working) -> None:
    """The same objects, equal to those that `medner.Jobs` gives of the same job."""

    def story(server: medner.Server) -> str:
        job = server.jobs.submit(TEXTS, name="ward-7", keep_days=1)
        assert (job.name, job.documents, job.sentences) == ("ward-7", 6, 24)
        seen = list(server.jobs.watch("ward-7", every_s=0.05))
        assert seen[-1].state == "completed"
        assert seen[-1].ended
        assert server.jobs.wait(job) == seen[-1]
        found = list(server.jobs.results(job))
        assert [one.text for one in found] == TEXTS
        assert [one.id for one in found] == [f"text-{number}" for number in range(1, 7)]
        assert {entity.text for one in found for entity in one.entities} == {WORD}
        assert found[0].entities[0].label_name == "临床表现"
        assert [one.id for one in server.jobs.list()] == [job.id]
        assert len(server.jobs.workers()) == 1
        with medner.Jobs(address.url) as local:
            # HTTP tells times in microseconds, Redis in milliseconds.
            assert [replace(one, submitted_s=0) for one in local.list()] == [
                replace(one, submitted_s=0) for one in server.jobs.list()
            ]
            assert list(local.results(job)) == found
            assert next(local.results(job)).to_json() == found[0].to_json()
        server.jobs.delete("last")
        assert server.jobs.list() == []
        return job.id

    async with working():
        with medner.connect(str(client.base_url)) as server:
            assert await beside(lambda: story(server))


async def test_cancel_replay_and_the_key(client: httpx.AsyncClient, working: Working) -> None:
    """What was not done is done by the replay; one key gives one job; all asynchronously."""
    async with medner.connect_async(str(client.base_url)) as server:
        job = await server.jobs.submit(TEXTS, key="nightly", priority="low", trace="none")
        assert (await server.jobs.submit(TEXTS, key="nightly", priority="low", trace="none")).id == job.id
        assert (await server.jobs.cancel(job)).state == "cancelled"
        assert await server.jobs.replay(job) == 24
        async with working():
            assert [one.state async for one in server.jobs.watch(job, every_s=0.05)][-1] == "completed"
            assert (await server.jobs.wait(job)).done == 24
        assert [one.id async for one in server.jobs.results()] == [f"text-{number}" for number in range(1, 7)]


async def test_failed_sentences(client: httpx.AsyncClient, working: Working) -> None:
    """A sentence that was given up is named with its reason, without its text."""
    async with medner.connect_async(str(client.base_url)) as server, working():
        job = await server.jobs.submit([f"{WORD}。{RAISES}。"])
        ended = await server.jobs.wait(job)
        assert (ended.state, ended.done, ended.failed) == ("completed_with_errors", 1, 1)
        (failed,) = await server.jobs.failures(job)
        assert (failed.document, bool(failed.kind)) == ("text-1", True)
        assert [len(one.entities) async for one in server.jobs.results()] == [1]


async def test_how_jobs_are_named(client: httpx.AsyncClient) -> None:
    """By id, a beginning that only one has, a name, or last; what may mean several is an error that names them."""
    async with medner.connect_async(str(client.base_url)) as server:
        with pytest.raises(medner.UserError, match="no job yet"):
            await server.jobs.show()
        first = await server.jobs.submit(TEXTS[:1], name="a b/c?")
        second = await server.jobs.submit(TEXTS[:1], name="twice")
        third = await server.jobs.submit(TEXTS[:1], name="twice")
        assert (await server.jobs.show("a b/c?")).id == first.id
        assert (await server.jobs.show()).id == third.id
        assert (
            await server.jobs.show(second.id[:-1] if second.id[:-1] != third.id[:-1] else second.id)
        ).id == second.id
        with pytest.raises(medner.UserError, match="2 jobs are meant by 'twice'"):
            await server.jobs.show("twice")
        with pytest.raises(medner.RefusedError, match="no job 'nothing'") as caught:
            await server.jobs.show("nothing")
        assert (caught.value.kind, caught.value.status) == ("unknown-job", 404)
        with pytest.raises(medner.UserError, match="is no name"):
            await server.jobs.show("..")
        assert len(await server.jobs.list(2)) == 2
        assert [one.id for one in await server.jobs.list()] == [third.id, second.id, first.id]


async def test_what_cannot_be_submitted(client: httpx.AsyncClient) -> None:
    """The reason, from here where it can be seen here, else from the server; no job is left."""

    def broken() -> object:
        yield "患者咳嗽。"
        raise ValueError("the texts end here")

    async with medner.connect_async(str(client.base_url)) as server:
        with pytest.raises(medner.RefusedError, match="no label set 'icd'"):
            await server.jobs.submit(TEXTS, "icd")
        with pytest.raises(medner.UserError, match="list or another iterable"):
            await server.jobs.submit("咳嗽。")
        with pytest.raises(medner.UserError, match="nothing to annotate"):
            await server.jobs.submit([])
        with pytest.raises(medner.UserError, match="text-1: a text must be"):
            await server.jobs.submit([7])  # type: ignore[list-item]
        with pytest.raises(medner.UserError, match="model: is the server's own to choose"):
            await server.jobs.submit(TEXTS, model="x")  # type: ignore[call-arg]
        with pytest.raises(medner.UserError, match="no setting 'tagger'"):
            await server.jobs.submit(TEXTS, tagger="x")  # type: ignore[call-arg]
        with pytest.raises(medner.RefusedError, match=r"taggers: .* is no name"):
            await server.jobs.submit(TEXTS, taggers=["../x"])
        with pytest.raises(ValueError, match="the texts end here"):
            await server.jobs.submit(broken())  # type: ignore[arg-type]
        with pytest.raises(medner.UserError, match="cannot be sent"):
            await server.jobs.submit(TEXTS, key="钥匙")
        assert await server.jobs.list() == []


async def test_texts_with_every_separator(client: httpx.AsyncClient, working: Working) -> None:
    """Only a line feed ends a line of results: the separators of Unicode within texts come back as they were."""
    texts = [f"{WORD}\u2028\x85\x0b\x0c好转。\r\n患者{WORD}。\U0001f600"]
    async with medner.connect_async(str(client.base_url)) as server, working():
        await server.jobs.wait(await server.jobs.submit(texts))
        assert [one.text async for one in server.jobs.results()] == texts
