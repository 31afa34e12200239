"""A worker as a process: signals, and an end that comes whatever stands still."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from medner.service.worker.attempts import Annotator
from medner.service.worker.pipelines import OpenAnnotator, open_pipeline
from medner.service.worker.watchdog import EXIT_CODE
from medner.service.worker.worker import Worker, WorkerSettings
from medner.store.jobs.records import JobSpec
from medner.store.redis import RedisAddress

log = logging.getLogger("medner.worker")

#: An orderly end takes at most twice the grace period and some waits for Redis.
_LONGER_S = 20.0


def run_worker(
    settings: WorkerSettings,
    *,
    address: RedisAddress | None = None,
    open_annotator: OpenAnnotator = open_pipeline,
) -> int:
    """Runs a worker in this process until SIGINT or SIGTERM; gives the exit code. A second signal ends at once."""

    async def main() -> None:
        worker = Worker(settings, address=address, open_annotator=lasting(open_annotator))
        loop = asyncio.get_running_loop()

        def ask(number: signal.Signals) -> None:
            if worker.stopping:
                os._exit(128 + number)
            log.info("stopping", extra={"signal": number.name})
            if not worker.begun:
                # A thread waits for the embedded server, minutes if need be, and cannot be told; nothing is in hand.
                os._exit(0)
            end_after(2 * settings.grace_s + _LONGER_S, loop)
            worker.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ask, number)
        await worker.run()

    asyncio.run(main())
    return 0


def lasting(open_annotator: OpenAnnotator) -> OpenAnnotator:
    """Opens agents so that the garbage collector leaves them, and all that was imported for them, alone.

    It would go through hundreds of thousands of objects again and again that last as long as the agents.
    """

    @asynccontextmanager
    async def opened(spec: JobSpec) -> AsyncIterator[Annotator]:
        async with open_annotator(spec) as annotator:
            gc.collect()
            gc.freeze()
            try:
                yield annotator
            finally:
                gc.unfreeze()

    return opened


def end_after(seconds: float, loop: asyncio.AbstractEventLoop) -> threading.Timer:
    """Ends the process if it is still there then, and logs what it waits for; others get its chunks."""

    def end() -> None:
        log.error("the worker does not end by itself and is ended", extra={"waits": waiting(loop)})
        os._exit(EXIT_CODE)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def waiting(loop: asyncio.AbstractEventLoop) -> list[str]:
    """The places at which tasks and threads wait, without any value."""
    tasks = [frame for task in asyncio.all_tasks(loop) for frame in task.get_stack(limit=1)]
    places = [f"task {frame.f_code.co_qualname} line {frame.f_lineno}" for frame in tasks]
    return sorted(places) + sorted(f"thread {thread.name}" for thread in threading.enumerate() if not thread.daemon)
