"""What the graph and its traces cost a sentence: nodes called by hand, LangGraph, each policy, LangGraph's own saver.

    python benchmarks/graph.py                       # scripted engine: milliseconds a sentence, all ways in turn
    python benchmarks/graph.py --notes examples/notes --sentences 40     # the real local pipeline, with and without

Every sentence of the scripted part has conflicts, so the policy `conflicts` writes all of them: its dearest case. The
ways take turns in rounds, so that a machine that slows down slows all of them; medians over the rounds are told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langsmith import tracing_context

from medner.agents.engines.engine import Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.judge import HardVote
from medner.agents.strategies import CODECS
from medner.agents.taggers.tagger import GenerativeTagger
from medner.core.labels import load_label_set
from medner.core.records import Annotation, Entity, Sentence
from medner.core.sentences import split_sentences
from medner.graph import Deps, Pipeline
from medner.graph.nodes import filter_candidates, find_conflicts, merge, settle_conflicts, tag
from medner.graph.sentence import sentence_graph_with
from medner.graph.state import join_timings
from medner.graph.tracing import Tracer
from medner.service.build.engines import model_folder
from medner.service.build.pipeline import assembled_parts
from medner.service.config.default import default_configuration
from medner.store.traces import TracePolicy, TraceWriter, open_traces

LABELS = load_label_set("cmeee-v2")
TEXT = "患者因反复胸痛3天入院，既往高血压病史十年，伴咳嗽、咳白色黏痰，无发热，查心电图示窦性心律。"
AGREED = (Entity(14, 17, "dis"),)
SAID = {
    "a": (*AGREED, Entity(5, 7, "sym"), Entity(23, 25, "sym"), Entity(37, 40, "pro")),
    "b": (*AGREED, Entity(3, 7, "sym"), Entity(23, 25, "sym"), Entity(26, 31, "sym")),
    "c": (*AGREED, Entity(3, 7, "sym"), Entity(26, 31, "sym")),
}
Way = Callable[[Sentence], Awaitable[Annotation]]


def scripted_deps() -> Deps:
    """Three taggers that disagree, and a judge without a model."""

    def engine(name: str) -> ScriptedEngine:
        def answer(request: Request) -> str:
            return CODECS["symbol"].encode(request.messages[-1].content, SAID[name], LABELS)

        return ScriptedEngine(answer)

    return Deps(
        LABELS, tuple(GenerativeTagger(name, engine(name), CODECS["symbol"], LABELS) for name in SAID), HardVote()
    )


async def by_hand(deps: Deps, sentence: Sentence) -> Annotation:
    """The nodes in their order, without LangGraph."""
    runtime: Any = SimpleNamespace(context=deps)
    said = await asyncio.gather(*(tag(one.name, sentence, deps) for one in deps.taggers))
    state: Any = {"sentence": sentence, "outputs": [], "failures": [], "timings": {}}
    for update in said:
        state["outputs"] += update.get("outputs", [])
        state["timings"] = join_timings(state["timings"], update["timings"])
    for node in (filter_candidates, find_conflicts, settle_conflicts):
        if node is settle_conflicts and not state["conflicts"]:
            continue
        update = await node(state, runtime)
        timings = join_timings(state["timings"], update.pop("timings"))
        state.update(update)
        state["timings"] = timings
    found: Annotation = (await merge(state))["annotation"]
    return found


@asynccontextmanager
async def all_ways(deps: Deps, folder: Path) -> AsyncIterator[dict[str, Way]]:
    """Every way of running a sentence."""
    async with AsyncExitStack() as stack:
        saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(str(folder / "naive.sqlite")))
        graph = sentence_graph_with(saver, deps.tagger_names)

        async def naive(sentence: Sentence) -> Annotation:
            config = {"configurable": {"thread_id": sentence.id}}
            found: Annotation = (await graph.ainvoke({"sentence": sentence}, context=deps, config=config))["annotation"]
            return found

        async def hand(sentence: Sentence) -> Annotation:
            return await by_hand(deps, sentence)

        ways: dict[str, Way] = {"nodes by hand": hand, "graph, no traces": Pipeline(deps).annotate_sentence}
        for policy in (TracePolicy.CONFLICTS, TracePolicy.ALL):
            backend = open_traces(folder / f"{policy.value}.sqlite")
            writer = TraceWriter(backend)
            stack.callback(backend.close)
            stack.callback(writer.close)
            tracer = Tracer("benchmark", policy, writer.put)
            ways[f"graph, traces: {policy.value}"] = _flushed(Pipeline(deps, tracer=tracer), writer)
        ways["graph, LangGraph's SQLite saver"] = naive
        yield ways


def _flushed(pipeline: Pipeline, writer: TraceWriter) -> Way:
    """The way of a pipeline; the last sentence of a round waits for the disk, so that nothing is paid later."""

    async def run(sentence: Sentence) -> Annotation:
        found = await pipeline.annotate_sentence(sentence)
        if sentence.id.endswith("last"):
            await asyncio.to_thread(writer.flush)
        return found

    return run


async def scripted(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Milliseconds a sentence of every way, sentences one after another and several at a time."""
    rows = []
    for at_once in options.at_once:
        with tempfile.TemporaryDirectory() as folder, tracing_context(enabled=False):
            async with all_ways(scripted_deps(), Path(folder)) as ways:
                times: dict[str, list[float]] = {name: [] for name in ways}
                results: dict[str, Any] = {}
                for number in range(options.rounds + 1):
                    for name, way in ways.items():
                        seconds, last = await _timed(way, f"{name}{number}", options.sentences, at_once)
                        results[name] = (last.entities, last.conflicts)
                        if number:  # the first round warms up
                            times[name].append(seconds / options.sentences * 1_000)
                assert all(found == results["nodes by hand"] for found in results.values()), "answers differ"
        for name, measured in times.items():
            median = statistics.median(measured)
            row = {
                "at_once": at_once,
                "way": name,
                "ms": round(median, 3),
                "low": round(min(measured), 3),
                "high": round(max(measured), 3),
            }
            rows.append(row)
            print(f"  {at_once:>2} at a time  {name:<34} {median:7.3f} ms  [{row['low']}, {row['high']}]")
    return rows


async def _timed(way: Way, salt: str, number: int, at_once: int) -> tuple[float, Annotation]:
    gate = asyncio.Semaphore(at_once)

    async def one(place: int) -> Annotation:
        async with gate:
            return await way(Sentence(f"{salt}#{place}{'last' if place == number - 1 else ''}", TEXT))

    began = time.perf_counter()
    found = await asyncio.gather(*(one(place) for place in range(number)))
    return time.perf_counter() - began, found[-1]


async def real(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of the default pipeline over sentences of notes, with traces of conflicts and without, by turns."""
    from medner.service.inputs.annotation_inputs import Inputs, open_inputs

    configuration = default_configuration()
    with open_inputs([str(options.notes)], None, sys.stdin.buffer) as sources:
        documents = list(Inputs(sources, format=None, skip_bad=False, limit=None).documents())
    sentences = [one for document in documents for one in split_sentences(document, max_chars=256)][: options.sentences]
    times: dict[str, list[float]] = {"without": [], "with": []}
    work: dict[str, list[float]] = {"without": [], "with": []}
    conflicts = 0
    with tempfile.TemporaryDirectory() as folder:
        backend = open_traces(Path(folder) / "traces.sqlite")
        writer = TraceWriter(backend)
        async with assembled_parts(configuration, model=model_folder(configuration)) as made:
            plain = Pipeline(made.deps, concurrency=configuration.concurrency)
            traced = Pipeline(made.deps, concurrency=16, tracer=Tracer("run", TracePolicy.CONFLICTS, writer.put))
            for number in range(options.rounds + 1):
                # Each goes first in every other round.
                order = [("without", plain), ("with", traced)]
                for name, pipeline in order if number % 2 else order[::-1]:
                    began, worked = time.perf_counter(), time.process_time()
                    found = await asyncio.gather(*(pipeline.annotate_sentence(one) for one in sentences))
                    await asyncio.to_thread(writer.flush)
                    if number:
                        times[name].append(time.perf_counter() - began)
                        work[name].append(time.process_time() - worked)
                    conflicts = sum(bool(one.conflicts) for one in found)
        writer.close()
        backend.close()
    shares = [b / a - 1 for a, b in zip(times["without"], times["with"], strict=True)]
    by_work = [b / a - 1 for a, b in zip(work["without"], work["with"], strict=True)]
    print(f"  {len(sentences)} sentences, {conflicts} with conflicts, {options.rounds} rounds")
    for name, measured in times.items():
        print(f"  {name:<8} traces: {statistics.median(measured):.2f} s  {[round(one, 2) for one in measured]}")
    print(f"  traces add {statistics.median(shares):+.2%} (a round each: {[f'{one:+.2%}' for one in shares]})")
    # On a machine that others use too, seconds of the processor are the steadier measure.
    print(f"  of processor time {statistics.median(by_work):+.2%} (a round each: {[f'{one:+.2%}' for one in by_work]})")
    facts = {"sentences": len(sentences), "with_conflicts": conflicts, "seconds": times, "added": shares}
    return {**facts, "processor_seconds": work, "processor_added": by_work}


def main() -> None:
    """Runs the scripted part, or the real one where notes are named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sentences", type=int, default=100, help="sentences a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--notes", type=Path, help="measure the real local pipeline on these notes instead")
    parser.add_argument("--json", type=Path, help="write the numbers as JSON")
    options = parser.parse_args()
    found = asyncio.run(real(options) if options.notes else scripted(options))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
