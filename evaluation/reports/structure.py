"""Reports as JSON values. The keys are documented in docs/evaluation.md and do not change within a schema number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from medner.evaluation.measures.calibration import Calibration
from medner.evaluation.measures.differences import DIFFERING, ComparedEntity, Outcome
from medner.evaluation.measures.errors import ErrorTable
from medner.evaluation.measures.scoring import Counts
from medner.evaluation.measures.significance import MEASURES, Intervals, RatioDifferences
from medner.evaluation.reports.report import Compared, Comparison, Evaluation, Scored, Setting, SystemReport

SCHEMA = 1
AROUND = 30  # characters of text on either side of an entity

Json = dict[str, Any]


def evaluation_json(evaluation: Evaluation) -> Json:
    """The evaluation as a JSON object; NaN becomes null."""
    agreement = evaluation.agreement
    return {
        **head("evaluation", evaluation.setting),
        "gold": asdict(evaluation.gold),
        "systems": [_system(system, evaluation.gold.documents) for system in evaluation.systems],
        "agreement": None if agreement is None else asdict(agreement),
    }


def comparison_json(comparison: Comparison) -> Json:
    """The comparison as a JSON object, with every place where the systems differ; NaN becomes null."""
    a, b = comparison.names
    return {
        **head("comparison", comparison.setting),
        "gold": asdict(comparison.gold),
        "a": {"name": a, "missing": list(comparison.missing[0])},
        "b": {"name": b, "missing": list(comparison.missing[1])},
        "overall": _compared(comparison.overall),
        "nested": _compared(comparison.nested),
        "by_type": {label: _compared(compared) for label, compared in comparison.by_type.items()},
        "differing": [_judged(entry) for entry in comparison.judged if entry.outcome in DIFFERING],
    }


def head(kind: str, setting: Setting) -> Json:
    """What every report begins with."""
    labels = setting.labels
    return {
        "kind": kind,
        "schema": SCHEMA,
        "medner": version("medner"),
        "resampling": {"unit": "document", **asdict(setting.resampling)},
        "commit": setting.commit or None,
        "configuration": setting.configuration or None,
        "label_set": None if labels is None else labels.name,
        "label_names": {} if labels is None else {label.code: label.name for label in labels.types},
    }


def _system(system: SystemReport, documents: int) -> Json:
    return {
        "name": system.name,
        "documents": documents,
        "missing": list(system.missing),
        "matched_by_text": system.matched_by_text,
        "overall": _scored(system.overall),
        "nested": _scored(system.nested),
        "by_type": {label: _scored(scored) for label, scored in system.by_type.items()},
        **_errors(system.errors),
        "calibration": None if system.calibration is None else _calibration(system.calibration),
    }


def _calibration(calibration: Calibration) -> Json:
    return {
        "error": _number(calibration.error),
        "entities": calibration.entities,
        "unscored": calibration.unscored,
        "bins": [
            {
                "low": one.low,
                "high": one.high,
                "entities": one.entities,
                "right": one.right,
                "mean_score": _number(one.mean),
                "share_right": _number(one.share),
            }
            for one in calibration.bins
        ],
    }


def _scored(scored: Scored) -> Json:
    return {**_counts(scored.counts), **_ratios(scored.counts, scored.intervals)}


def _counts(counts: Counts) -> Json:
    return {**asdict(counts), "gold": counts.gold, "predicted": counts.predicted}


def _ratios(counts: Counts, bounds: Intervals) -> Json:
    return {
        measure: {
            "value": _number(getattr(counts, measure)),
            "low": _number(getattr(bounds, measure).low),
            "high": _number(getattr(bounds, measure).high),
        }
        for measure in MEASURES
    }


def _errors(errors: ErrorTable) -> Json:
    boundaries = errors.boundaries
    return {
        "errors": _by_value(errors.overall),
        "nested_errors": _by_value(errors.nested),
        "boundary_distance": {
            "errors": boundaries.errors,
            "counts": {str(distance): number for distance, number in boundaries.counts.items()},
            "within_2": boundaries.within(2),
            "share_within_2": _number(boundaries.share_within(2)),
        },
    }


def _compared(compared: Compared) -> Json:
    return {
        "a": {**_counts(compared.a), **_plain_ratios(compared.a)},
        "b": {**_counts(compared.b), **_plain_ratios(compared.b)},
        "difference": _differences(compared.difference),
        "outcomes": {outcome.value: compared.outcomes[outcome] for outcome in Outcome},
    }


def _plain_ratios(counts: Counts) -> Json:
    return {measure: _number(getattr(counts, measure)) for measure in MEASURES}


def _differences(difference: RatioDifferences) -> Json:
    return {
        measure: {key: _number(value) for key, value in asdict(getattr(difference, measure)).items()}
        for measure in MEASURES
    }


def _judged(entry: ComparedEntity) -> Json:
    before, after = entry.around(AROUND)
    return {
        "document": entry.document.id,
        "start": entry.entity.start,
        "end": entry.entity.end,
        "label": entry.entity.label,
        "outcome": entry.outcome.value,
        "before": before,
        "text": entry.text,
        "after": after,
    }


def _by_value(counts: Mapping[Any, int]) -> dict[str, int]:
    return {kind.value: number for kind, number in counts.items()}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
