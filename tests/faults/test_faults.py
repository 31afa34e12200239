"""Real workers and a real Valkey, killed, stopped and cut off: every sentence has one result all the same."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from medner.core.records import Document
from medner.store.jobs import Jobs, JobState
from medner.store.redis.address import RedisAddress
from medner.store.redis.connection import new_client
from tests.faults.faults_kit import ready, started, tidied, told, whole
from tests.jobs_kit import KILLS, WORD, documents, spec, until_ended, workers

SEEDS = (1, 2, 3)


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
