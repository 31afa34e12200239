"""How fast the symbol strategy decodes: transformers' generate, token by token under the constraint, draft-and-verify.

All ways run the same sentences with the same weights in one process; the floor is one teacher-forced pass over
prompt and final answer, by transformers and by our packed kernels. Ratios are against draft-and-verify with the same
number of sentences at a time, so that a slow machine cancels out.

    python benchmarks/decoding.py --model qwen2.5-coder-0.5b-instruct --adapter models/... --input test.json --limit 24
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.engine import Request
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel, pick_dtype
from medner.agents.engines.local.packed import Segment
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies import CODECS
from medner.store.corpora import read_documents
from medner.store.labels import load_label_set
from medner.store.models import base_model_folder
from medner.store.sentences import split_sentences


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to decode, over all sentences."""

    name: str
    seconds: float
    passes: float
    tokens: int
    answers: tuple[str, ...]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct", help="catalogue name or folder")
    parser.add_argument("--adapter", type=Path, help="a tuned symbol adapter; without one the answers are noise")
    parser.add_argument("--input", type=Path, nargs="+", default=[Path("examples/notes")], help="corpus or notes")
    parser.add_argument("--labels", default="cmeee-v2")
    parser.add_argument("--limit", type=int, default=24, help="how many sentences, drawn with --seed")
    parser.add_argument("--rows", type=int, default=8, help="the batch of the batched ways")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip-generate", action="store_true", help="leave the slowest way out")
    return parser.parse_args()


def model_folder(name: str) -> Path:
    """A folder as it is, or a pulled model by its name."""
    return base_model_folder(name)


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


def plain_model(folder: Path, adapter: Path | None) -> Any:
    """The same weights as transformers and PEFT run them."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=pick_dtype(torch.device("cpu"))).eval()
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
        segments = [Segment(model.new_cache(len(row)), 0, len(row), adapter) for row in group]
        model.hidden([token for row in group for token in row], segments)
        passes += 1
    return Measured(f"one pass, ours, {width} at a time", time.perf_counter() - began, passes, 0, ())


def show(measured: Sequence[Measured], ours: Measured, count: int) -> None:
    """A table; the last column is each way's time over ours."""
    print(f"{'':42}{'s/sentence':>12}{'passes':>10}{'tokens':>10}{'times ours':>12}")
    for one in measured:
        print(
            f"{one.name:42}{one.seconds / count:12.3f}{one.passes / count:10.1f}{one.tokens / count:10.1f}"
            f"{one.seconds / ours.seconds:12.2f}"
        )


async def main() -> None:
    """Measures all ways and prints the table."""
    given = arguments()
    labels, codec = load_label_set(given.labels), CODECS["symbol"]
    model = LocalModel(model_folder(given.model), {"tuned": given.adapter} if given.adapter else {})
    adapter = "tuned" if given.adapter else None
    texts = sentences(given.input, given.limit, given.seed)
    requests = [
        Request(tuple(tagger_messages("brief", codec, labels, text)), codec.graph(text, labels), adapter, 1_024)
        for text in texts
    ]
    prompts = [model.prompt(request.messages)[0] for request in requests]
    print(
        f"{len(texts)} sentences, {sum(map(len, texts)) / len(texts):.0f} characters on average; "
        f"{torch.get_num_threads()} threads, {model.dtype}, adapter: {given.adapter or 'none'}"
    )
    await through_engine("warm-up", LocalEngine(model), requests[:2], 1)
    ours = await through_engine("draft-and-verify, 1 at a time", LocalEngine(model, max_rows=1), requests, 1)
    batched = await through_engine(
        f"draft-and-verify, {given.rows} at a time", LocalEngine(model, max_rows=given.rows), requests, given.rows
    )
    stepwise = await through_engine(
        "token by token, constrained", LocalEngine(model, max_rows=1, drafting=False), requests, 1
    )
    full = [prompt + model.vocabulary.encode(answer) for prompt, answer in zip(prompts, ours.answers, strict=True)]
    plain = plain_model(model_folder(given.model), given.adapter)
    single = [stepwise, ours, plain_floor(plain, full, 1), packed_floor(model, full, adapter, 1)]
    several = [batched, plain_floor(plain, full, given.rows), packed_floor(model, full, adapter, given.rows)]
    if not given.skip_generate:
        single.insert(0, generate(plain, model.tokenizer, prompts, 1_024))
    show(single, ours, len(texts))
    show(several, batched, len(texts))
    for other in (*single[:-3], batched):
        same = sum(a == b for a, b in zip(ours.answers, other.answers, strict=True))
        print(f"same answer as draft-and-verify: {other.name}: {same} of {len(texts)}")


if __name__ == "__main__":
    asyncio.run(main())
