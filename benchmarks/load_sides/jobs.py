"""Jobs of each priority under way together: how much of each is done when, and whether all of it came back once."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from medner.store.jobs.states import TERMINAL

PRIORITIES = ("low", "normal", "high")
SENTENCES = 4


@dataclass
class JobWatch:
    """A job: ``done`` sentences at each time it was asked for, and when all were."""

    priority: str
    id: str
    documents: int
    submitted: float
    done: list[tuple[float, int]] = field(default_factory=list)
    ended: float | None = None
    state: str = ""

    def done_by(self, moment: float) -> int:
        """How many sentences were done."""
        return max((count for at, count in self.done if at <= moment), default=0)


async def submitted(client: httpx.AsyncClient, priority: str, documents: int) -> JobWatch:
    """A job of made-up notes of four sentences."""
    notes = [
        {"id": f"{priority}-{number}", "text": "".join(f"患者{number}第{day}天咳嗽。\n" for day in range(SENTENCES))}
        for number in range(documents)
    ]
    body = {"name": f"load-{priority}", "priority": priority, "trace": "none", "documents": notes}
    began = time.perf_counter()
    answer = await client.post("/v1/jobs", json=body, timeout=120)
    answer.raise_for_status()
    return JobWatch(priority, answer.json()["id"], documents, began)


async def watched(client: httpx.AsyncClient, jobs: Sequence[JobWatch], every_s: float = 0.5) -> None:
    """Until all jobs have ended."""
    while any(job.ended is None for job in jobs):
        for job in jobs:
            if job.ended is None:
                answer = (await client.get(f"/v1/jobs/{job.id}", timeout=60)).json()
                now, job.state = time.perf_counter(), answer["state"]
                job.done.append((now, answer["counts"]["done"]))
                if job.state in TERMINAL:
                    job.ended = now
        await asyncio.sleep(every_s)


async def losses(client: httpx.AsyncClient, job: JobWatch) -> str:
    """What is wrong with a job's results: documents that are missing, twice, or incomplete; "" for nothing."""
    answer = await client.get(f"/v1/jobs/{job.id}/results", params={"format": "full"}, timeout=300)
    answer.raise_for_status()
    found = [json.loads(line) for line in answer.text.splitlines()]
    times = Counter(one["id"] for one in found)
    missing = [name for name in (f"{job.priority}-{number}" for number in range(job.documents)) if name not in times]
    twice = [name for name, count in times.items() if count > 1]
    counts = (await client.get(f"/v1/jobs/{job.id}", timeout=60)).json()["counts"]
    wrong = []
    if missing or twice:
        wrong.append(f"{len(missing)} documents missing, {len(twice)} twice")
    if counts["dead"] or counts["done"] != SENTENCES * job.documents:
        wrong.append(f"{counts['done']} of {SENTENCES * job.documents} sentences done, {counts['dead']} given up")
    return "; ".join(wrong)
