"""How much faster several workers are than one."""

from __future__ import annotations

import argparse

from job_queue.processes import measured


async def scaling(arguments: argparse.Namespace) -> None:
    """Sentences a second with an engine that sleeps, and the efficiency: how much of n times one worker n reach."""
    print(f"{arguments.sentences} sentences, engine sleeps {arguments.sleep} s, {arguments.concurrency} at a time")
    first = 0.0
    for workers in arguments.workers:
        per_second = 1000 / (await measured("medner", workers, arguments)).wall
        first = first or per_second / workers
        print(f"{workers} workers: {per_second:7.1f} sentences/s, efficiency {per_second / (workers * first):.3f}")
