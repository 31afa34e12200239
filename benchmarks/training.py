"""How fast a span tagger learns: tokens a second with the frozen layers' products in bf16 and in int8.

Two shapes of tagger: all of the base's layers, the adapter on those from the 8th on, and the first 12 layers, the
adapter from the 2nd on. All ways take the same optimiser steps over the same sentences in one process, by turns in
rounds after one to warm up; medians with the slowest and the fastest round, ratios round by round against bf16 with all
layers. Sentences are those of the sample notes; their entities (drug names and signs found by a list) are few, and time
does not depend on them.

    python benchmarks/training.py
    python benchmarks/training.py --rounds 5 --shapes 24:8 12:2 10:2 --json training.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.local.formats import machine_name
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import MednerError, UserError
from medner.core.labels import LabelSet, load_label_set
from medner.core.records import Document, Entity
from medner.store.corpora import read_documents
from medner.store.models import base_model_folder
from medner.training.loop.batching import batches_by_tokens
from medner.training.loop.optimiser import Masters
from medner.training.loop.settings import Products
from medner.training.model.lora import load_tokenizer
from medner.training.sentences import annotated_sentences
from medner.training.spans.examples import SpanExample, span_example
from medner.training.spans.learner import SpanLearner, span_settings

#: Words of the sample notes that are annotated, so that the loss has something to learn.
WORDS = {
    "sym": ("咳嗽", "发热", "胸痛", "头晕", "腹痛"),
    "dis": ("肺炎", "高血压", "糖尿病"),
    "dru": ("布洛芬", "氨溴索"),
}
PRODUCTS: tuple[Products, ...] = ("bf16", "int8")


@dataclass(frozen=True, slots=True)
class Shape:
    """So many of the base's layers, the adapter on those from ``first`` on, which look both ways."""

    layers: int
    first: int


@dataclass(slots=True)
class Way:
    """A learner with its optimiser, and the tokens a second of its rounds."""

    name: str
    learner: SpanLearner
    masters: Masters
    speeds: list[float] = field(default_factory=list)


def shape(word: str) -> Shape:
    """LAYERS:FIRST; ArgumentTypeError for anything else."""
    layers, _, first = word.partition(":")
    if not (layers.isdecimal() and first.isdecimal() and int(first) < int(layers)):
        raise argparse.ArgumentTypeError(f"{word!r}: give LAYERS:FIRST, for example 12:2, FIRST below LAYERS")
    return Shape(int(layers), int(first))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="catalogue name or folder")
    parser.add_argument("--input", type=Path, default=Path(__file__).parents[1] / "examples" / "notes")
    parser.add_argument("--labels", default=DEFAULT_LABELS)
    parser.add_argument("--shapes", type=shape, nargs="+", default=[Shape(24, 8), Shape(12, 2)], metavar="LAYERS:FIRST")
    parser.add_argument("--products", nargs="+", choices=PRODUCTS, default=list(PRODUCTS))
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (%(default)s)")
    parser.add_argument("--steps", type=int, default=1, help="optimiser steps a round (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's numbers")
    found = parser.parse_args()
    if min(found.rounds, found.steps) < 1:
        parser.error("--rounds and --steps must be at least 1")
    return found


def examples(folder: Path, base: Path, labels: LabelSet) -> list[SpanExample]:
    """The sentences of a folder's notes as training examples. UserError when there are none."""
    tokenizer = load_tokenizer(base)
    vocabulary = Vocabulary(tokenizer, frozenset({tokenizer.eos_token_id}))
    found = [
        span_example(sentence, labels, vocabulary.encode, vocabulary.data)
        for file in sorted(folder.glob("*.txt"))
        for document in read_documents(file)
        for sentence in annotated_sentences(_annotated(document, labels))[0]
    ]
    if not found:
        raise UserError(f"{folder}: no sentences; give a folder of .txt files")
    return found


def _annotated(document: Document, labels: LabelSet) -> Document:
    """A note with the words of the list as entities."""
    entities = {
        Entity(start, start + len(word), label)
        for label, words in WORDS.items()
        if label in labels.codes
        for word in words
        for start in range(len(document.text))
        if document.text.startswith(word, start)
    }
    return Document(document.id, document.text, tuple(sorted(entities)))


def ways(options: argparse.Namespace, base: Path, types: int) -> list[Way]:
    """A learner for every shape and format; says which are left out. UserError when none is left."""
    found = []
    for one in options.shapes:
        for products in options.products:
            name = f"{one.layers} layers from {one.first}, {products}"
            settings = span_settings(layers=one.layers, first_layer=one.first, products=products)
            try:
                learner = SpanLearner(base, settings, types=types)
            except UserError as error:
                print(f"{name}: left out: {error}", flush=True)
                continue
            faster, factor = learner.faster()
            masters = Masters(learner.parameters(), faster=faster, factor=factor, weight_decay=settings.weight_decay)
            found.append(Way(name, learner, masters))
    if not found:
        raise UserError("nothing is left to measure")
    return found


def speed(way: Way, batches: Sequence[Sequence[SpanExample]], rate: float) -> float:
    """Tokens a second of an optimiser step on each batch."""
    began = time.perf_counter()
    tokens = 0
    for batch in batches:
        size = way.learner.size(batch)
        loss = way.learner.loss(batch) / size.divisor
        loss.backward()  # type: ignore[no-untyped-call]
        way.masters.step(rate)
        tokens += size.tokens
    return tokens / (time.perf_counter() - began)


def table(measured: Sequence[Way]) -> None:
    """Prints tokens a second of every way, and how many times those of the first."""
    print(f"{'':32}{'tokens/s':>10}  {'[slowest, fastest]':24}{'times the first':>16}")
    for way in measured:
        ratio = statistics.median(a / b for a, b in zip(way.speeds, measured[0].speeds, strict=True))
        ends = f"[{min(way.speeds):.1f}, {max(way.speeds):.1f}]"
        print(f"{way.name:32}{statistics.median(way.speeds):10.1f}  {ends:24}{ratio:16.2f}")


def main() -> None:
    """Measures all ways and prints the table. UserError when the model is not here or there are no sentences."""
    options = arguments()
    base, labels = base_model_folder(options.model), load_label_set(options.labels)
    settings = span_settings()
    batches = batches_by_tokens(examples(options.input, base, labels), budget=settings.batch_tokens, seed=settings.seed)
    measured = ways(options, base, len(labels.codes))
    threads = torch.get_num_threads()
    print(f"{machine_name()}; {threads} threads; {options.rounds} rounds of {options.steps} steps", flush=True)
    for number in range(options.rounds + 1):
        turn = [batches[(number * options.steps + step) % len(batches)] for step in range(options.steps)]
        first = number % len(measured)
        for way in [*measured[first:], *measured[:first]]:
            tokens_a_second = speed(way, turn, settings.learning_rate)
            if number:
                way.speeds.append(tokens_a_second)
    table(measured)
    if options.json:
        found: dict[str, Any] = {way.name: way.speeds for way in measured}
        facts = {"machine": machine_name(), "threads": threads, "steps": options.steps, "tokens_a_second": found}
        options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except MednerError as failure:
        sys.exit(f"training.py: {failure}")
