"""Worker processes, and what they and the others cost: time, processor time, memory."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from job_queue.systems import QUEUES
from medner.store.redis import RedisAddress
from medner.store.redis.connection import new_client
from medner.store.redis.embedded import EmbeddedValkey

#: Begins a further process of the measurement.
COMMAND = (sys.executable, str(Path(__file__).parents[1] / "jobs.py"))


#: Sentences before the measured ones: every worker opens its agents and its connections.
_WARM_UP = 2_560


@asynccontextmanager
async def processes(
    queue: str, count: int, folder: Path, arguments: argparse.Namespace
) -> AsyncIterator[list[subprocess.Popen[str]]]:
    """Worker processes, all of them ready."""
    command = [*COMMAND, "worker", queue, str(folder)]
    command += ["--concurrency", str(arguments.concurrency), "--sleep", str(arguments.sleep)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]  # noqa: S603, ASYNC220
    try:
        for one in running:
            assert one.stdout is not None
            line = await asyncio.to_thread(one.stdout.readline)
            assert line == "ready\n", line
        yield running
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.kill()
            one.wait()


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds a sentence: wall time, and processor time of all who take part."""

    wall: float
    cpu: float


async def measured(queue: str, workers: int, arguments: argparse.Namespace) -> Cost:
    """The cost of a queue whose workers have worked before, with a fresh Valkey."""
    with TemporaryDirectory(prefix="medner-bench-") as scratch:
        server = EmbeddedValkey(Path(scratch))
        server.ensure()
        try:
            address = RedisAddress(server.url, "it", server)
            async with processes(queue, workers, Path(scratch), arguments) as running:
                client = new_client(address)
                valkey = int((await client.info("server"))["process_id"])
                await client.aclose()
                await QUEUES[queue].run(address, argparse.Namespace(**{**vars(arguments), "sentences": _WARM_UP}))
                taking_part = [os.getpid(), valkey, *(one.pid for one in running)]
                before = sum(map(cpu_s, taking_part))
                seconds: float = await QUEUES[queue].run(address, arguments)
                computed = sum(map(cpu_s, taking_part)) - before
        finally:
            server.stop()
    return Cost(1000 * seconds / arguments.sentences, 1000 * computed / arguments.sentences)


def cpu_s(process: int) -> float:
    """Seconds a process has computed so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(process: int) -> float:
    """The most memory a process has had."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
