"""What the job path costs a sentence, beside saq and plain taskiq with the same chunks in the same run.

The graph is replaced by a no-op that gives a ready annotation, so what is left is: submit, deliver, read the chunk,
record the results, acknowledge. All three queues carry the same chunks, run the same no-op over the same sentences and
keep the same results in the same Valkey; only medner's has claims, counters, dead letters and the rest. "wall" is the
time from the first submitted chunk to the last result, "cpu" what submitter, workers and Valkey computed in it, both
divided by the sentences: on a machine that does something else as well, compare cpu. The graph's own cost is printed
apart.

    pip install --no-deps saq croniter       # saq's own extra wants an older redis client
    python benchmarks/queue.py                               # overhead with 1 to 4 workers
    python benchmarks/queue.py scaling                       # 1 to 4 workers with an engine that sleeps
    python benchmarks/queue.py memory --sizes 10000 100000   # or 1000000: half an hour on one busy core
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.strategies import CODECS
from medner.graph import Pipeline
from medner.service.assembly import build_deps
from medner.service.fingerprint import fingerprint
from medner.service.overrides import Overrides, configured
from medner.service.worker.portable import freeze
from medner.store.jobs import Jobs, JobSpec, JobView
from medner.store.jobs.annotations import pack
from medner.store.jobs.pieces import chunks_of, dump_chunk, load_chunk, sentences_of
from medner.store.labels import load_label_set
from medner.store.records import (
    AnnotatedEntity,
    Annotation,
    Decision,
    Decoded,
    Document,
    Entity,
    Sentence,
    TaggerOutput,
)
from medner.store.redis import RedisAddress
from medner.store.redis.connection import new_client
from medner.store.redis.embedded import EmbeddedValkey

CONFIGURATION = configured(Overrides(taggers="html:full,json:plain", judge="hard-vote"))
PER_DOCUMENT = 4


def documents(sentences: int) -> Iterator[Document]:
    """Notes of four sentences, all different."""
    for number in range(sentences // PER_DOCUMENT):
        lines = (f"患者{number}于第{day}天出现咳嗽、胸痛，予阿司匹林治疗。\n" for day in range(PER_DOCUMENT))
        yield Document(f"note-{number}", "".join(lines))


def annotated(sentence: Sentence) -> Annotation:
    """What the no-op gives: two taggers, two entities."""
    entities = tuple(Entity(at, at + 2, "sym") for at in (len(sentence.text) - 12, len(sentence.text) - 9))
    outputs = tuple(TaggerOutput(name, sentence.text, Decoded(entities)) for name in ("a", "b"))
    kept = tuple(AnnotatedEntity(entity, Decision.AGREED, ("a", "b")) for entity in entities)
    return Annotation(sentence, kept, outputs, timings={"tag:a": 0.1, "tag:b": 0.1, "merge": 0.001})


class NoOp:
    """Annotates by doing nothing, after ``sleep_s``."""

    def __init__(self, sleep_s: float = 0.0) -> None:
        self._sleep_s = sleep_s

    async def annotate_sentence(self, sentence: Sentence) -> Annotation:
        """A ready annotation."""
        if self._sleep_s:
            await asyncio.sleep(self._sleep_s)
        return annotated(sentence)


async def plain_chunk(payload: str) -> str:
    """What the other queues' workers do with a chunk: the same, without claims and counters."""
    sentences = sentences_of(load_chunk(payload.encode()))
    return pack([await NoOp().annotate_sentence(sentence) for sentence in sentences]).hex()


def spec(arguments: argparse.Namespace, results: str | None = None) -> JobSpec:
    """The job of a measurement."""
    return JobSpec(
        configuration=freeze(CONFIGURATION),
        fingerprint=fingerprint(CONFIGURATION),
        medner=version("medner"),
        chunk_sentences=arguments.chunk,
        results=results,
    )


# The three queues. Each has a worker, which is a process, and a way to send all chunks and wait for all results.


async def medner_worker(address: RedisAddress, arguments: argparse.Namespace) -> None:
    """A medner worker with the no-op for agents."""
    from medner.service.worker.worker import Worker, WorkerSettings

    @asynccontextmanager
    async def opened(_: JobSpec) -> AsyncIterator[NoOp]:
        yield NoOp(arguments.sleep)

    settings = WorkerSettings(concurrency=arguments.concurrency, lease_s=30)
    worker = Worker(settings, address=address, open_annotator=opened)
    announce()
    await worker.run()


async def medner_run(address: RedisAddress, arguments: argparse.Namespace) -> float:
    """Seconds from submit to the last result."""
    client = new_client(address)
    jobs = Jobs(client)
    began = time.perf_counter()
    job = (await jobs.submit(spec(arguments), documents(arguments.sentences))).id
    view = await ended(jobs, job)
    seconds = time.perf_counter() - began
    assert view.counts.done == arguments.sentences, view
    await client.aclose()
    return seconds


async def ended(jobs: Jobs, job: str) -> JobView:
    """The last view of a job; asked for seldom, to disturb little."""
    async for view in jobs.watch(job, every_s=0.05):
        last = view
    return last


def announce() -> None:
    """Tells the measuring process that this worker listens, as soon as it does."""
    asyncio.get_running_loop().call_later(0.5, lambda: print("ready", flush=True))


async def taskiq_worker(address: RedisAddress, arguments: argparse.Namespace) -> None:
    """A plain taskiq worker on a Redis stream, with the result backend of taskiq-redis."""
    from taskiq.acks import AcknowledgeType
    from taskiq.receiver import Receiver

    broker = _taskiq_broker(address)
    broker.register_task(plain_chunk, task_name="chunk")
    broker.is_worker_process = True
    receiver = Receiver(broker, max_async_tasks=arguments.concurrency, ack_type=AcknowledgeType.WHEN_SAVED)
    announce()
    await receiver.listen(asyncio.Event())


def _taskiq_broker(address: RedisAddress) -> Any:
    from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

    backend: Any = RedisAsyncResultBackend(address.url, result_ex_time=600, protocol=2)
    return RedisStreamBroker(address.url, consumer_id="0", protocol=2, xread_count=2).with_result_backend(backend)


async def taskiq_run(address: RedisAddress, arguments: argparse.Namespace) -> float:
    """Seconds from the first chunk sent to the last result."""
    broker = _taskiq_broker(address)
    task = broker.register_task(plain_chunk, task_name="chunk")
    await broker.startup()
    began = time.perf_counter()
    sent = [await task.kiq(payload) for payload in payloads(arguments)]
    for one in sent:
        while not await one.is_ready():  # noqa: ASYNC110  another process
            await asyncio.sleep(0.002)
    seconds = time.perf_counter() - began
    await broker.shutdown()
    return seconds


async def saq_worker(address: RedisAddress, arguments: argparse.Namespace) -> None:
    """A saq worker."""
    from saq import Worker
    from saq.queue.redis import RedisQueue

    async def chunk(_: Any, *, payload: str) -> str:
        return await plain_chunk(payload)

    queue = RedisQueue(new_client(address, socket_timeout=None))
    worker: Any = Worker(queue, functions=[("chunk", chunk)], concurrency=arguments.concurrency)
    announce()
    await worker.start()


async def saq_run(address: RedisAddress, arguments: argparse.Namespace) -> float:
    """Seconds from the first chunk sent to the last result."""
    from saq.job import Status
    from saq.queue.redis import RedisQueue

    queue = RedisQueue(new_client(address))
    await queue.connect()
    began = time.perf_counter()
    sent: list[Any] = [await queue.enqueue("chunk", payload=payload, ttl=600) for payload in payloads(arguments)]
    for one in sent:
        while one.status is not Status.COMPLETE:
            await one.refresh()
            if one.status is not Status.COMPLETE:
                await asyncio.sleep(0.002)
    seconds = time.perf_counter() - began
    await queue.disconnect()
    return seconds


def payloads(arguments: argparse.Namespace) -> Iterator[str]:
    """The same chunks, as text."""
    for chunk in chunks_of(documents(arguments.sentences), size=arguments.chunk, max_chars=256):
        yield dump_chunk(chunk).decode()


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue to measure: what its worker does, and what sends to it and waits."""

    worker: Callable[[RedisAddress, argparse.Namespace], Any]
    run: Callable[[RedisAddress, argparse.Namespace], Any]


QUEUES = {
    "medner": Queue(medner_worker, medner_run),
    "taskiq": Queue(taskiq_worker, taskiq_run),
    "saq": Queue(saq_worker, saq_run),
}


@asynccontextmanager
async def processes(
    queue: str, count: int, folder: Path, arguments: argparse.Namespace
) -> AsyncIterator[list[subprocess.Popen[str]]]:
    """Worker processes, all of them ready."""
    command = [sys.executable, __file__, "worker", queue, str(folder)]
    command += ["--concurrency", str(arguments.concurrency), "--sleep", str(arguments.sleep)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]  # noqa: S603, ASYNC220
    try:
        for one in running:
            assert one.stdout is not None
            line = await asyncio.to_thread(one.stdout.readline)
            assert line == "ready\n", line
        yield running
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.kill()
            one.wait()


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds a sentence: wall time, and processor time of all who take part."""

    wall: float
    cpu: float


async def measured(queue: str, workers: int, arguments: argparse.Namespace) -> Cost:
    """The cost of a queue, with a fresh Valkey."""
    with TemporaryDirectory(prefix="medner-bench-") as scratch:
        server = EmbeddedValkey(Path(scratch))
        server.ensure()
        try:
            address = RedisAddress(server.url, "it", server)
            async with processes(queue, workers, Path(scratch), arguments) as running:
                client = new_client(address)
                valkey = int((await client.info("server"))["process_id"])
                await client.aclose()
                taking_part = [os.getpid(), valkey, *(one.pid for one in running)]
                before = sum(map(cpu_s, taking_part))
                seconds: float = await QUEUES[queue].run(address, arguments)
                computed = sum(map(cpu_s, taking_part)) - before
        finally:
            server.stop()
    return Cost(1000 * seconds / arguments.sentences, 1000 * computed / arguments.sentences)


def cpu_s(process: int) -> float:
    """Seconds a process has computed so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def overhead(arguments: argparse.Namespace) -> None:
    """The table of all queues with 1 to 4 workers; rounds take turns, so that a slow moment meets all."""
    queues = [name for name in QUEUES if name in arguments.queues]
    print(f"{arguments.sentences} sentences in chunks of {arguments.chunk}, {arguments.rounds} rounds, medians, ms")
    print(f"graph's own cost (scripted engine, two taggers): {await graph_cost():.2f} ms of cpu a sentence")
    print("workers  " + "  ".join(f"{name + ' wall  cpu':>17}" for name in queues) + "   medner / leaner: wall  cpu")
    for workers in arguments.workers:
        costs: dict[str, list[Cost]] = {name: [] for name in queues}
        for _ in range(arguments.rounds):
            for name in queues:
                costs[name].append(await measured(name, workers, arguments))
        wall = {name: statistics.median(one.wall for one in found) for name, found in costs.items()}
        cpu = {name: statistics.median(one.cpu for one in found) for name, found in costs.items()}
        row = "  ".join(f"{wall[name]:>10.3f} {cpu[name]:>6.3f}" for name in queues)
        print(f"{workers:>7}  {row}   {ratio(wall)}  {ratio(cpu)}", flush=True)


def ratio(times: dict[str, float]) -> str:
    """How much medner takes of what the leaner of the others does."""
    others = [seconds for name, seconds in times.items() if name != "medner"]
    return f"{times['medner'] / min(others):.2f}" if others and "medner" in times else "-"


async def graph_cost() -> float:
    """Milliseconds a sentence of the real graph on an engine that answers at once."""
    labels = load_label_set("cmeee-v2")

    def answer(request: Any) -> str:
        system, sentence = request.messages[0].content, request.messages[-1].content
        strategy = next(name for name, codec in CODECS.items() if codec.instruction in system)
        return CODECS[strategy].encode(sentence, [Entity(0, 2, "sym")], labels)

    pipeline = Pipeline(build_deps(CONFIGURATION, ScriptedEngine(answer)))
    sentences = [Sentence(f"s{number}", f"患者{number}出现咳嗽、胸痛。", 0, "d") for number in range(200)]
    await pipeline.annotate_sentence(sentences[0])
    began = time.process_time()
    for sentence in sentences:
        await pipeline.annotate_sentence(sentence)
    return 1000 * (time.process_time() - began) / len(sentences)


async def scaling(arguments: argparse.Namespace) -> None:
    """Sentences a second with an engine that sleeps, and the efficiency: how much of n times one worker n reach."""
    print(f"{arguments.sentences} sentences, engine sleeps {arguments.sleep} s, {arguments.concurrency} at a time")
    first = 0.0
    for workers in arguments.workers:
        per_second = 1000 / (await measured("medner", workers, arguments)).wall
        first = first or per_second / workers
        print(f"{workers} workers: {per_second:7.1f} sentences/s, efficiency {per_second / (workers * first):.3f}")


async def memory(arguments: argparse.Namespace) -> None:
    """Peak memory of submitter, Redis and worker for jobs of several sizes, results in a folder."""
    for size in arguments.sizes:
        command = [sys.executable, __file__, "memory-of", str(size), "--chunk", str(arguments.chunk)]
        process = await asyncio.create_subprocess_exec(*command)
        assert await process.wait() == 0


async def memory_of(arguments: argparse.Namespace) -> None:
    """One size, in a process of its own, whose peak is the submitter's."""
    with TemporaryDirectory(prefix="medner-bench-") as scratch:
        server = EmbeddedValkey(Path(scratch) / "redis")
        server.ensure()
        address = RedisAddress(server.url, "it", server)
        async with AsyncExitStack() as stack:
            stack.callback(server.stop)
            client = new_client(address)
            stack.push_async_callback(client.aclose)
            jobs = Jobs(client)
            began = time.perf_counter()
            job = (await jobs.submit(spec(arguments, f"{scratch}/out"), documents(arguments.size))).id
            submitted_s = time.perf_counter() - began
            submitter = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            [worker] = await stack.enter_async_context(processes("medner", 1, server.folder, arguments))
            view = await ended(jobs, job)
            assert view.counts.done == arguments.size
            redis_mb = (await client.info("memory"))["used_memory_peak"] / 1e6
            log_mb = sum(path.stat().st_size for path in (server.folder / "appendonlydir").iterdir()) / 1e6
            print(
                f"{arguments.size:>9} sentences: submitter {submitter:.0f} MB, worker {peak_mb(worker.pid):.0f} MB, "
                f"Redis {redis_mb:.1f} MB (its file {log_mb:.1f} MB); "
                f"submit {submitted_s:.0f} s, all {time.perf_counter() - began:.0f} s",
                flush=True,
            )


def peak_mb(process: int) -> float:
    """The most memory a process has had."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


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
    await {"overhead": overhead, "scaling": scaling, "memory": memory, "memory-of": memory_of}[found.what](found)


if __name__ == "__main__":
    asyncio.run(main())
