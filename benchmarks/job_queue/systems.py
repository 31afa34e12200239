"""The queues that are compared: of each a worker, a process of its own, and what sends it all chunks and waits."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from job_queue.work import NoOp, documents, payloads, plain_chunk, spec
from medner.store.jobs import Jobs, JobSpec, JobView
from medner.store.redis import RedisAddress
from medner.store.redis.connection import new_client


async def medner_worker(address: RedisAddress, arguments: argparse.Namespace) -> None:
    """A medner worker with the no-op for agents."""
    from medner.service.worker.worker import Worker, WorkerSettings

    @asynccontextmanager
    async def opened(_: JobSpec) -> AsyncIterator[NoOp]:
        yield NoOp(arguments.sleep)

    settings = WorkerSettings(concurrency=arguments.concurrency, lease_s=30)
    worker = Worker(settings, address=address, open_annotator=opened)
    announce()
    await worker.run()


async def medner_run(address: RedisAddress, arguments: argparse.Namespace) -> float:
    """Seconds from submit to the last result."""
    client = new_client(address)
    jobs = Jobs(client)
    began = time.perf_counter()
    job = (await jobs.submit(spec(arguments), documents(arguments.sentences))).id
    view = await ended(jobs, job)
    seconds = time.perf_counter() - began
    assert view.counts.done == arguments.sentences, view
    await client.aclose()
    return seconds


async def ended(jobs: Jobs, job: str) -> JobView:
    """The last view of a job; asked for seldom, to disturb little."""
    async for view in jobs.watch(job, every_s=0.05):
        last = view
    return last


def announce() -> None:
    """Tells the measuring process that this worker listens, as soon as it does."""
    asyncio.get_running_loop().call_later(0.5, lambda: print("ready", flush=True))


async def taskiq_worker(address: RedisAddress, arguments: argparse.Namespace) -> None:
    """A plain taskiq worker on a Redis stream, with the result backend of taskiq-redis."""
    from taskiq.acks import AcknowledgeType
    from taskiq.receiver import Receiver

    broker = _taskiq_broker(address)
    broker.register_task(plain_chunk, task_name="chunk")
    broker.is_worker_process = True
    receiver = Receiver(broker, max_async_tasks=arguments.concurrency, ack_type=AcknowledgeType.WHEN_SAVED)
    announce()
    await receiver.listen(asyncio.Event())


def _taskiq_broker(address: RedisAddress) -> Any:
    from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

    backend: Any = RedisAsyncResultBackend(address.url, result_ex_time=600, protocol=2)
    return RedisStreamBroker(address.url, consumer_id="0", protocol=2, xread_count=2).with_result_backend(backend)


async def taskiq_run(address: RedisAddress, arguments: argparse.Namespace) -> float:
    """Seconds from the first chunk sent to the last result."""
    broker = _taskiq_broker(address)
    task = broker.register_task(plain_chunk, task_name="chunk")
    await broker.startup()
    began = time.perf_counter()
    sent = [await task.kiq(payload) for payload in payloads(arguments)]
    for one in sent:
        while not await one.is_ready():  # noqa: ASYNC110  another process
            await asyncio.sleep(0.002)
    seconds = time.perf_counter() - began
    await broker.shutdown()
    return seconds


async def saq_worker(address: RedisAddress, arguments: argparse.Namespace) -> None:
    """A saq worker."""
    from saq import Worker
    from saq.queue.redis import RedisQueue

    async def chunk(_: Any, *, payload: str) -> str:
        return await plain_chunk(payload)

    queue = RedisQueue(new_client(address, socket_timeout=None))
    worker: Any = Worker(queue, functions=[("chunk", chunk)], concurrency=arguments.concurrency)
    announce()
    await worker.start()


async def saq_run(address: RedisAddress, arguments: argparse.Namespace) -> float:
    """Seconds from the first chunk sent to the last result."""
    from saq.job import Status
    from saq.queue.redis import RedisQueue

    queue = RedisQueue(new_client(address))
    await queue.connect()
    began = time.perf_counter()
    sent: list[Any] = [await queue.enqueue("chunk", payload=payload, ttl=600) for payload in payloads(arguments)]
    for one in sent:
        while one.status is not Status.COMPLETE:
            await one.refresh()
            if one.status is not Status.COMPLETE:
                await asyncio.sleep(0.002)
    seconds = time.perf_counter() - began
    await queue.disconnect()
    return seconds


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue to measure: what its worker does, and what sends to it and waits."""

    worker: Callable[[RedisAddress, argparse.Namespace], Any]
    run: Callable[[RedisAddress, argparse.Namespace], Any]


QUEUES = {
    "medner": Queue(medner_worker, medner_run),
    "taskiq": Queue(taskiq_worker, taskiq_run),
    "saq": Queue(saq_worker, saq_run),
}
