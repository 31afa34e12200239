"""How fast a strategy decodes, in each number format, beside transformers' generate and one pass over the answer.

All ways run the same sentences in one process. First draft-and-verify, one sentence at a time and several, in int8,
bf16 and f32, by turns. Then, in one of these formats, token by token under the constraint, and transformers' generate;
the floor is one teacher-forced pass over prompt and final answer, by transformers and by our packed kernels. Ratios are
against draft-and-verify with the same number of sentences at a time, so that a slow machine cancels out.

    python benchmarks/decoding.py                                # the shipped symbol tagger on the sample notes
    python benchmarks/decoding.py --adapter ADAPTER --input test.json --limit 24 --format bf16 --rounds 3
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.engine import Request
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.formats import DTYPES, Format, machine_name, measured_formats
from medner.agents.engines.local.loading import quiet
from medner.agents.engines.local.model import LocalModel
from medner.agents.engines.local.packed import RowSegment
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies import CODECS
from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import MednerError, UserError
from medner.core.labels import LabelSet, load_label_set
from medner.core.sentences import split_sentences
from medner.service.config.default import tuned_taggers
from medner.store.corpora import read_documents
from medner.store.models import base_model_folder
from medner.training.model.lora import quiet_peft


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to decode, over all sentences."""

    name: str
    seconds: float
    passes: float
    tokens: int
    answers: tuple[str, ...]


FORMATS: tuple[Format, ...] = ("int8", "bf16", "f32")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="catalogue name or folder")
    parser.add_argument("--adapter", type=Path, help="a tuned symbol adapter; default: the one that ships")
    parser.add_argument("--input", type=Path, nargs="+", default=[Path("examples/notes")], help="corpus or notes")
    parser.add_argument("--labels", default=DEFAULT_LABELS)
    parser.add_argument("--limit", type=int, default=6, help="how many sentences, drawn with --seed (%(default)s)")
    parser.add_argument("--rows", type=int, default=8, help="the batch of the batched ways")
    parser.add_argument("--rounds", type=int, default=1, help="rounds of the formats; medians are told")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--format", choices=FORMATS, help="of the other ways; default: the fastest of bf16 and f32")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip-generate", action="store_true", help="leave the slowest way out")
    return parser.parse_args()


def shipped_adapter(labels: str, model: str) -> Path | None:
    """The adapter of the symbol tagger that ships; None where none does, and then the answers are noise."""
    return next((tagger.folder for tagger in tuned_taggers(labels, model) if tagger.strategy == "symbol"), None)


def sentences(paths: Sequence[Path], limit: int, seed: int) -> list[str]:
    """Some sentences of the input, drawn at random."""
    files = [file for path in paths for file in (sorted(path.glob("*.txt")) if path.is_dir() else [path])]
    texts = [s.text for file in files for document in read_documents(file) for s in split_sentences(document)]
    return random.Random(seed).sample(texts, min(limit, len(texts)))  # noqa: S311  a draw, no secret


async def through_engine(name: str, engine: LocalEngine, requests: Sequence[Request], width: int) -> Measured:
    """All requests through an engine, ``width`` at a time."""
    gate = asyncio.Semaphore(width)

    async def one(request: Request) -> Any:
        async with gate:
            return await engine.complete(request)

    before = engine.passes
    began = time.perf_counter()
    done = await asyncio.gather(*(one(request) for request in requests))
    seconds = time.perf_counter() - began
    passes = engine.passes - before
    await engine.close()
    return Measured(name, seconds, passes, sum(c.cost.answer_tokens for c in done), tuple(c.text for c in done))


def plain_model(folder: Path, adapter: Path | None, number_format: Format) -> Any:
    """The same weights as transformers and PEFT run them."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    with quiet(), quiet_peft():
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[number_format]).eval()
        return PeftModel.from_pretrained(model, adapter, autocast_adapter_dtype=False).eval() if adapter else model


@torch.inference_mode()
def generate(plain: Any, tokenizer: Any, prompts: Sequence[list[int]], cap: int) -> Measured:
    """The paper's way: transformers' generate, greedy, one sentence after another, nothing held to the sentence."""
    answers, tokens = [], 0
    began = time.perf_counter()
    for prompt in prompts:
        ids = torch.tensor([prompt])
        out = plain.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=cap, do_sample=False)[
            0, len(prompt) :
        ]
        tokens += len(out)
        answers.append(tokenizer.decode(out, skip_special_tokens=True))
    return Measured("transformers generate", time.perf_counter() - began, tokens, tokens, tuple(answers))


@torch.inference_mode()
def plain_floor(plain: Any, rows: Sequence[list[int]], width: int) -> Measured:
    """One teacher-forced pass of transformers over prompt and answer, ``width`` sentences at a time, padded."""
    ordered = sorted(rows, key=len)
    began = time.perf_counter()
    passes = 0
    for at in range(0, len(ordered), width):
        group = ordered[at : at + width]
        longest = max(map(len, group))
        plain(input_ids=torch.tensor([row + [0] * (longest - len(row)) for row in group]), use_cache=False)
        passes += 1
    return Measured(f"one pass, transformers, {width} at a time", time.perf_counter() - began, passes, 0, ())


def packed_floor(model: LocalModel, rows: Sequence[list[int]], adapter: str | None, width: int) -> Measured:
    """One teacher-forced pass of ours over prompt and answer, without even asking for tokens."""
    ordered = sorted(rows, key=len)
    began = time.perf_counter()
    passes = 0
    for at in range(0, len(ordered), width):
        group = ordered[at : at + width]
        segments = [RowSegment(model.new_cache(len(row)), 0, len(row), adapter) for row in group]
        model.hidden([token for row in group for token in row], segments)
        passes += 1
    return Measured(f"one pass, ours, {width} at a time", time.perf_counter() - began, passes, 0, ())


def show(measured: Sequence[Measured], ours: Measured, count: int) -> None:
    """A table; the last column is each way's time over that of ``ours``."""
    print(f"{'':42}{'s/sentence':>12}{'passes':>10}{'tokens':>10}{'times':>12}")
    for one in measured:
        print(
            f"{one.name:42}{one.seconds / count:12.3f}{one.passes / count:10.1f}{one.tokens / count:10.1f}"
            f"{one.seconds / ours.seconds:12.2f}"
        )


async def formats_by_turns(
    models: Mapping[Format, LocalModel], requests: Sequence[Request], rows: int, rounds: int
) -> dict[int, list[Measured]]:
    """Draft-and-verify in every format, by number of sentences at a time; medians over the rounds."""
    runs: dict[tuple[int, Format], list[Measured]] = {}
    for model in models.values():
        await through_engine("warm-up", LocalEngine(model), requests[:2], 1)
    for _ in range(rounds):
        for name, model in models.items():
            for width in (1, rows):
                engine = LocalEngine(model, max_rows=width)
                run = await through_engine(f"draft-and-verify, {name}, {width} at a time", engine, requests, width)
                runs.setdefault((width, name), []).append(run)
    return {
        width: [
            replace(runs[width, name][-1], seconds=statistics.median(run.seconds for run in runs[width, name]))
            for name in models
        ]
        for width in (1, rows)
    }


def requests_of(texts: Sequence[str], labels: LabelSet, adapter: str | None) -> list[Request]:
    """What a symbol tagger asks about each text."""
    codec = CODECS["symbol"]
    return [
        Request(tuple(tagger_messages("brief", codec, labels, text)), codec.graph(text, labels), adapter, 1_024)
        for text in texts
    ]


def loaded_models(folder: Path, adapter: Path | None, formats: Sequence[Format]) -> dict[Format, LocalModel]:
    """The model in each format that this machine computes; says which are left out. UserError when none is left."""
    models: dict[Format, LocalModel] = {}
    for name in formats:
        try:
            models[name] = LocalModel(folder, {"tuned": adapter} if adapter else {}, format=name)
        except UserError as error:
            print(f"{name}: left out: {error}")
    if not models:
        raise UserError("no format is left to measure")
    return models


async def main() -> None:
    """Measures all ways and prints the tables. UserError when the model is not here or the input cannot be read."""
    given = arguments()
    folder, path = base_model_folder(given.model), given.adapter or shipped_adapter(given.labels, given.model)
    adapter = "tuned" if path else None
    texts = sentences(given.input, given.limit, given.seed)
    if not texts:
        raise UserError(f"{', '.join(map(str, given.input))}: no sentences; give a corpus file or a folder of .txt")
    requests = requests_of(texts, load_label_set(given.labels), adapter)
    chosen: Format = given.format or next(name for name in measured_formats().order if name != "int8")
    models = loaded_models(folder, path, list(dict.fromkeys([*given.formats, chosen])))
    print(
        f"{len(texts)} sentences, {sum(map(len, texts)) / len(texts):.0f} characters on average; {machine_name()}; "
        f"{torch.get_num_threads()} threads; adapter: {path.name if path else 'none'}; {given.rounds} rounds; times: "
        f"against draft-and-verify in {chosen}"
    )
    drafting = await formats_by_turns(models, requests, given.rows, given.rounds)
    place = list(models).index(chosen)
    ours, batched = drafting[1][place], drafting[given.rows][place]
    prompts = [models[chosen].prompt(request.messages)[0] for request in requests]
    plain = plain_model(folder, path, chosen)
    slower = [] if given.skip_generate else [generate(plain, models[chosen].tokenizer, prompts, 1_024)]
    engine = LocalEngine(models[chosen], max_rows=1, drafting=False)
    slower.append(await through_engine(f"token by token, {chosen}", engine, requests, 1))
    encode = models[chosen].vocabulary.encode
    full = [prompt + encode(answer) for prompt, answer in zip(prompts, ours.answers, strict=True)]
    floors = {
        width: [plain_floor(plain, full, width), packed_floor(models[chosen], full, adapter, width)]
        for width in drafting
    }
    show([*slower, *drafting[1], *floors[1]], ours, len(texts))
    show([*drafting[given.rows], *floors[given.rows]], batched, len(texts))
    for other in (*slower, *drafting[1], *drafting[given.rows]):
        if other is not ours:
            same = sum(a == b for a, b in zip(ours.answers, other.answers, strict=True))
            print(f"same answer as {ours.name}: {other.name}: {same} of {len(texts)}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except MednerError as failure:
        sys.exit(f"decoding.py: {failure}")
