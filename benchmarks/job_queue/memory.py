"""How much memory a job takes, by its size."""

from __future__ import annotations

import argparse
import asyncio
import resource
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from job_queue.processes import COMMAND, peak_mb, processes
from job_queue.systems import ended
from job_queue.work import documents, spec
from medner.store.jobs import Jobs
from medner.store.redis import RedisAddress
from medner.store.redis.connection import new_client
from medner.store.redis.embedded import EmbeddedValkey


async def memory(arguments: argparse.Namespace) -> None:
    """Peak memory of submitter, Redis and worker for jobs of several sizes, results in a folder."""
    for size in arguments.sizes:
        command = [*COMMAND, "memory-of", str(size), "--chunk", str(arguments.chunk)]
        process = await asyncio.create_subprocess_exec(*command)
        assert await process.wait() == 0


async def memory_of(arguments: argparse.Namespace) -> None:
    """One size, in a process of its own, whose peak is the submitter's."""
    with TemporaryDirectory(prefix="medner-bench-") as scratch:
        server = EmbeddedValkey(Path(scratch) / "redis")
        server.ensure()
        address = RedisAddress(server.url, "it", server)
        async with AsyncExitStack() as stack:
            stack.callback(server.stop)
            client = new_client(address)
            stack.push_async_callback(client.aclose)
            jobs = Jobs(client)
            began = time.perf_counter()
            job = (await jobs.submit(spec(arguments, f"{scratch}/out"), documents(arguments.size))).id
            submitted_s = time.perf_counter() - began
            submitter = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            [worker] = await stack.enter_async_context(processes("medner", 1, server.folder, arguments))
            view = await ended(jobs, job)
            assert view.counts.done == arguments.size
            redis_mb = (await client.info("memory"))["used_memory_peak"] / 1e6
            log_mb = sum(path.stat().st_size for path in (server.folder / "appendonlydir").iterdir()) / 1e6
            print(
                f"{arguments.size:>9} sentences: submitter {submitter:.0f} MB, worker {peak_mb(worker.pid):.0f} MB, "
                f"Redis {redis_mb:.1f} MB (its file {log_mb:.1f} MB); "
                f"submit {submitted_s:.0f} s, all {time.perf_counter() - began:.0f} s",
                flush=True,
            )
