"""The traces that the server reads: opened when first asked for, used in threads, one change at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from medner.service.http.messages.problems import Problem
from medner.store.traces import RunRecord, Trace, TraceBackend, default_place, open_traces

_T = TypeVar("_T")


class TracePlace:
    """The place for traces that ``MEDNER_TRACES`` names, else the data folder's file."""

    def __init__(self) -> None:
        self._backend: TraceBackend | None = None
        self._file: tuple[int, int] | None = None
        self._opening = asyncio.Lock()
        # A decision reads a trace and writes to it: two at once would lose one.
        self._changing = asyncio.Lock()

    async def backend(self) -> TraceBackend | None:
        """The place; None while nothing was ever recorded there."""
        async with self._opening:
            return await asyncio.to_thread(self._opened)

    def _opened(self) -> TraceBackend | None:
        place = default_place()
        if "://" not in place:
            path = Path(place).expanduser()
            try:
                facts = path.stat()
            except FileNotFoundError:
                return None
            file = (facts.st_dev, facts.st_ino)
            if self._file != file:
                self._close()
            self._file = file
        if self._backend is None:
            self._backend = open_traces(place)
        return self._backend

    async def call(self, run: str, use: Callable[[TraceBackend, RunRecord], _T]) -> _T:
        """What ``use`` gives, in a thread. Problem where there is no such run."""
        backend = await self.backend()
        found = None if backend is None else await asyncio.to_thread(backend.find, run)
        if backend is None or found is None:
            raise unknown_run(run)
        return await asyncio.to_thread(use, backend, found)

    async def change(self, run: str, use: Callable[[TraceBackend, RunRecord], Awaitable[_T]]) -> _T:
        """The same for what writes: in a loop of a thread's own, one after the other."""

        def alone(backend: TraceBackend, record: RunRecord) -> _T:
            async def used() -> _T:
                return await use(backend, record)

            return asyncio.run(used())

        async with self._changing:
            return await self.call(run, alone)

    async def close(self) -> None:
        """Ends the use of the place."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()


def unknown_run(run: str) -> Problem:
    """The problem of a name that no run has."""
    return Problem(
        "unknown-run",
        f"there are no traces of {run!r}; GET /v1/traces lists the runs there are. A job has some once a worker began "
        "it, unless it was submitted with trace none; workers and this server need the same MEDNER_TRACES",
    )


def trace_of(backend: TraceBackend, run: RunRecord, sentence: str) -> Trace:
    """A sentence's trace. Problem where there is none."""
    found = backend.trace(run.run, sentence)
    if found is None:
        raise Problem(
            "unknown-sentence",
            f"run {run.run} has no trace of sentence {sentence!r}; GET /v1/traces/{run.run}/sentences lists those "
            "there are",
        )
    return found
