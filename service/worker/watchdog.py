"""Ends a worker whose event loop stands still: it could neither prolong its claims nor be told anything."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress

log = logging.getLogger("medner.worker")

#: What the process ends with, so that whoever runs it starts another.
EXIT_CODE = 70
_LOOK_EVERY_S = 1.0


def _end() -> None:
    log.error("the worker stands still and ends; its chunks go to others")
    os._exit(EXIT_CODE)


class Watchdog:
    """A thread that counts its own seconds since the loop last moved; after ``patience_s`` it calls ``on_stuck``.

    A process that was stopped as a whole and goes on is not stuck: its watchdog stood still as well.
    """

    def __init__(self, patience_s: float, on_stuck: Callable[[], None] = _end, *, look_every_s: float = _LOOK_EVERY_S):
        self._patience_s = patience_s
        self._on_stuck = on_stuck
        self._look_every_s = look_every_s
        self._moved = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    async def run(self) -> None:
        """Tells the thread that the loop moves, until cancelled."""
        self._thread.start()
        try:
            while True:
                self._moved.set()
                await asyncio.sleep(self._look_every_s / 2)
        finally:
            self._ended.set()

    def _watch(self) -> None:
        still_s = 0.0
        while not self._ended.wait(self._look_every_s):
            still_s = 0.0 if self._moved.is_set() else still_s + self._look_every_s
            self._moved.clear()
            if still_s >= self._patience_s:
                with suppress(Exception):
                    self._on_stuck()
                return
