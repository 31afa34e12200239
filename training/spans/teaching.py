"""A teacher's soft labels for annotated texts: what one or several trained span taggers think of every stretch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.taggers.spans.settings import SpanSettings, read_settings
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.training.nesting import Pairs
from medner.training.spans.examples import SpanExample, span_example
from medner.training.spans.learner import SpanLearner, span_settings
from medner.training.spans.soft_labels import SoftCells, mixed

#: So many sentences are scored before their labels are made: scores of all of them would fill the memory.
CHUNK = 512


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained span tagger that scores examples."""

    learner: SpanLearner
    settings: SpanSettings

    def logits(self, examples: Sequence[SpanExample], *, budget: int) -> list[torch.Tensor]:
        """The calibrated scores [types, C, C] of each example."""
        return [scores / self.settings.temperature for scores in self.learner.scores_of(examples, budget=budget)]


def load_teacher(base: Path, folder: Path, labels: LabelSet) -> Teacher:
    """The span tagger of a folder. UserError when it has other types or does not fit the base."""
    settings = read_settings(folder)
    if settings.types != labels.codes:
        raise UserError(f"{folder}: this span tagger knows the types {', '.join(settings.types)}, not {labels.name!r}")
    try:
        adapter = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        rank, alpha = int(adapter["r"]), int(adapter["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}: its adapter_config.json cannot be read ({error})") from error
    chosen = span_settings(rank=rank, alpha=alpha, first_layer=settings.two_way_from, layers=settings.layers)
    return Teacher(SpanLearner(base, chosen, types=len(labels.codes), start=folder), settings)


def taught(  # noqa: PLR0913  whose labels, for what, in which mixture
    teachers: Sequence[Teacher],
    sentences: Sequence[tuple[Document, Pairs]],
    vocabulary: Vocabulary,
    labels: LabelSet,
    *,
    weight: float,
    least: float,
    budget: int = 8_192,
) -> Iterator[tuple[str, SoftCells]]:
    """Soft labels of annotated sentences: their annotation with ``weight``, the teachers' mean with the rest.

    With each sentence come the pairs of types whose nested entities its annotation may lack. Teachers are averaged by
    their calibrated logits. ``budget`` is how many padded tokens a pass takes.
    """
    for first in range(0, len(sentences), CHUNK):
        chunk = sentences[first : first + CHUNK]
        total: list[torch.Tensor] | None = None
        for teacher in teachers:
            split = frozenset(teacher.settings.split_tokens)
            examples = [
                span_example(sentence, labels, vocabulary.encode, vocabulary.data, missing=missing, split=split)
                for sentence, missing in chunk
            ]
            logits = teacher.logits(examples, budget=budget)
            total = logits if total is None else [a + b for a, b in zip(total, logits, strict=True)]
        for (sentence, _), example, logits_YCC in zip(chunk, examples, total or [], strict=True):
            yield sentence.text, mixed(example, logits_YCC / len(teachers), weight=weight, least=least)
