"""What a client sees when something breaks, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from medner.service.http.access.callers import Access
from medner.service.http.access.keys import KeyFile, KeyRing
from medner.service.http.access.limits import Limits
from medner.service.http.context import ServiceParts
from medner.store.jobs import Jobs
from medner.store.redis.address import RedisAddress
from tests.jobs_kit import documents, open_scripted, spec, until_ended, valkey
from tests.service.http.conftest import OFFER, Serving, answering, until, until_end

LINES = {"Content-Type": "application/x-ndjson"}
NOTE = json.dumps({"id": "甲", "text": "患者咳嗽三天。"}).encode() + b"\n"


def _parts(address: RedisAddress, folder: Path) -> ServiceParts:
    return ServiceParts(address, Access(KeyRing(KeyFile(folder / "no-keys.json"))), OFFER)


async def test_a_redis_that_is_gone_is_told_and_waited_for(tmp_path: Path) -> None:
    """Without Redis every request is answered 503 with the way out; the embedded one comes back by itself."""
    with valkey(tmp_path / "redis") as address:
        async with answering(_parts(address, tmp_path)) as client:
            job = (await client.post("/v1/jobs", content=NOTE, headers=LINES)).json()["id"]
            assert address.embedded is not None
            await asyncio.to_thread(address.embedded.stop)
            refused = await client.get("/v1/jobs")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert "try again" in refused.json()["detail"]

            async def is_back() -> bool:
                return (await client.get(f"/v1/jobs/{job}")).status_code == 200

            await until(is_back)
            again = await client.get(f"/v1/jobs/{job}")
            assert again.json()["counts"]["sentences"] == 1


async def test_a_redis_of_others_that_is_gone_is_told_everywhere(tmp_path: Path) -> None:
    """With a given Redis that does not answer, health, submit, results and events are 503."""
    gone = RedisAddress("redis://127.0.0.1:9/0", "Redis at 127.0.0.1:9")
    async with answering(_parts(gone, tmp_path)) as client:
        answers = [
            await client.get("/health"),
            await client.post("/v1/jobs", content=NOTE, headers=LINES),
            await client.get("/v1/jobs/x/results"),
            await client.get("/v1/jobs/x/events"),
        ]
    assert [one.status_code for one in answers] == [503] * 4
    assert "127.0.0.1:9" in answers[0].json()["detail"]


async def test_a_submit_that_breaks_off_leaves_no_job(serving: Serving, jobs: Jobs) -> None:
    """A client that goes away in the middle of its stream has submitted nothing; its key is free again."""

    async def broken() -> AsyncIterator[bytes]:
        yield NOTE * 50
        raise OSError("the client's disk failed")

    headers = {**LINES, "Idempotency-Key": "night-1"}
    async with serving() as client:
        with suppress(OSError):
            await client.post("/v1/jobs", content=broken(), headers=headers)

        async def is_free() -> bool:
            return bool((await client.post("/v1/jobs", content=NOTE, headers=headers)).json().get("created"))

        await until(is_free)
        (view,) = await jobs.all()
        assert view.counts.documents == 1


async def test_more_streams_than_allowed_are_sent_away(serving: Serving, jobs: Jobs) -> None:
    """A stream takes a place; who finds none is told to come again, and the place is free afterwards."""
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield NOTE
        await go_on.wait()

    async with serving(limits=Limits(streams=1)) as client:
        first = asyncio.create_task(client.post("/v1/jobs", content=slow(), headers=LINES))

        async def is_read() -> bool:
            return bool(await jobs.all())

        await until(is_read)
        refused = await client.post("/v1/jobs", content=NOTE, headers=LINES)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:medner:problem:busy")
        go_on.set()
        assert (await first).status_code == 202
        assert (await client.post("/v1/jobs", content=NOTE, headers=LINES)).status_code == 202


async def test_a_reader_that_leaves_in_the_middle_harms_nobody(serving: Serving, jobs: Jobs, working: Any) -> None:
    """Results that are not read to their end: the server answers the next request, and the job is as it was."""
    async with working():
        job = (await jobs.submit(spec(), documents(40))).id
        await until_ended(jobs, job)
    async with serving() as client:
        async with client.stream("GET", f"/v1/jobs/{job}/results?format=full") as response:
            assert await anext(response.aiter_bytes())
        assert (await client.get("/health")).status_code == 200
        assert len((await client.get(f"/v1/jobs/{job}/results")).text.splitlines()) == 40


async def test_events_follow_a_job_to_its_end(serving: Serving, jobs: Jobs, working: Any) -> None:
    """Progress with speed and time left while it runs, then the end; a second look gives the end at once."""
    async with working(open_scripted(0.05)), serving() as client:
        job = (await jobs.submit(spec(), documents(10))).id
        text = (await client.get(f"/v1/jobs/{job}/events")).text
        names, data = _events(text)
        assert names[0] == "progress"
        assert names[-1] == "end"
        assert data[-1]["state"] == "completed"
        assert [one["counts"]["done"] for one in data] == sorted(one["counts"]["done"] for one in data)
        assert any(one["seconds_left"] is not None for one in data)
        assert _events((await client.get(f"/v1/jobs/{job}/events")).text)[0] == ["end"]


async def test_events_say_what_a_job_waits_for_and_that_it_is_gone(serving: Serving, jobs: Jobs) -> None:
    """Without a worker the event says so; a job that is deleted meanwhile ends the stream with `gone`."""
    async with serving() as client:
        job = (await jobs.submit(spec(), documents(1))).id
        async with client.stream("GET", f"/v1/jobs/{job}/events") as response:
            lines = response.aiter_lines()
            async for line in lines:
                if line.startswith("data:"):
                    assert "medner worker" in json.loads(line[5:])["remarks"][0]
                    break
            await jobs.cancel(job)
            await jobs.delete(job)
            rest = [line async for line in lines if line.startswith("event:")]
    assert rest[-1] in ("event: gone", "event: end")


async def test_a_watcher_that_leaves_is_let_go(serving: Serving, jobs: Jobs, working: Any) -> None:
    """A broken event stream ends nothing but itself."""
    async with serving() as client:
        job = (await jobs.submit(spec(), documents(4))).id
        async with client.stream("GET", f"/v1/jobs/{job}/events") as response:
            await anext(response.aiter_lines())
        async with working():
            assert (await until_end(client, job))["state"] == "completed"


def _events(text: str) -> tuple[list[str], list[dict[str, Any]]]:
    lines = text.splitlines()
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    return names, [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
