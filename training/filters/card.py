"""A filter's card: what it is, on what base, from what data, how well it did on candidates held back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medner.core.files.atomic import replacing_file
from medner.core.files.hashing import sha256_of
from medner.core.files.names import CARD
from medner.training.filters.calibration import FilterCalibration
from medner.training.filters.data import FilterData, Sources
from medner.training.taggers.data import card_text


@dataclass(frozen=True, slots=True)
class FilterProvenance:
    """What a filter was made of and how: names of its kind, base model and label set, the command, what it took."""

    kind: str
    base: str
    labels: str
    samples_seen: int
    seconds: float
    seed: int
    command: str = ""
    licence_note: str = ""
    two_way_from: int | None = None


def write_card(
    folder: Path, made: FilterProvenance, sources: Sources, data: FilterData, calibration: FilterCalibration
) -> Sequence[str]:
    """Writes the card into a filter's folder; gives how the filter did, in words."""
    fields = card_fields(made, sources, data, calibration)
    known = {key: value for key, value in fields.items() if value not in ("", [], None)}
    with replacing_file(folder / CARD) as out:
        out.write(card_text(known))
    return score_lines(data, calibration)


def card_fields(
    made: FilterProvenance, sources: Sources, data: FilterData, calibration: FilterCalibration
) -> dict[str, Any]:
    """The card's keys and values, in order."""
    return {
        "name": made.kind,
        "kind": made.kind,
        "base": made.base,
        "labels": made.labels,
        "threshold": calibration.threshold,
        "temperature": calibration.temperature,
        "two_way_from": made.two_way_from,
        "data": _hashes((*sources.annotated, *sources.partial)),
        "predictions": _hashes(sources.predictions),
        "excluded": _hashes(sources.exclude),
        "samples": len(data.train),
        "samples_seen": made.samples_seen,
        "seconds": round(made.seconds),
        "seed": made.seed,
        "command": made.command,
        "licence_note": made.licence_note,
        "scores": list(score_lines(data, calibration)),
    }


def score_lines(data: FilterData, calibration: FilterCalibration) -> Sequence[str]:
    """How the filter did on what was held back, in words."""
    of = "predicted entities" if data.held.predicted else "samples"
    what = "F1 of the predictions" if data.held.predicted else "F1 of the classification"
    one = calibration
    return (
        f"held back: {one.n} {of}, {one.right} of them right, {one.gold} entities to find",
        f"accuracy {one.accuracy:.4f} at threshold {one.threshold:g}",
        f"{what}: {one.f1_all:.4f} unfiltered, {one.f1:.4f} filtered",
        f"calibration error {one.ece_before:.4f}, {one.ece_after:.4f} at temperature {one.temperature:g}",
    )


def _hashes(files: Sequence[Path]) -> list[str]:
    return [f"{file.name} sha256:{sha256_of(file)}" for file in files if file.is_file()]
