"""One thread that runs a model in packed batches, for any number of tasks."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from medner.agents.engines.local.batch import Batch, Work
from medner.core.errors import ExternalError, MednerError


@dataclass(slots=True, eq=False)
class _Job:
    """Work in the queue or in the batch, and who waits for it."""

    make: Callable[[], Work | None]
    future: asyncio.Future[Work | None]
    loop: asyncio.AbstractEventLoop
    work: Work | None = None

    def resolve(self, result: Work | BaseException | None) -> None:
        """Hands the outcome to the waiting task's loop; does nothing when that is gone."""

        def settle() -> None:
            if self.future.done():
                return
            if isinstance(result, BaseException):
                self.future.set_exception(result)
            else:
                self.future.set_result(result)

        # The loop may close at any moment, also after it was asked whether it has.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(settle)

    @property
    def unwanted(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.future.cancelled() or self.loop.is_closed()


class BatchThread:
    """The thread of a batch: it takes in work between two passes, and begins with the first.

    Up to ``max_rows`` pieces run together, and a new one joins as soon as another ends. When the thread is idle, it
    waits for others until there are ``at_once`` pieces, at most ``gather_s`` after the first. Threads that share a
    ``turn`` compute one after another.
    """

    def __init__(
        self, batch: Batch, *, max_rows: int, at_once: int, gather_s: float, turn: threading.Lock | None
    ) -> None:
        self._batch = batch
        self._max_rows = max_rows
        self._at_once = min(at_once, max_rows)
        self._gather_s = gather_s
        self._turn = turn or threading.Lock()
        self._jobs: list[_Job] = []
        self._waiting: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    async def do(self, make: Callable[[], Work | None]) -> Work | None:
        """The work that ``make`` gives, done. ``make`` runs in the thread; what gives None is done by that."""
        loop = asyncio.get_running_loop()
        job = _Job(make, loop.create_future(), loop)
        with self._wake:
            if self._closed:
                raise ExternalError("the engine is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="medner-local-engine", daemon=True)
                self._thread.start()
            self._waiting.append(job)
            self._wake.notify()
        return await job.future

    async def close(self) -> None:
        """Ends the thread; work under way fails."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        ended: Exception = ExternalError("the engine was closed")
        try:
            while self._admit():
                if self._jobs:
                    self._step()
        except Exception as error:  # noqa: BLE001  without the thread, everyone would wait for ever
            ended = error
        with self._wake:
            self._closed = True
        self._fail(ended)

    def _step(self) -> None:
        try:
            with self._turn:
                finished = self._batch.step()
        except Exception as error:  # noqa: BLE001  whatever torch raises belongs to the waiting tasks
            self._fail(error)
            return
        for work in finished:
            self._finish(work)

    def _fail(self, error: Exception) -> None:
        told = _as_ours(error)
        for job in self._jobs:
            job.resolve(told)
        self._jobs.clear()
        self._batch.work.clear()
        if self._closed:
            while self._waiting:
                self._waiting.popleft().resolve(told)

    def _finish(self, work: Work) -> None:
        job = next(job for job in self._jobs if job.work is work)
        self._jobs.remove(job)
        job.resolve(work)

    def _admit(self) -> bool:
        """Fills the batch from the queue, waiting for work if there is none; False once the engine is closed."""
        with self._wake:
            idle = not self._jobs
            while idle and not self._waiting and not self._closed:
                self._wake.wait()
            if self._closed:
                return False
            if idle:
                self._wake.wait_for(lambda: self._closed or len(self._waiting) >= self._at_once, self._gather_s)
            free = self._max_rows - len(self._jobs)
            admitted = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
        for job in admitted:
            self._start(job)
        self._drop_unwanted()
        return True

    def _start(self, job: _Job) -> None:
        if job.unwanted:
            return
        try:
            job.work = job.make()
            if job.work is None:
                job.resolve(None)
                return
            self._batch.add(job.work)
        except Exception as error:  # noqa: BLE001  one bad request must not end the others
            job.resolve(_as_ours(error))
            return
        self._jobs.append(job)

    def _drop_unwanted(self) -> None:
        gone = [job for job in self._jobs if job.unwanted]
        for job in gone:
            self._jobs.remove(job)
            self._batch.work = [work for work in self._batch.work if work is not job.work]


def _as_ours(error: Exception) -> MednerError:
    if isinstance(error, MednerError):
        return error
    return ExternalError(f"the model failed: {type(error).__name__}: {error}")
