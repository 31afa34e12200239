"""What `make test-gpu` does: load, tag, judge, train; each step measured. On whatever device models are put."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import medner
from medner.core.errors import ExternalError
from medner.core.memory import in_gb

#: Examples of the training, two a step.
STEPS = 50


@dataclass(frozen=True)
class Order:
    """What is tried: a base model, taggers that disagree, a judge of that base, how the base is quantised to train."""

    base: str
    taggers: str
    judge: str
    dtype: str = "auto"
    quantise: str = "nf4"
    rank: int = 16
    settings: tuple[str, ...] = ()
    texts: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Step:
    """A step that worked: its seconds, and what it did in numbers."""

    name: str
    seconds: float
    done: str

    def line(self) -> str:
        """For the terminal."""
        return f"{self.name:<6} {self.seconds:7.1f} s  {self.done}"


def steps(order: Order, work: Path) -> Iterator[Step]:
    """Each step as soon as it is done; one that fails raises."""
    began = time.perf_counter()
    with medner.load(
        "cmeee-v2", model=order.base, taggers=order.taggers, judge=order.judge, filter="off", dtype=order.dtype
    ) as nlp:
        nlp.annotate("患者发热。")
        yield Step("load", time.perf_counter() - began, f"{device()}, {memory()}")
        yield from _annotated(nlp, order.texts)
    yield _trained(order, work)


def _annotated(nlp: medner.Annotator, texts: Sequence[str]) -> Iterator[Step]:
    began = time.perf_counter()
    documents = list(nlp.pipe(texts))
    seconds = time.perf_counter() - began
    characters, entities = sum(map(len, texts)), sum(len(one.entities) for one in documents)
    speed = f"{characters / seconds:,.0f} characters a second"
    yield Step("tag", seconds, f"{entities} entities in {characters:,} characters, {speed}")
    conflicts = [conflict for one in documents for conflict in one.conflicts]
    judged = [one for one in conflicts if one.fallback is None]
    if not judged:
        raise ExternalError(f"the judge decided none of {len(conflicts)} conflicts")
    began = time.perf_counter()
    again = list(nlp.pipe(texts))
    if [one.entities for one in again] != [one.entities for one in documents]:
        raise ExternalError("the same texts gave other entities the second time")
    yield Step(
        "judge",
        time.perf_counter() - began,
        f"{len(judged)} of {len(conflicts)} conflicts decided by {judged[0].judge}; the second run equal to the first",
    )


def _trained(order: Order, work: Path) -> Step:
    """A tagger trained as a user does it, in a process of its own: the first one's memory is free again."""
    corpus = work / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in _corpus()), encoding="utf-8")
    options = ["--base", order.base, "--quantise", order.quantise, "--rank", str(order.rank), *order.settings]
    options += ["--batch-examples", "2", "--batches-per-step", "1", "--epochs", "1", "--data-note", "made up"]
    out = work / "run"
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603  ours
        [sys.executable, "-m", "medner.service.cli", "train", "tagger", corpus, "-o", out, *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    if done.returncode:
        raise ExternalError(f"medner train tagger ended with {done.returncode}:\n{done.stderr[-2_000:]}")
    seconds = time.perf_counter() - began
    curve = [json.loads(line) for line in (out / "loss.jsonl").read_text(encoding="utf-8").splitlines()]
    first, last = (sum(one["loss"] for one in part) / len(part) for part in (curve[:10], curve[-10:]))
    if len(curve) != STEPS or not last < first:
        raise ExternalError(f"{len(curve)} of {STEPS} steps, loss {first:.3f} to {last:.3f}: it should fall")
    speed = curve[-1]["tokens"] / curve[-1]["seconds"]
    told = f"{STEPS} steps in {order.quantise}, loss {first:.3f} to {last:.3f}, {speed:,.0f} tokens a second"
    return Step("train", seconds, told)


def _corpus() -> Iterator[dict[str, object]]:
    for number in range(2 * STEPS):
        text = f"患者{number + 10}天前出现咳嗽、咽部充血。"
        marks = [(text.find(word), text.find(word) + len(word)) for word in ("咳嗽", "咽部充血")]
        yield {
            "id": str(number),
            "text": text,
            "entities": [{"start": start, "end": end, "label": "sym"} for start, end in marks],
        }


def device() -> str:
    """Where models are put, in words."""
    import torch

    from medner.agents.engines.local.formats import pick_device

    chosen = pick_device()
    return torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else "processor"


def memory() -> str:
    """The most that models took, of a GPU."""
    import torch

    return f"{in_gb(torch.cuda.max_memory_allocated())} at most" if torch.cuda.is_available() else "no GPU memory"
