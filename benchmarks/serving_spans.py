"""How fast the default's span taggers run on a vLLM server, beside the same taggers in this process.

Each row is the whole pipeline of a label set's default (taggers, filter, judge) on the same sentences, some at a time:

- embedded: the models in this process, in int8 and in f32;
- served: no model in this process; the server that `medner serve-models --part spans` starts, in each number format.

One side at a time has the machine; all sides are measured ``--rounds`` times, one after the other, and the best round
of each counts. `same` are the sentences whose entities equal those of the embedded f32. Servers are started with
``--vllm``'s Python and stopped.

    python benchmarks/serving_spans.py --vllm .venv-vllm/bin/python --input test.json --limit 100
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from serving import sentences

from medner.core.records import Entity, Sentence
from medner.graph import Pipeline
from medner.service.build.cpu_cores import physical_cores
from medner.service.build.engines import model_folder
from medner.service.build.pipeline import assembled
from medner.service.config.configuration import Configuration
from medner.service.config.default import default_configuration
from medner.service.config.engine import ServerConfig, VllmEngineConfig
from medner.service.config.shelf import shipped_plan
from medner.service.vllm_servers.command import serve_commands
from medner.service.vllm_servers.plan import Plan, ServerPart
from medner.service.vllm_servers.running import serving

Found = tuple[tuple[Entity, ...], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One side at one width: seconds for all sentences, and their entities."""

    side: str
    at_a_time: int
    seconds: float
    found: Found


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vllm", default=".venv-vllm/bin/python", help="the Python of vLLM's environment")
    parser.add_argument("--labels", default="cmeee-v2", help="a label set that ships a default")
    parser.add_argument("--input", type=Path, nargs="+", default=[Path("examples/notes")], help="corpus or notes")
    parser.add_argument("--limit", type=int, default=100, help="how many sentences, drawn with --seed")
    parser.add_argument("--longest", type=int, default=256, help="only sentences of at most so many characters")
    parser.add_argument("--at-a-time", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--embedded", nargs="*", default=["f32", "int8"], help="number formats of this process")
    parser.add_argument("--served", nargs="*", default=["float32", "bfloat16"], help="number formats of the server")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--port", type=int, default=8391)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


@asynccontextmanager
async def side(name: str, configuration: Configuration, options: argparse.Namespace) -> AsyncIterator[Pipeline]:
    """A pipeline of one side, warm: what is done once, no row pays for."""
    where, _, number_format = name.partition(" ")
    folder = model_folder(configuration)
    if where == "embedded":
        here = configuration.model_copy(update={"dtype": number_format})
        async with assembled(here, model=folder) as pipeline:
            yield await warm(pipeline)
        return
    plan = Plan(
        port=options.port,
        python=options.vllm,
        dtype=number_format,
        threads=physical_cores(),
        part=ServerPart.SPANS,
    )
    commands = serve_commands(configuration, folder, plan)
    with tempfile.TemporaryDirectory() as logs, serving(commands, Path(logs), patience_s=300) as (server, *_):
        engine = VllmEngineConfig(servers=(ServerConfig(url=server.command.url),), timeout_s=900)
        there = Configuration.model_validate({**configuration.model_dump(), "engine": engine.model_dump()})
        async with assembled(there) as pipeline:
            yield await warm(pipeline)


async def warm(pipeline: Pipeline) -> Pipeline:
    """The pipeline, after some sentences of several lengths."""
    texts = ["患者咳嗽三天，伴发热。" * count for count in (1, 2, 4, 8)]
    await asyncio.gather(*(pipeline.annotate_sentence(Sentence(f"warm#{n}", text)) for n, text in enumerate(texts)))
    return pipeline


async def row(name: str, pipeline: Pipeline, texts: Sequence[Sentence], width: int) -> Row:
    """All sentences, ``width`` at a time."""
    gate = asyncio.Semaphore(width)

    async def one(sentence: Sentence) -> tuple[Entity, ...]:
        async with gate:
            annotation = await pipeline.annotate_sentence(sentence)
        return tuple(annotated.entity for annotated in annotation.entities)

    began = time.perf_counter()
    found = await asyncio.gather(*map(one, texts))
    return Row(name, width, time.perf_counter() - began, tuple(found))


async def measured(
    configuration: Configuration, parts: Sequence[Sequence[Sentence]], options: argparse.Namespace
) -> list[Row]:
    """Every side in every round. Each width has sentences of its own: what is remembered of one would help the next."""
    names = [f"embedded {one}" for one in options.embedded] + [f"served {one}" for one in options.served]
    rows = []
    for turn in range(options.rounds):
        for name in names:
            async with side(name, configuration, options) as pipeline:
                for width, texts in zip(options.at_a_time, parts, strict=True):
                    rows.append(await row(name, pipeline, texts, width))
                    speed = len(texts) / rows[-1].seconds
                    print(f"... round {turn + 1}, {name}, {width} at a time: {speed:.2f} sentences/s", flush=True)
    return rows


def table(rows: Sequence[Row], options: argparse.Namespace) -> None:
    """The best round of each side and width."""
    best: dict[tuple[str, int], Row] = {}
    for one in sorted(rows, key=lambda one: -one.seconds):
        best[one.side, one.at_a_time] = one
    print(f"\n{physical_cores()} cores; {options.limit} sentences a row; best of {options.rounds}; seed {options.seed}")
    print("| | at a time | sentences/s | same |\n|---|---|---|---|")
    for (name, width), one in sorted(best.items(), key=lambda item: (item[0][1], item[0][0])):
        base = best.get(("embedded f32", width))
        same = "" if base is None else sum(a == b for a, b in zip(one.found, base.found, strict=True))
        print(f"| {name} | {width} | {len(one.found) / one.seconds:.2f} | {same} |")


def presets(labels: str) -> Collection[str]:
    """The presets of a label set."""
    plan = shipped_plan(labels)
    return () if plan is None else plan.presets


def main() -> None:
    """Measures all sides, prints the table."""
    options = arguments()
    if options.served and shutil.which(options.vllm) is None:
        print(f"skipped: there is no vLLM at {options.vllm} (make test-vllm makes its environment; or name --vllm)")
        return
    widths = len(options.at_a_time)
    texts = sentences(options.input, options.limit * widths, options.seed, options.longest)
    parts = [texts[number::widths] for number in range(widths)]
    # Without the language model that judges, which no server runs.
    preset = "balanced" if "balanced" in presets(options.labels) else None
    rows = asyncio.run(measured(default_configuration(options.labels, preset=preset), parts, options))
    table(rows, options)


if __name__ == "__main__":
    main()
