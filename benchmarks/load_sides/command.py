"""How much load the servers take, and what happens when one of them dies under it.

1. Annotate requests of one sentence at rising rates, until fewer are answered than are asked, or p95 passes a bound.
   Times count from when a request was due, so waiting counts too.
2. Jobs of all three priorities at once, low submitted first, and annotate requests at half the rate that was found. At
   a third of the time a worker is killed (and a vLLM server), at two thirds one is added. Then: is every sentence of
   every job there once, and was every request answered?

Everything runs on this machine: Redis (a Valkey of its own), `medner serve`, workers, this client. By default the model
is a script that answers after --delay-ms, so that what is measured is medner. With --vllm, the shipped symbol tagger
runs on two replicas of a real vLLM server (the base model must be pulled).

    python benchmarks/load.py
    python benchmarks/load.py --workers 4 --delay-ms 200 --bound-ms 2000
    python benchmarks/load.py --vllm .venv-vllm/bin/python --rate 0.3 --bound-ms 20000 --step-s 30

Exit code: 0 nothing was lost; 1 something was, and the lines say what.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from load_sides.cluster import LEASE_S, Cluster, running, worker
from load_sides.jobs import PRIORITIES, SENTENCES, JobWatch, losses, submitted, watched
from load_sides.requests import Times, at_rate

_TEXTS = [f"患者第{day}天咳嗽，予对症治疗。" for day in range(1, 30)]
#: Fewer answers than this share of the requests, in the time of the step: full.
_KEEPS_UP = 0.9
#: Notes of the job that is measured alone.
_TRIED = 20


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--workers", type=int, default=2, help="workers at the start (default 2)")
    add("--delay-ms", type=float, default=50.0, help="how long the script's model takes to answer (default 50)")
    add("--rate", type=float, default=5.0, help="requests a second in the first step (default 5)")
    add("--factor", type=float, default=1.6, help="each step's rate over that of the one before (default 1.6)")
    add("--steps", type=int, default=10, help="steps at most (default 10)")
    add("--step-s", type=float, default=6.0, help="seconds a step (default 6)")
    add("--bound-ms", type=float, default=1_000.0, help="p95 above this is full (default 1000)")
    add("--mixed-s", type=float, default=30.0, help="about how long jobs and requests run together (default 30)")
    add("--vllm", metavar="PYTHON", help="vLLM's Python: real servers in place of the script")
    add("--replicas", type=int, default=2, help="vLLM servers (default 2)")
    add("--json", type=Path, metavar="FILE", help="the numbers, for programs")
    add("--side", choices=["worker"], help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Runs everything; 1 where something was lost."""
    given = arguments()
    if given.side:
        return worker(given.delay_ms)
    # Else what was started would go on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with (
        TemporaryDirectory() as folder,
        running(
            Path(folder),
            workers=given.workers,
            delay_ms=given.delay_ms,
            vllm=given.vllm,
            replicas=given.replicas,
        ) as cluster,
    ):
        return asyncio.run(_measured(cluster, given))


async def _measured(cluster: Cluster, given: argparse.Namespace) -> int:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=cluster.url, limits=limits, trust_env=False) as client:
        await at_rate(client, 2, 3, _TEXTS, Times())  # the first ones load the configuration
        steps, best = await _saturation(client, given)
        print()
        lost, mixed = await _mixed(client, cluster, given, best)
    if given.json:
        settings = {name: value for name, value in vars(given).items() if name not in ("json", "side")}
        given.json.write_text(
            json.dumps({"settings": settings, "steps": steps, "saturation": best, "mixed": mixed}), encoding="utf-8"
        )
    print("nothing was lost" if not lost else "LOST: " + "; ".join(lost))
    return 1 if lost else 0


async def _saturation(client: httpx.AsyncClient, given: argparse.Namespace) -> tuple[list[dict[str, float]], float]:
    """Each step, and the highest rate that the servers kept up with."""
    print("requests/s asked, answered; p50, p95, p99 in ms")
    rate, best, rows = given.rate, 0.0, []
    for _ in range(given.steps):
        began = time.perf_counter()
        times = await at_rate(client, rate, given.step_s, _TEXTS, Times())
        answered = len(times.took) / max(given.step_s, time.perf_counter() - began)
        p95 = 1_000 * times.percentile(0.95)
        full = answered < _KEEPS_UP * rate or not p95 <= given.bound_ms or bool(times.failed or times.late)
        print(f"{rate:8.1f} {answered:8.1f} {times.line()}{'  full' if full else ''}", flush=True)
        rows.append({"asked": rate, "answered": answered, "p50": 1_000 * times.percentile(0.5), "p95": p95})
        if full:
            print(f"saturation: {best:.1f} requests/s kept up, {rate:.1f} did not")
            break
        best, rate = rate, rate * given.factor
    else:
        print(f"saturation: not reached at {best:.1f} requests/s; raise --steps or --factor")
    return rows, best or given.rate / 2


async def _mixed(
    client: httpx.AsyncClient, cluster: Cluster, given: argparse.Namespace, best: float
) -> tuple[list[str], dict[str, object]]:
    """What was lost, and the numbers: jobs of each priority under requests, while servers die and come."""
    alone = await submitted(client, "high", _TRIED)
    await watched(client, [alone], every_s=0.05)
    speed = SENTENCES * _TRIED / ((alone.ended or 0.0) - alone.submitted)
    print(f"a job alone: {speed:.1f} sentences/s")
    # Half of what the workers could do in the time: the requests and a dead worker take the rest.
    each = max(4, round(speed * given.mixed_s / 2 / SENTENCES / len(PRIORITIES)))
    rate, began = best / 2, time.perf_counter()
    print(f"together: {len(PRIORITIES)} jobs of {each} notes of {SENTENCES} sentences, {rate:.1f} requests/s")
    jobs = [await submitted(client, priority, each) for priority in PRIORITIES]
    times = Times()
    events: list[tuple[float, str]] = []
    asking = asyncio.create_task(at_rate(client, rate, given.mixed_s, _TEXTS, times))
    await asyncio.gather(asking, watched(client, jobs), _disturbed(cluster, given, events))
    _print_windows(jobs, times, events, began)
    _print_fairness(jobs)
    lost = [f"job {job.priority}: {wrong}" for job in jobs if (wrong := await losses(client, job))]
    lost += [f"{len(times.failed)} requests: {', '.join(sorted(set(times.failed)))}"] if times.failed else []
    print(f"requests: {times.offered} asked, {len(times.took)} answered, {len(times.late)} not within a minute")
    shares = {f"p{share}": 1_000 * times.percentile(share / 100) for share in (50, 95, 99)}
    return lost, {
        "requests": {"asked": times.offered, "answered": len(times.took), **shares},
        "job_alone": speed,
        "jobs": {job.priority: (job.ended or began) - job.submitted for job in jobs},
        "lost": lost,
    }


async def _disturbed(cluster: Cluster, given: argparse.Namespace, events: list[tuple[float, str]]) -> None:
    """A worker and a vLLM server killed, and one of each added later."""
    await asyncio.sleep(given.mixed_s / 3)
    cluster.kill_worker()
    events.append((time.perf_counter(), "a worker is killed"))
    if len(cluster.replicas) > 1:
        cluster.kill_replica()
        events.append((time.perf_counter(), "a vLLM server is killed"))
    await asyncio.sleep(given.mixed_s / 3)
    if len(cluster.replicas) > 1:
        cluster.add_replica()
        events.append((time.perf_counter(), "it is started once more"))
    await asyncio.to_thread(cluster.add_worker)
    events.append((time.perf_counter(), "a worker is added"))


def _print_windows(jobs: Sequence[JobWatch], times: Times, events: Sequence[tuple[float, str]], began: float) -> None:
    """Sentences a second of each priority and the requests' times, in stretches of five seconds."""
    end = max([job.ended or began for job in jobs] + times.due + [at for at, _ in events]) + 0.001
    heads = " ".join(f"{job.priority}/s".rjust(9) for job in jobs)
    print(f"{'from s':>8} {heads}  requests: p50, p95, p99 in ms")
    start = began
    while start < end:
        stop = start + 5
        speeds = [(job.done_by(stop) - job.done_by(start)) / 5 for job in jobs]
        said = "; ".join(what for at, what in events if start <= at < stop)
        print(
            f"{start - began:8.0f} {' '.join(f'{speed:9.1f}' for speed in speeds)}  "
            f"{times.within(start, stop).line()}{'  ' + said if said else ''}"
        )
        start = stop
    print(f"{'all':>8} {' ' * 29}  {times.line()}  (a killed worker is missed after {LEASE_S:.0f} s)")


def _print_fairness(jobs: Sequence[JobWatch]) -> None:
    """Who was served first: what share of each job was done when the one of the highest priority ended."""
    first = next(job for job in jobs if job.priority == "high")
    for job in reversed(jobs):
        share = job.done_by(first.ended or 0.0) / (SENTENCES * job.documents)
        print(
            f"priority {job.priority:<7} {job.state} after {(job.ended or 0.0) - job.submitted:6.1f} s; "
            f"{share:4.0%} of it done when high ended"
        )
