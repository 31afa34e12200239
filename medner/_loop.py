"""The synchronous twins' engine room: an event loop in a thread, so that they work where a loop runs already."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from medner.core.errors import UserError

T = TypeVar("T")


class BackgroundLoop:
    """An event loop in a thread of its own. It ends with :meth:`close`, or with the process."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()
        _RUNNING.add(self)

    @property
    def closed(self) -> bool:
        """Whether it has ended, or belongs to another process."""
        return self._loop.is_closed() or os.getpid() != self._process

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begins work on the loop."""
        if self.closed:
            work.close()
            if self._loop.is_closed():
                raise UserError("this object is closed; open another one")
            raise UserError("this object belongs to the process that made it; make one in each process")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work on the loop; Ctrl-C cancels it."""
        future = self.submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, source: AsyncIterator[T]) -> Iterator[T]:
        """The items of an asynchronous iterator, one at a time."""

        async def following() -> tuple[T, ...]:
            try:
                return (await anext(source),)
            except StopAsyncIteration:
                return ()

        async def close() -> None:
            closing = getattr(source, "aclose", None)
            if closing is not None:
                await closing()

        try:
            while found := self.run(following()):
                yield found[0]
        finally:
            self.run(close())

    def close_after(self, work: Coroutine[Any, Any, None]) -> None:
        """Ends the loop when some last work is done, without waiting for either."""
        if self.closed or sys.is_finalizing():
            work.close()
            return

        async def last() -> None:
            try:
                await work
            finally:
                self._loop.stop()

        asyncio.run_coroutine_threadsafe(last(), self._loop)

    def close(self) -> None:
        """Ends the loop and its thread. Nothing for one that is closed."""
        if self.closed:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


#: The loops that nobody closed yet.
_RUNNING: weakref.WeakSet[BackgroundLoop] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Ends what is left when Python ends: a loop that lived longer would complain while modules go."""
    for loop in list(_RUNNING):
        loop.close()
