"""Soft labels: probabilities of entities in sentences, from which a smaller span tagger learns (distillation).

After Hinton et al., "Distilling the Knowledge in a Neural Network" (2015). A line a sentence::

    {"text": "...", "entities": [{"start": 0, "end": 2, "label": "sym", "probability": 0.93}, ...]}

Stretches that are not listed are certainly no entities.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from medner.core.errors import BadInputError
from medner.core.files.atomic import replacing_file
from medner.core.labels import LabelSet
from medner.training.spans.examples import Cell, SpanExample


@dataclass(frozen=True, slots=True)
class SoftCells:
    """What is known of a sentence: cells, and how probable each is as an entity."""

    cells: tuple[Cell, ...]
    probabilities: tuple[float, ...]

    def of(self, example: SpanExample) -> SpanExample:
        """The example with these labels in place of its own."""
        return SpanExample(example.aligned, self.cells, (), self.probabilities)


def mixed(example: SpanExample, scores_YCC: torch.Tensor, *, weight: float, least: float) -> SoftCells:
    """The annotation with ``weight``, and a teacher's calibrated scores with the rest.

    Where the annotation knows nothing, the teacher alone counts. Probabilities below ``least`` are left out.
    """
    probable_YCC = torch.triu(scores_YCC.sigmoid())
    soft_YCC = probable_YCC * (1 - weight)
    for start, last, number in example.unknown:
        inside = (number, slice(start, last + 1), slice(start, last + 1))
        soft_YCC[inside] = probable_YCC[inside]
    for start, last, number in example.gold:
        soft_YCC[number, start, last] = weight + (1 - weight) * probable_YCC[number, start, last]
    cells = (soft_YCC >= least).nonzero()
    values = soft_YCC[tuple(cells.T)].tolist()
    return SoftCells(
        tuple((start, last, number) for number, start, last in cells.tolist()),
        tuple(round(value, 4) for value in values),
    )


def write_soft_labels(path: Path, sentences: Iterable[tuple[str, SoftCells]], labels: LabelSet) -> int:
    """Writes the file whole or not at all; returns how many sentences it holds."""
    written = 0
    with replacing_file(path) as out:
        for text, soft in sentences:
            listed = zip(soft.cells, soft.probabilities, strict=True)
            entities = [
                {"start": start, "end": last + 1, "label": labels.codes[number], "probability": probability}
                for (start, last, number), probability in listed
            ]
            out.write(json.dumps({"text": text, "entities": entities}, ensure_ascii=False) + "\n")
            written += 1
    return written


def read_soft_labels(paths: Sequence[Path], labels: LabelSet) -> dict[str, SoftCells]:
    """The soft labels of some files by the sentence's text. BadInputError names the file and line that are wrong."""
    found: dict[str, SoftCells] = {}
    for path in paths:
        found.update(_read(path, labels))
    return found


def _read(path: Path, labels: LabelSet) -> Iterator[tuple[str, SoftCells]]:
    number = {code: place for place, code in enumerate(labels.codes)}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"cannot be read as soft labels: {error}", path=path) from error
    for place, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            text = record["text"]
            entities = [_entity(text, entity, number) for entity in record["entities"]]
        except (ValueError, KeyError, TypeError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else error
            raise BadInputError(
                f"is no line of soft labels ({reason}); `medner train soft-labels` writes them", path=path, line=place
            ) from error
        yield text, SoftCells(tuple(cell for cell, _ in entities), tuple(value for _, value in entities))


def _entity(text: str, entity: Mapping[str, Any], number: Mapping[str, int]) -> tuple[Cell, float]:
    start, end, label, probability = (entity[key] for key in ("start", "end", "label", "probability"))
    if label not in number:
        raise ValueError(f"the label set has no type {label!r}")
    if not (0 <= start < end <= len(text) and 0 < probability <= 1):
        raise ValueError(f"{start} to {end} with probability {probability} does not fit its text")
    return (start, end - 1, number[label]), float(probability)
