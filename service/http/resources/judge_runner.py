"""Judges that are asked by the server itself: one at a time, in a thread and a loop of their own, not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from medner.service.http.messages.problems import Problem

_T = TypeVar("_T")


class JudgeRunner:
    """Lets one piece of work with a judge go on at a time: it may load a model of its own.

    ``wait_s`` is how long another waits for its turn, ``limit_s`` how long one may take.
    """

    def __init__(self, *, wait_s: float = 20.0, limit_s: float = 600.0) -> None:
        self._turn = asyncio.Lock()
        self._wait_s = wait_s
        self._limit_s = limit_s

    async def alone(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """What the work gives. Problem when another takes too long, or this one does."""
        try:
            await asyncio.wait_for(self._turn.acquire(), self._wait_s)
        except TimeoutError as error:
            raise Problem("busy", "another judge is being asked by this server; try again in a moment") from error
        try:
            return await asyncio.to_thread(self._run, work)
        except TimeoutError as error:
            raise Problem(
                "busy",
                f"the judge took more than {self._limit_s:g} s and was stopped; give it fewer sentences (sample), or "
                "use medner traces fork on the machine",
            ) from error
        finally:
            self._turn.release()

    def _run(self, work: Callable[[], Awaitable[_T]]) -> _T:
        async def bounded() -> _T:
            async with asyncio.timeout(self._limit_s):
                return await work()

        return asyncio.run(bounded())
