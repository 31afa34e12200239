"""What the job path costs a sentence, beside the other queues and beside the graph."""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from job_queue.processes import Cost, measured
from job_queue.systems import QUEUES
from job_queue.work import CONFIGURATION
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.strategies import CODECS
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence
from medner.graph import Pipeline
from medner.service.build.pipeline import build_deps


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
