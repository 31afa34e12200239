"""The ends of jobs that requests wait for: one look at all of them at a time, however many wait."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from redis.exceptions import RedisError

from medner.store.jobs import TERMINAL, Jobs

#: A person waits, and a look costs a fraction of a millisecond.
_EVERY_S = 0.008
#: After so many looks without an end, they are fewer.
_PATIENT_AFTER, _PATIENT_S = 250, 0.03


class JobEndings:
    """Tells requests when their jobs have ended."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._waiting: dict[str, asyncio.Event] = {}
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, job: str, timeout_s: float) -> bool:
        """Whether the job ended, or is gone, within a time."""
        event = self._waiting.setdefault(job, asyncio.Event())
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(job, None)
        return True

    async def _look(self) -> None:
        idle = 0
        while self._waiting:
            jobs = list(self._waiting)
            # Trouble with Redis only makes it later; the request's own time runs on.
            with suppress(RedisError, OSError):
                ended = [
                    job
                    for job, state in zip(jobs, await self._jobs.states(jobs), strict=True)
                    if state is None or state in TERMINAL
                ]
                for job in ended:
                    if job in self._waiting:
                        self._waiting[job].set()
                idle = 0 if ended else idle + 1
            await asyncio.sleep(_EVERY_S if idle < _PATIENT_AFTER else _PATIENT_S)
