"""The queues that are compared: of each a worker, a process of its own, and what sends it all chunks and waits."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from redis.exceptions import ResponseError

from job_queue.work import NoOp, documents, payloads, plain_chunk, spec
from medner.service.worker.process import lasting
from medner.service.worker.worker import Worker, WorkerSettings
from medner.store.jobs import TERMINAL, Jobs, JobSpec, JobView
from medner.store.jobs.keys import job_key
from medner.store.redis import RedisAddress
from medner.store.redis.client import Client
from medner.store.redis.connection import new_client

#: How often it is asked whether all is done.
_POLL_S = 0.002
_STREAM, _GROUP, _RESULTS = "plain:chunks", "plain", "plain:results"
_SENT_AT_ONCE = 16


async def medner_worker(address: RedisAddress, arguments: argparse.Namespace) -> None:
    """A medner worker with the no-op for agents."""

    @asynccontextmanager
    async def opened(_: JobSpec) -> AsyncIterator[NoOp]:
        yield NoOp(arguments.sleep)

    settings = WorkerSettings(concurrency=arguments.concurrency, lease_s=30)
    worker = Worker(settings, address=address, open_annotator=lasting(opened))
    announce()
    await worker.run()


async def medner_run(address: RedisAddress, arguments: argparse.Namespace) -> float:
    """Seconds from submit to the last result."""
    client: Client = new_client(address)
    jobs = Jobs(client)
    began = time.perf_counter()
    job = (await jobs.submit(spec(arguments), documents(arguments.sentences))).id
    while (await client.hget(job_key(job), "state")).decode() not in TERMINAL:  # noqa: ASYNC110  other processes
        await asyncio.sleep(_POLL_S)
    seconds = time.perf_counter() - began
    view = await jobs.show(job)
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


async def redis_worker(address: RedisAddress, arguments: argparse.Namespace) -> None:  # noqa: ARG001  of one form
    """A worker of redis-py alone: a stream, a consumer group, a hash of results; nothing is tried again or counted."""
    client = new_client(address)
    with suppress(ResponseError):  # another worker made it
        await client.xgroup_create(_STREAM, _GROUP, "0", mkstream=True)
    announce()

    async def work(name: str) -> None:
        while True:
            answer: Any = await client.xreadgroup(_GROUP, name, {_STREAM: ">"}, count=1, block=1_000)
            for message, fields in answer[0][1] if answer else ():
                result = await plain_chunk(fields[b"payload"])
                async with client.pipeline(transaction=True) as pipe:
                    pipe.hset(_RESULTS, fields[b"number"], result)
                    pipe.xack(_STREAM, _GROUP, message)
                    pipe.xdel(_STREAM, message)
                    await pipe.execute()

    await asyncio.gather(*(work(f"{os.getpid()}-{number}") for number in range(WorkerSettings().chunks)))


async def redis_run(address: RedisAddress, arguments: argparse.Namespace) -> float:
    """Seconds from the first chunk sent to the last result."""
    client = new_client(address)
    await client.delete(_RESULTS)
    began = time.perf_counter()
    sent = 0
    chunks = payloads(arguments)
    while batch := list(islice(chunks, _SENT_AT_ONCE)):
        async with client.pipeline(transaction=False) as pipe:
            for number, payload in enumerate(batch, sent):
                pipe.xadd(_STREAM, {"number": number, "payload": payload})
            await pipe.execute()
        sent += len(batch)
    while await client.hlen(_RESULTS) < sent:  # noqa: ASYNC110  other processes
        await asyncio.sleep(_POLL_S)
    seconds = time.perf_counter() - began
    await client.aclose()
    return seconds


async def saq_worker(address: RedisAddress, arguments: argparse.Namespace) -> None:
    """A saq worker."""
    from saq import Worker as SaqWorker
    from saq.queue.redis import RedisQueue

    async def chunk(_: Any, *, payload: str) -> str:
        return (await plain_chunk(payload.encode())).hex()

    queue = RedisQueue(new_client(address, socket_timeout=None))
    worker: Any = SaqWorker(queue, functions=[("chunk", chunk)], concurrency=arguments.concurrency)
    announce()
    await worker.start()


async def saq_run(address: RedisAddress, arguments: argparse.Namespace) -> float:
    """Seconds from the first chunk sent to the last result."""
    from saq.job import Status
    from saq.queue.redis import RedisQueue

    queue = RedisQueue(new_client(address))
    await queue.connect()
    began = time.perf_counter()
    sent: list[Any] = [
        await queue.enqueue("chunk", payload=payload.decode(), ttl=600) for payload in payloads(arguments)
    ]
    for job in sent:
        while job.status is not Status.COMPLETE:
            await job.refresh()
            if job.status is not Status.COMPLETE:
                await asyncio.sleep(_POLL_S)
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
    "redis": Queue(redis_worker, redis_run),
    "saq": Queue(saq_worker, saq_run),
}
