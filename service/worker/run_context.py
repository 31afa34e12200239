"""What a worker lends its runs of chunks, and what it tells them while they go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from medner.core.records import Annotation
from medner.service.worker.retry_waits import RetryWaits
from medner.store.jobs.claims import ChunkPlace, Claims


@dataclass(slots=True)
class Signals:
    """What a run is told from outside, looked at between sentences. ``lost``: the claim is another's now."""

    lost: bool = False
    ended: bool = False
    stopping: bool = False

    @property
    def stop(self) -> bool:
        """Whether no further sentence may begin."""
        return self.lost or self.ended or self.stopping


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a worker lends its runs: claims, retries, places for sentences under way, calls for what becomes of them.

    ``alone`` is held while a sentence is under way that may kill the worker.
    """

    claims: Claims
    retry: RetryWaits
    slots: asyncio.Semaphore
    alone: asyncio.Lock
    place: ChunkPlace | None = None
    lanes: int = 16
    on_annotation: Callable[[Annotation], None] = lambda _: None
    on_failure: Callable[[], None] = lambda: None
