"""Trains a filter of each kind: data in, a folder with weights and card out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medner.store.labels import LabelSet
from medner.training.filters.calibration import Calibration, calibrated
from medner.training.filters.data import FilterData
from medner.training.filters.loop import Progress, Run
from medner.training.filters.negatives import Judged
from medner.training.settings import TaggerTraining


@dataclass(frozen=True, slots=True)
class Order:
    """What to train on what: ``base`` is a model's folder, ``run`` the run folder."""

    base: Path
    run: Path
    labels: LabelSet
    settings: TaggerTraining


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained filter: its folder, how it did on what was held back, the samples it saw, seconds."""

    folder: Path
    calibration: Calibration
    samples: int
    seconds: float


OnStep = Callable[[Progress], None]


def train_classifier(order: Order, data: FilterData, on_step: OnStep) -> Trained:
    """LLM-CLS."""
    from transformers import AutoTokenizer  # noqa: PLC0415  heavy

    from medner.agents.engines.local.vocabulary import Vocabulary  # noqa: PLC0415  needs torch
    from medner.training.filters.classifier import Classifier  # noqa: PLC0415  needs torch
    from medner.training.filters.packing import packed_rows, row_batches  # noqa: PLC0415  needs torch

    settings = order.settings
    tokenizer: Any = AutoTokenizer.from_pretrained(order.base, local_files_only=True)
    tokens = Vocabulary(tokenizer, frozenset()).encode
    rows = packed_rows(tokens, data.train, order.labels)
    classifier = Classifier(order.base, settings)
    run = Run(
        classifier,
        lambda epoch: row_batches(rows, budget=settings.batch_tokens, seed=settings.seed + epoch),
        order.run,
        settings,
        task=task("llm-cls", data, order.labels),
    )
    run.train(on_step)
    # Rows come in the order of their sentences, so the truth is read off them too.
    held = packed_rows(tokens, data.held.candidates, order.labels)
    right = [target > 0.5 for row in held for target in row.targets]
    calibration = calibrated(classifier.score(held), right, gold=data.held.gold)
    return Trained(run.output, calibration, run.samples, run.seconds)


def task(kind: str, data: FilterData, labels: LabelSet) -> Mapping[str, Any]:
    """What two parts of one run must have in common."""
    return {"kind": kind, "labels": labels.name, "samples": _digest(data.train)}


def _digest(judged: Sequence[Judged]) -> str:
    digest = hashlib.sha256()
    for one in judged:
        digest.update(repr((one.sentence, one.entity, one.right)).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


TRAINERS: dict[str, Callable[[Order, FilterData, OnStep], Trained]] = {"llm-cls": train_classifier}
