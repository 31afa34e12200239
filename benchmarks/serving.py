"""How fast vLLM servers tag: the client the paper's authors published beside medner's, with and without drafts.

One server at a time, the same weights, the same sentences in each row:

- naive: one request after another, nothing held to the sentence (needs a server without speculation);
- medner: constrained by grammar, at several numbers of sentences at a time, with no speculation, vLLM's n-grams, and
  the copy proposer; with the adapter on the base, and with ``--merged`` also with the adapter merged into it.

Passes are the steps of vLLM's engine, drafted and accepted tokens its counters. Ratios are against the naive client of
the same run, so that a slow machine cancels out. Servers are started with ``--vllm``'s Python and stopped.

    medner export models/cmeee-v2/symbol -o exports/symbol
    python benchmarks/serving.py --vllm .venv-vllm/bin/python --input test.json --limit 32 --merged exports/symbol
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from medner.agents.strategies import CODECS
from medner.agents.taggers.tagger import GenerativeTagger
from medner.core.labels import load_label_set
from medner.core.records import Sentence, TaggerOutput
from medner.core.sentences import split_sentences
from medner.service.build.cpu_cores import physical_cores
from medner.service.build.engines import model_folder
from medner.service.build.pipeline import adapter_names
from medner.service.build.vllm_engine import vllm_engine
from medner.service.config.configuration import Configuration
from medner.service.config.engine import ServerConfig, VllmEngineConfig
from medner.service.config.judges import HardVoteConfig
from medner.service.config.options import Overrides, configured
from medner.service.config.taggers import WritingTaggerConfig
from medner.service.vllm_servers.command import serve_commands
from medner.service.vllm_servers.plan import Plan, Speculation
from medner.service.vllm_servers.running import serving
from medner.store.corpora import read_documents

_COUNTED = {
    "tokens": "vllm:generation_tokens_total",
    "passes": "vllm:iteration_tokens_total_count",
    "drafted": "vllm:spec_decode_num_draft_tokens_total",
    "accepted": "vllm:spec_decode_num_accepted_tokens_total",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One row: seconds and counts over all sentences, and the answers."""

    name: str
    at_a_time: int
    seconds: float
    counts: dict[str, float]
    answers: tuple[str, ...]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vllm", default=".venv-vllm/bin/python", help="the Python of vLLM's environment")
    parser.add_argument("--tagger", default="symbol", help="a tuned tagger that ships, or an adapter's folder")
    parser.add_argument("--merged", type=Path, help="the same adapter as medner export merged it")
    parser.add_argument("--input", type=Path, nargs="+", default=[Path("examples/notes")], help="corpus or notes")
    parser.add_argument("--limit", type=int, default=32, help="how many sentences, drawn with --seed")
    parser.add_argument("--longest", type=int, default=256, help="only sentences of at most so many characters")
    parser.add_argument("--naive", type=int, default=12, help="how many of them the naive client gets")
    parser.add_argument("--at-a-time", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--speculation", nargs="+", default=["off", "ngram", "copy"], help="off, ngram, copy")
    parser.add_argument("--drafts", type=int, default=12, help="tokens drafted a pass, at most")
    parser.add_argument("--port", type=int, default=8391)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def sentences(paths: Sequence[Path], limit: int, seed: int, longest: int) -> list[Sentence]:
    """Some sentences of the input of at most ``longest`` characters, drawn at random."""
    files = [file for path in paths for file in (sorted(path.glob("*.txt")) if path.is_dir() else [path])]
    every = [s for file in files for document in read_documents(file) for s in split_sentences(document)]
    found = [s for s in every if len(s.text) <= longest]
    return random.Random(seed).sample(found, min(limit, len(found)))  # noqa: S311  a draw, no secret


def counters(url: str) -> dict[str, float]:
    """What vLLM has counted so far; 0 where it counts nothing."""
    told = httpx.get(f"{url}/metrics", timeout=30, trust_env=False).text
    found = {}
    for key, name in _COUNTED.items():
        lines = re.findall(rf"^{re.escape(name)}\{{[^}}]*\}} (\S+)$", told, re.MULTILINE)
        found[key] = sum(map(float, lines))
    return found


async def measured(name: str, tagger: GenerativeTagger, texts: Sequence[Sentence], width: int, url: str) -> Measured:
    """All sentences through a tagger, ``width`` at a time."""
    gate = asyncio.Semaphore(width)

    async def one(sentence: Sentence) -> TaggerOutput:
        async with gate:
            return await tagger.tag(sentence)

    before = counters(url)
    began = time.perf_counter()
    outputs = await asyncio.gather(*map(one, texts))
    seconds = time.perf_counter() - began
    after = counters(url)
    counts = {key: after[key] - before[key] for key in after}
    return Measured(name, width, seconds, counts, tuple(output.answer for output in outputs))


def on(configuration: Configuration, url: str) -> Configuration:
    """The configuration on a server."""
    engine = VllmEngineConfig(servers=(ServerConfig(url=url),), timeout_s=900)
    return Configuration.model_validate({**configuration.model_dump(), "engine": engine.model_dump()})


async def rows_of(
    kind: str, configuration: Configuration, url: str, texts: Sequence[Sentence], options: argparse.Namespace
) -> list[Measured]:
    """The rows of one server."""
    served = on(configuration, url)
    engine = await vllm_engine(served, adapter_names(served))
    (tagger,) = served.taggers
    assert isinstance(tagger, WritingTaggerConfig)
    labels = load_label_set(served.labels)

    def made(*, constrained: bool) -> GenerativeTagger:
        return GenerativeTagger(
            name=tagger.name,
            engine=engine,
            codec=CODECS[tagger.strategy],
            labels=labels,
            style=tagger.style,
            adapter=None if tagger.adapter is None else adapter_names(served)[tagger.adapter],
            constrained=constrained,
        )

    try:
        # What a server does once (grammar compiler, kernels), no row should pay for.
        await measured("", made(constrained=True), [Sentence("warm", "患者咳嗽三天，伴发热。")] * 2, 2, url)
        rows = []
        if kind.startswith("off"):
            naive = texts[: options.naive]
            rows.append(show(await measured(f"naive{kind[3:]}", made(constrained=False), naive, 1, url)))
        for width in options.at_a_time:
            # At one at a time, as many as the naive client gets: the same sentences, and less to wait for.
            part = texts[: options.naive] if width == 1 else texts
            rows.append(show(await measured(f"medner, {kind}", made(constrained=True), part, width, url)))
        return rows
    finally:
        with suppress(Exception):
            await engine.close()


def main() -> None:
    """Runs every server, prints the table."""
    options = arguments()
    if shutil.which(options.vllm) is None:
        print(f"skipped: there is no vLLM at {options.vllm} (make test-vllm makes its environment; or name --vllm)")
        return
    texts = sentences(options.input, options.limit, options.seed, options.longest)
    tuned = configured(Overrides(taggers=options.tagger, filter="off")).model_copy(update={"judge": HardVoteConfig()})
    (tagger,) = tuned.taggers
    if not isinstance(tagger, WritingTaggerConfig):
        print(f"--tagger: {tagger.name} writes no answer, and no server runs it; name one that does, like symbol")
        return
    ways = [("", tuned)]
    if options.merged is not None:
        merged = WritingTaggerConfig(name="merged", strategy=tagger.strategy, style=tagger.style)
        ways.append((", merged", tuned.model_copy(update={"model": str(options.merged), "taggers": (merged,)})))
    rows: list[Measured] = []
    for suffix, configuration in ways:
        for speculation in map(Speculation, options.speculation):
            plan = Plan(
                port=options.port,
                python=options.vllm,
                speculation=speculation,
                threads=physical_cores(),
                drafts=options.drafts,
            )
            (command,) = serve_commands(configuration, model_folder(configuration), plan)
            with tempfile.TemporaryDirectory() as logs, serving([command], Path(logs), patience_s=300):
                kind = f"{speculation.value}{suffix}"
                rows += asyncio.run(rows_of(kind, configuration, command.url, texts, options))
    table(rows, len(texts), options)


def show(row: Measured) -> Measured:
    """Says that a row is done."""
    print(f"... {row.name}, {row.at_a_time} at a time: {row.seconds:.1f} s, {len(row.answers)} sentences", flush=True)
    return row


def table(rows: Sequence[Measured], count: int, options: argparse.Namespace) -> None:
    """Prints each row a sentence, against the naive client's first row and against medner without drafts."""
    naive = next((row for row in rows if row.name == "naive"), None)
    of = f"{count} sentences of at most {options.longest} characters, {options.naive} of them one at a time"
    print(f"\n{of}; {physical_cores()} cores; seed {options.seed}")
    heads = ["", "at a time", "sentences/s", "times naive", "answer tokens", "passes", "drafted", "accepted", "same"]
    print(f"| {' | '.join(heads)} |   (tokens and passes a sentence; same: answers equal to those without drafts)")
    print("|---|---|---|---|---|---|---|---|---|")
    plain = next((row for row in rows if row.name == "medner, off" and row.at_a_time > 1), None)
    for row in rows:
        n = len(row.answers)
        speed = n / row.seconds
        times = "" if naive is None else f"{speed / (len(naive.answers) / naive.seconds):.1f}"
        counted = [f"{row.counts[key] / n:.1f}" for key in ("tokens", "passes", "drafted", "accepted")]
        same = ""
        if plain is not None:
            equal = sum(one == other for one, other in zip(row.answers, plain.answers, strict=False))
            same = f"{equal} of {n}"
        print(f"| {row.name} | {row.at_a_time} | {speed:.2f} | {times} | {' | '.join(counted)} | {same} |")


if __name__ == "__main__":
    main()
