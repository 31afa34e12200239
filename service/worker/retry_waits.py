"""Going on by itself where the surroundings fail for a while: Redis away or full, a disk full, servers gone."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from redis import exceptions as errors

from medner.core.errors import MednerError
from medner.store.redis import RedisAddress
from medner.store.redis.connection import make_ready

log = logging.getLogger("medner.worker")
T = TypeVar("T")

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 15.0
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Stopped(Exception):  # noqa: N818  not an error: the worker was asked to end
    """The worker is to end while something is waited for."""


class RetryWaits:
    """Repeats what fails for a reason that passes, and says in ``reason`` what is waited for, "" for nothing."""

    def __init__(self, address: RedisAddress, stopping: asyncio.Event) -> None:
        self._address = address
        self._stopping = stopping
        self.reason = ""

    async def __call__(self, call: Callable[[], Awaitable[T]], *, give_up: Callable[[], bool] = lambda: False) -> T:
        """What ``call`` gives, as soon as it can. Stopped when the worker ends or ``give_up`` says so meanwhile."""
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                answer = await call()
            except (errors.RedisError, OSError) as error:
                reason = passing(error)
                if reason is None:
                    raise
            else:
                if self.reason:
                    log.info("going on", extra={"after": self.reason})
                    self.reason = ""
                return answer
            await self.pause(reason, wait_s)
            if self._stopping.is_set() or give_up():
                raise Stopped
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
            await self._mend()

    async def pause(self, reason: str, seconds: float) -> None:
        """Waits, unless the worker is to end, and says why."""
        if self.reason != reason:
            log.warning("paused", extra={"reason": reason})
        self.reason = reason
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _mend(self) -> None:
        """The embedded server is started again where it died."""
        if self._address.embedded is None:
            return
        try:
            await asyncio.to_thread(make_ready, self._address)
        except MednerError as error:
            log.warning("Redis is not back", extra={"reason": str(error)})


def passing(error: Exception) -> str | None:
    """Why something failed, if the reason may pass by itself; None if it will not."""
    if isinstance(error, errors.OutOfMemoryError):
        return "the memory of Redis is full"
    if isinstance(error, (errors.BusyLoadingError, errors.ConnectionError, errors.TimeoutError)):
        return "Redis does not answer"
    if isinstance(error, (errors.ReadOnlyError, errors.TryAgainError)):
        return "Redis takes no writes"
    if isinstance(error, errors.ResponseError) and str(error).startswith(("MISCONF", "OOM", "LOADING")):
        return "Redis takes no writes (is its disk or memory full?)"
    if isinstance(error, OSError):
        return "the disk of the result folder is full" if error.errno in _FULL else "the result folder cannot be used"
    return None
