"""What the HTTP API costs: annotate beside the model's own time, lists of few and many jobs, requests a second.

- annotate: the time until `POST /v1/annotate` has answered, less the time that the graph's nodes took for the sentence
  (the slowest tagger, then filter, judge and merge, as the result says). The model is a script that answers after
  ``--delay-ms``; with ``--real`` it is the default configuration in `medner worker` (the base model must be pulled).
- lists: the same requests at each number of jobs (``--jobs``), one after another.
- requests a second: medner's beside an empty endpoint of the same framework and server, by turns, in the same run.

    python benchmarks/api.py
    python benchmarks/api.py --real --jobs 10
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from api_sides.load import Connection, Times, rates, timed
from api_sides.processes import Running, empty, running, worker

from medner.core.records import Document
from medner.store.jobs import Jobs
from medner.store.redis.connection import new_client

_SENTENCE = "患者第3天咳嗽，予对症治疗。"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotate", type=int, default=100, help="how many texts are annotated, one after another")
    parser.add_argument("--delay-ms", type=float, default=50.0, help="how long the script's model takes to answer")
    parser.add_argument("--real", action="store_true", help="the default configuration with its base model")
    parser.add_argument("--jobs", type=int, nargs="+", default=[10, 10_000], help="numbers of jobs, ascending")
    parser.add_argument("--requests", type=int, default=300, help="requests of each kind at each number of jobs")
    parser.add_argument("--load", type=int, default=5_000, help="requests of each kind for requests a second")
    parser.add_argument("--at-a-time", type=int, default=8, help="connections for requests a second")
    parser.add_argument("--side", choices=["worker", "empty"], help=argparse.SUPPRESS)
    return parser.parse_args()


async def annotated(place: Running, count: int) -> None:
    """Prints what annotate adds to the model's time."""
    body = json.dumps({"text": _SENTENCE, "wait_s": 60}).encode()
    whole, own = [], []
    async with Connection(place.url) as connection:
        for number in range(count + 5):
            began = time.perf_counter()
            status, answer = await connection.ask("POST", "/v1/annotate", body)
            took = 1_000 * (time.perf_counter() - began)
            assert status == 200, answer
            job = json.loads(answer)["job"]
            _, lines = await connection.ask("GET", f"/v1/jobs/{job}/results?format=full")
            if number >= 5:  # the first ones load the model
                whole.append(took)
                own.append(_own_ms(json.loads(lines)["sentences"][0]["timings"]))
    over = Times(tuple(all_ - model for all_, model in zip(whole, own, strict=True)))
    print(
        f"annotate: {statistics.median(whole):.1f} ms p50, of them the model's own {statistics.median(own):.1f}; "
        f"overhead {over.p50:.1f} ms p50, {over.p95:.1f} p95 (n {count})"
    )


def _own_ms(timings: dict[str, float]) -> float:
    """The time of the nodes: taggers run at the same time, the others one after another."""
    taggers = [seconds for node, seconds in timings.items() if node.startswith("tag:")]
    others = [seconds for node, seconds in timings.items() if not node.startswith("tag:")]
    return 1_000 * (max(taggers, default=0.0) + sum(others))


async def filled(place: Running, job: str, number: int) -> None:
    """Brings the number of jobs up: each is ended, so that the worker has nothing to do."""
    client = new_client(place.redis)
    try:
        jobs = Jobs(client)
        spec = (await jobs.show(job)).spec
        assert spec is not None
        spec = spec.model_copy(update={"name": "filling"})
        _, total = await jobs.newest(1)
        gate = asyncio.Semaphore(8)

        async def one(at: int) -> None:
            async with gate:
                made = await jobs.submit(spec, [Document(f"n{at}", "好转。")])
                await jobs.cancel(made.id)

        await asyncio.gather(*(one(at) for at in range(number - total)))
        while (await jobs.queue()).sentences_left:  # noqa: ASYNC110  others do the work
            await asyncio.sleep(0.1)
    finally:
        await client.aclose()


async def listed(place: Running, job: str, requests: int, number: int) -> None:
    """Prints what lists cost at a number of jobs."""
    async with Connection(place.url) as connection:
        _, page = await connection.ask("GET", "/v1/jobs?limit=20")
    found = json.loads(page)
    assert found["total"] >= number, found["total"]
    paths = {
        "jobs, 20 of them": "/v1/jobs?limit=20",
        "the next 20": f"/v1/jobs?limit=20&cursor={found['next']}" if found["next"] else None,
        "one job": f"/v1/jobs/{job}",
        "its documents": f"/v1/jobs/{job}/documents",
        "the page": "/",
        "runs of traces, 20": "/v1/traces?limit=20",
    }
    print(f"at {found['total']:,} jobs (ms p50, p95; n {requests}):")
    for name, path in paths.items():
        if path is not None:
            times = await timed(place.url, path, requests)
            print(f"  {name:<20} {times.p50:7.2f} {times.p95:7.2f}")


async def measured(place: Running, given: argparse.Namespace) -> None:
    """All of it."""
    await annotated(place, given.annotate)
    async with Connection(place.url) as connection:
        body = json.dumps({"documents": [{"id": f"n{at}", "text": _SENTENCE * 4} for at in range(5)]}).encode()
        _, answer = await connection.ask("POST", "/v1/jobs", body)
        job = json.loads(answer)["id"]
        while json.loads((await connection.ask("GET", f"/v1/jobs/{job}"))[1])["finished"] is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    for number in given.jobs:
        await filled(place, job, number)
        await listed(place, job, given.requests, number)
    asked = {
        "an empty endpoint": (place.empty, "/"),
        "session": (place.url, "/v1/session"),
        "health": (place.url, "/health"),
        "one job": (place.url, f"/v1/jobs/{job}"),
        "jobs, 20 of them": (place.url, "/v1/jobs?limit=20"),
    }
    found = await rates(list(asked.values()), given.load, given.at_a_time)
    print(f"requests a second, {given.at_a_time} at a time ({given.load:,} each, by turns):")
    for name, rate in zip(asked, found, strict=True):
        print(f"  {name:<20} {rate:9,.0f}   {rate / found[0]:.2f} of the empty one's")


def main() -> int:
    """Runs the measurement, or a process of it."""
    given = arguments()
    if given.side == "worker":
        return worker(given)
    if given.side == "empty":
        return empty()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the beginning")
    with TemporaryDirectory(prefix="medner-api-") as name, running(Path(name), given) as place:
        asyncio.run(measured(place, given))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
