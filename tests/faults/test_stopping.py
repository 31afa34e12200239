"""Jobs that are cancelled and workers that are to end; several commands at once; what logs hold."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from pathlib import Path

from medner.core.records import Document
from medner.store.jobs import Jobs, JobState
from medner.store.redis.address import RedisAddress
from tests.faults.faults_kit import started, whole
from tests.jobs_kit import WORD, WorkerProcess, documents, spec, until_ended, workers


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
