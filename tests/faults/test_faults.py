"""Real workers and a real Valkey, killed, stopped and cut off: every sentence has one result all the same."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from medner.core.records import Document
from medner.store.jobs import Jobs, JobState, JobView
from medner.store.jobs.keys import job_key
from medner.store.redis.address import RedisAddress
from medner.store.redis.connection import new_client
from tests.jobs_kit import KILLS, WORD, WorkerProcess, documents, expected, found, spec, until_ended, workers

SEEDS = (1, 2, 3)


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


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("place", ["redis", "folder"])
async def test_workers_killed_at_random_moments(
    jobs: Jobs, address: RedisAddress, tmp_path: Path, seed: int, place: str
) -> None:
    """kill -9 again and again, in the middle of whatever they do."""
    chance = random.Random(seed)  # noqa: S311  moments, not secrets
    given = documents(150)
    folder = str(tmp_path / "out") if place == "folder" else None
    job = (await jobs.submit(spec(results=folder), given)).id
    with workers(2, address, tmp_path, lease_s=1.0, delay_s=0.05) as running:
        await started(jobs, job)
        for _ in range(6):
            await asyncio.sleep(chance.uniform(0.05, 1.0))
            number = chance.randrange(2)
            await ready(running[number])
            running[number].kill()
            running[number].start()
        view = await until_ended(jobs, job, patience_s=120)
        assert view.state is JobState.COMPLETED
        if folder:
            await tidied(tmp_path / "out")
    await whole(jobs, job, given)
    if folder:
        assert len(list((tmp_path / "out").glob("part-*"))) == view.counts.chunks


@pytest.mark.parametrize("seed", SEEDS)
async def test_redis_killed_and_started_again(jobs: Jobs, address: RedisAddress, tmp_path: Path, seed: int) -> None:
    """kill -9 the server twice: workers start it again and go on with what it had confirmed."""
    chance = random.Random(seed)  # noqa: S311
    given = documents(150)
    job = (await jobs.submit(spec(), given)).id
    with workers(2, address, tmp_path, lease_s=2.0, delay_s=0.05):
        await started(jobs, job)
        for _ in range(2):
            await asyncio.sleep(chance.uniform(0.3, 1.2))
            client = new_client(address)
            process = int((await client.info("server"))["process_id"])
            await client.aclose()
            os.kill(process, signal.SIGKILL)
            assert address.embedded is not None
            async with asyncio.timeout(30):
                while not await asyncio.to_thread(address.embedded.answers):  # noqa: ASYNC110  another process
                    await asyncio.sleep(0.05)
        assert (await until_ended(jobs, job, patience_s=120)).state is JobState.COMPLETED
    await whole(jobs, job, given)


@pytest.mark.parametrize("seed", SEEDS)
async def test_connections_cut_again_and_again(jobs: Jobs, address: RedisAddress, tmp_path: Path, seed: int) -> None:
    """Every connection is cut at random moments, in the middle of commands, for some seconds."""
    chance = random.Random(seed)  # noqa: S311
    given = documents(120)
    job = (await jobs.submit(spec(), given)).id
    with workers(2, address, tmp_path, lease_s=2.0, delay_s=0.03):
        await started(jobs, job)
        client = new_client(address)
        for _ in range(25):
            await asyncio.sleep(chance.uniform(0.02, 0.3))
            with suppress(RedisError):
                await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await client.execute_command("CLIENT", "PAUSE", "3000", "WRITE")
        await client.aclose()
        assert (await until_ended(jobs, job, patience_s=120)).state is JobState.COMPLETED
    await whole(jobs, job, given)


@pytest.mark.parametrize("place", ["redis", "folder"])
async def test_a_worker_that_comes_back_after_its_lease(
    jobs: Jobs, address: RedisAddress, tmp_path: Path, place: str
) -> None:
    """SIGSTOP beyond the lease, the others finish, SIGCONT: what the late one has in hand changes nothing."""
    given = documents(60)
    folder = str(tmp_path / "out") if place == "folder" else None
    job = (await jobs.submit(spec(results=folder), given)).id
    with workers(2, address, tmp_path, lease_s=1.0, delay_s=0.05) as (late, _):
        await started(jobs, job, everybody=2)
        late.signal(signal.SIGSTOP)
        view = await until_ended(jobs, job, patience_s=120)
        assert view.state is JobState.COMPLETED
        late.signal(signal.SIGCONT)
        await asyncio.sleep(3)
        assert (await jobs.show(job)).counts == view.counts
        assert late.process is not None
        assert late.process.poll() is None
    await whole(jobs, job, given)
    if folder:
        assert len(list((tmp_path / "out").glob("part-*"))) == view.counts.chunks


async def test_a_sentence_that_kills_its_workers(jobs: Jobs, address: RedisAddress, tmp_path: Path) -> None:
    """However many workers it takes with it, it is found, and given up alone."""
    given = [*documents(3), Document("毒", f"{WORD}。\n{KILLS}。\n{WORD}。\n")]
    job = (await jobs.submit(spec(attempts=1), given)).id
    with workers(1, address, tmp_path, lease_s=1.0) as running:
        async with asyncio.timeout(150):
            while (await jobs.show(job)).state not in (JobState.COMPLETED_WITH_ERRORS, JobState.COMPLETED):
                if running[0].process is not None and running[0].process.poll() is not None:
                    running[0].start()
                await asyncio.sleep(0.1)
    view = await whole(jobs, job, given, dead=1)
    assert view.state is JobState.COMPLETED_WITH_ERRORS
    [letter] = await jobs.dead(job)
    assert (letter.sentence, letter.kind) == ("毒#1", "WorkerLost")


async def test_a_full_result_disk(jobs: Jobs, address: RedisAddress, tmp_path: Path) -> None:
    """Without room the work waits and says so; with room it goes on and nothing is missing."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:  # noqa: ASYNC221, S603
        pytest.skip("no small disk can be mounted here")
    try:
        given = documents(100)
        job = (await jobs.submit(spec(results=str(disk / "out")), given)).id
        ballast = disk / "ballast"
        with suppress(OSError), ballast.open("wb") as out:
            while True:
                out.write(b"x" * 4096)
                out.flush()
        with workers(2, address, tmp_path, delay_s=0.01):
            await told(jobs, "disk")
            assert (await jobs.show(job)).state is JobState.RUNNING
            ballast.unlink()
            assert (await until_ended(jobs, job, patience_s=120)).state is JobState.COMPLETED
        await whole(jobs, job, given)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)  # noqa: ASYNC221, S603, S607


async def test_cancelled_while_queued_running_and_after_its_worker_died(
    jobs: Jobs, address: RedisAddress, tmp_path: Path
) -> None:
    """Whenever it comes, and twice, cancel ends the job; a replay makes it whole."""
    given = documents(60)
    queued = (await jobs.submit(spec(), given)).id
    for _ in range(2):
        assert (await jobs.cancel(queued)).state is JobState.CANCELLED
    running = (await jobs.submit(spec(), given)).id
    with workers(1, address, tmp_path, lease_s=1.0, delay_s=0.1) as (worker,):
        await started(jobs, running)
        await jobs.cancel(running)
        orphaned = (await jobs.submit(spec(), given)).id
        await started(jobs, orphaned)
        worker.kill()
        await jobs.cancel(orphaned)
    counts = [(await jobs.show(job)).counts for job in (queued, running, orphaned)]
    assert counts[0].done == 0
    assert all(one.done < one.sentences for one in counts)
    for job in (queued, running, orphaned):
        await jobs.replay(job)
    with workers(2, address, tmp_path, lease_s=1.0):
        for job in (queued, running, orphaned):
            assert (await until_ended(jobs, job, patience_s=120)).state is JobState.COMPLETED
    for job in (queued, running, orphaned):
        await whole(jobs, job, given)


async def test_sigterm_hands_back_what_is_under_way(jobs: Jobs, address: RedisAddress, tmp_path: Path) -> None:
    """The worker ends with code 0 long before its lease; the next does the rest at once."""
    given = documents(60)
    job = (await jobs.submit(spec(), given)).id
    with workers(1, address, tmp_path, lease_s=60.0, delay_s=0.1) as (worker,):
        await started(jobs, job)
        worker.signal(signal.SIGTERM)
        assert worker.wait(10) == 0
    assert 0 < (await jobs.show(job)).counts.done < 240
    with workers(1, address, tmp_path, lease_s=60.0):
        assert (await until_ended(jobs, job, patience_s=30)).state is JobState.COMPLETED
    await whole(jobs, job, given)


async def test_sigterm_while_the_embedded_server_does_not_answer(tmp_path: Path) -> None:
    """A worker that waits for the server of its folder has nothing in hand, and ends at once with code 0."""
    folder = tmp_path / "redis"
    folder.mkdir(mode=0o700)
    with (folder / "server.lock").open("w") as place:
        # What a server holds that loads a long file.
        fcntl.flock(place, fcntl.LOCK_EX)
        worker = WorkerProcess(folder, tmp_path / "worker.log").start()
        try:
            async with asyncio.timeout(60):
                while not (folder / "start.lock").exists():  # noqa: ASYNC110  another process
                    await asyncio.sleep(0.02)
            worker.signal(signal.SIGTERM)
            assert worker.wait(10) == 0
        finally:
            worker.stop()


async def test_one_key_from_several_processes_is_one_job(address: RedisAddress, jobs: Jobs, tmp_path: Path) -> None:
    """Four commands at once with the same key: one job, one id."""
    note = tmp_path / "note.txt"
    note.write_text("患者咳嗽。\n" * 50, encoding="utf-8")
    command = [sys.executable, "-m", "medner.service.cli", "submit", str(note), "--key", "同一"]
    command += ["--taggers", "html:full,json:plain", "--judge", "hard-vote"]
    environment = {**os.environ, "MEDNER_REDIS_URL": address.url}
    running = [
        await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
        for _ in range(4)
    ]
    ids = {(await one.communicate())[0].decode().strip() for one in running}
    assert [one.returncode for one in running] == [0] * 4
    assert len(ids) == 1
    [view] = await jobs.all()
    assert (view.id, view.counts.sentences) == (ids.pop(), 50)


async def test_no_log_holds_a_text(jobs: Jobs, address: RedisAddress, tmp_path: Path) -> None:
    """Neither a worker's log nor Valkey's has a word of a note, failures included."""
    given = [*documents(5), Document("毒", "毒一王小明咳嗽。\n毒三李小红发热。\n")]
    job = (await jobs.submit(spec(), given)).id
    with workers(1, address, tmp_path, lease_s=1.0):
        await until_ended(jobs, job)
    assert address.embedded is not None
    for log in (tmp_path / "worker0.log", address.embedded.log):
        text = log.read_text(encoding="utf-8")
        assert log.name == "valkey.log" or job in text
        assert not [word for word in ("王小明", "李小红", "患者", WORD) if word in text]


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
