"""What a change of judge did to the score, on the sentences that two runs share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medner.core.records import Document
from medner.evaluation.measures.scoring import Counts
from medner.evaluation.measures.significance import Resampling
from medner.evaluation.reports.report import Setting, compare
from medner.service.traces.differences import Sides, as_documents, gold_of


def scored(gold: Sequence[Document], sides: Sides, *, seed: int, resamples: int) -> dict[str, Any]:
    """Strict micro scores of both runs, and F1 of B minus A with its interval, as plain data; n are sentences."""
    systems = {"A": as_documents(sides.a), "B": as_documents(sides.b)}
    setting = Setting(Resampling(seed=seed, resamples=resamples))
    found = compare(gold_of(sides.a, gold), systems, setting).overall
    change = found.difference.f1
    return {
        "sentences": len(sides.a),
        "gold_entities": found.a.gold,
        "a": _ratios(found.a),
        "b": _ratios(found.b),
        "f1_difference": change.delta,
        "interval": [change.low, change.high],
        "level": setting.resampling.level,
        "p": change.p_bootstrap,
        "seed": seed,
        "resamples": resamples,
    }


def _ratios(counts: Counts) -> dict[str, float]:
    return {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
