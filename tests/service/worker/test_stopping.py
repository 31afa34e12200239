"""The end of a worker, whenever it is told to."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from medner.service.worker.worker import Worker, WorkerSettings
from medner.store.jobs import Jobs
from medner.store.jobs.keys import QUEUES
from medner.store.redis.address import RedisAddress
from medner.store.redis.connection import new_client
from tests.jobs_kit import documents, open_scripted, spec, until_ended, valkey

#: A command is sent within fewer turns of the loop.
TURNS = 60


async def test_signs_of_life_end_whenever_they_are_cancelled(address: RedisAddress) -> None:
    """They go on after every error of Redis, but not after the worker: no cancellation is lost in any turn."""
    worker = Worker(WorkerSettings(lease_s=1.0), address=address, open_annotator=open_scripted())
    await _cancelled_in_turn([asyncio.create_task(worker._heartbeat().run()) for _ in range(TURNS)])


async def test_a_worker_ends_in_whatever_turn_it_is_stopped(address: RedisAddress) -> None:
    """A stop that comes while the worker begins, reads, claims or waits is never lost."""
    workers = [
        Worker(WorkerSettings(lease_s=1.0), address=address, open_annotator=open_scripted()) for _ in range(TURNS)
    ]
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    for worker in workers:
        worker.stop()
        await asyncio.sleep(0)
    ended, left = await asyncio.wait(tasks, timeout=20)
    assert (len(ended), len(left)) == (len(tasks), 0)


async def _cancelled_in_turn(tasks: list[asyncio.Task[object]]) -> None:
    """Cancels each task a turn of the loop later than the one before, and makes sure that all of them end."""
    for task in tasks:
        task.cancel()
        await asyncio.sleep(0)
    ended, left = await asyncio.wait(tasks, timeout=15)
    assert (len(ended), len(left)) == (len(tasks), 0)


async def test_a_redis_that_stands_still_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """A worker that cannot take its leave goes without."""
    async with AsyncExitStack() as stack:
        address = stack.enter_context(valkey(tmp_path / "redis"))
        client = new_client(address)
        stack.push_async_callback(client.aclose)
        worker = Worker(WorkerSettings(lease_s=30.0), address=address, open_annotator=open_scripted())
        running = asyncio.create_task(worker.run())
        jobs = Jobs(client)
        await until_ended(jobs, (await jobs.submit(spec(), documents(1))).id)
        async with asyncio.timeout(20):
            while any([await client.xlen(stream) for stream in QUEUES.values()]):  # noqa: ASYNC110  until it is idle
                await asyncio.sleep(0.02)
        server = int((await client.info("server"))["process_id"])
        os.kill(server, signal.SIGSTOP)
        stack.callback(os.kill, server, signal.SIGCONT)
        worker.stop()
        # One answer that does not come may have been waited for already.
        await asyncio.wait_for(running, 40)
