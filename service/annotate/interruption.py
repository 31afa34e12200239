"""Ctrl-C, pressed once or several times: work ends cleanly, and a third time at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_INTERRUPTED = 130
_ENDING = b"medner: stopping; Ctrl-C a third time ends at once\n"


class Interruption:
    """What Ctrl-C does to a run: the first time its task is cancelled, the third time the process ends.

    ``at_once`` is called before the process ends, and must be short.
    """

    def __init__(self) -> None:
        self.count = 0
        self.at_once: Callable[[], None] = lambda: None
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def holds(self) -> None:
        """From now on the present task is what the first Ctrl-C cancels; before that it raises KeyboardInterrupt."""
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()

    def handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  the form of a signal handler
        """Takes a signal."""
        self.count += 1
        if self.count == 1:
            if self._task is None or self._loop is None or self._loop.is_closed():
                raise KeyboardInterrupt
            self._loop.call_soon_threadsafe(self._task.cancel)
        elif self.count == 2:
            os.write(2, _ENDING)
        else:
            try:
                self.at_once()
            finally:
                os._exit(_INTERRUPTED)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Ctrl-C within the block; outside the main thread nothing changes, as signals are for that one alone."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = signal.signal(signal.SIGINT, interruption.handle)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)
