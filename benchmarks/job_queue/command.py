"""What the job path costs a sentence, beside saq and redis-py alone with the same chunks in the same run.

The graph is replaced by a no-op that gives a ready annotation, so what is left is: submit, deliver, read the chunk,
record the results, acknowledge. All three queues carry the same chunks, run the same no-op over the same sentences and
keep the same results in the same Valkey; only medner's has claims, counters, dead letters and the rest. "wall" is the
time from the first submitted chunk to the last result, "cpu" what submitter, workers and Valkey computed in it, both
divided by the sentences, after a warm-up of the workers: on a machine that does something else as well, compare cpu.
The graph's own cost is printed apart.

    pip install -e '.[bench]'                                # brings saq
    python benchmarks/jobs.py                               # overhead with 1 to 4 workers
    python benchmarks/jobs.py scaling                       # 1 to 4 workers with an engine that sleeps
    python benchmarks/jobs.py memory --sizes 10000 100000   # or 1000000: half an hour on one busy core
"""

from __future__ import annotations

import argparse
import os
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from job_queue.memory import memory, memory_of
from job_queue.overhead import overhead
from job_queue.scaling import scaling
from job_queue.systems import QUEUES
from medner.store.redis import RedisAddress
from medner.store.redis.embedded import EmbeddedValkey


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="overhead", help="overhead, scaling, memory (worker, memory-of)")
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--sentences", type=int)
    parser.add_argument("--chunk", type=int, default=32)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queues", nargs="+", default=list(QUEUES))
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--sleep", type=float, default=0.0, help="seconds the engine sleeps a sentence")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    found = parser.parse_args()
    if found.what == "scaling":
        found.sleep = found.sleep or 0.2
    if found.what == "memory-of":
        found.size = int(found.words[0])
    found.sentences = found.sentences or (1_920 if found.what == "scaling" else 6_400)
    return found


def installed(queues: list[str]) -> list[str]:
    """The queues that are installed; says which are left out."""
    missing = [name for name in queues if name != "medner" and find_spec(name) is None]
    for name in missing:
        print(f"{name}: left out, it is not installed (pip install 'medner[bench]')", flush=True)
    return [name for name in queues if name not in missing]


async def main() -> None:
    """What was asked for."""
    found = arguments()
    if found.what == "worker":
        name, folder = found.words
        server = EmbeddedValkey(Path(folder))
        await QUEUES[name].worker(RedisAddress(server.url, "it", server), found)
        return
    if found.what != "memory-of":
        print(
            f"medner {version('medner')}, {len(os.sched_getaffinity(0))} cores, {time.strftime('%Y-%m-%d')}", flush=True
        )
        found.queues = installed(found.queues)
    await {"overhead": overhead, "scaling": scaling, "memory": memory, "memory-of": memory_of}[found.what](found)
