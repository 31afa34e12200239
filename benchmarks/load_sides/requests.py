"""Annotate requests at a given rate, whatever the answers take: their times count from when each was due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

#: The longest that a request waits for its job.
_WAIT_S = 60


@dataclass
class Times:
    """Of requests that were due: when, and how long the answer took (seconds); ``late`` and ``failed`` had none."""

    due: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    #: Jobs whose answer was "not yet" (202), by their id: not lost, but late.
    late: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    offered: int = 0

    def within(self, begin: float, end: float) -> Times:
        """Those that were due in a stretch of time."""
        chosen = [place for place, due in enumerate(self.due) if begin <= due < end]
        return Times([self.due[one] for one in chosen], [self.took[one] for one in chosen], offered=len(chosen))

    def percentile(self, share: float) -> float:
        """So many of the answered requests were as fast; NaN without any."""
        return sorted(self.took)[min(len(self.took) - 1, int(share * len(self.took)))] if self.took else float("nan")

    def line(self) -> str:
        """p50, p95 and p99 in milliseconds."""
        return " ".join(f"{1_000 * self.percentile(share):8.0f}" for share in (0.5, 0.95, 0.99))


async def at_rate(client: httpx.AsyncClient, rate: float, seconds: float, texts: Sequence[str], into: Times) -> Times:
    """Requests at ``rate`` a second, one sentence each; returns when all are answered.

    A request is sent when it is due, though earlier ones have no answer: a server that is full must not slow its load.
    """
    began = time.perf_counter()
    asked = []
    for number in range(max(1, round(rate * seconds))):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        asked.append(asyncio.create_task(_one(client, texts[number % len(texts)], due, into)))
    await asyncio.gather(*asked)
    return into


async def _one(client: httpx.AsyncClient, text: str, due: float, into: Times) -> None:
    into.offered += 1
    try:
        answer = await client.post("/v1/annotate", json={"text": text, "wait_s": _WAIT_S}, timeout=_WAIT_S + 30)
    except httpx.TransportError as error:
        into.failed.append(type(error).__name__)
        return
    if answer.status_code == httpx.codes.OK:
        into.due.append(due)
        into.took.append(time.perf_counter() - due)
    elif answer.status_code == httpx.codes.ACCEPTED:
        into.late.append(answer.json()["job"])
    else:
        into.failed.append(str(answer.status_code))
