"""The words and number formats all reports share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from medner.core.listing import first_few
from medner.evaluation.measures.differences import Outcome
from medner.evaluation.measures.errors import BoundaryDistances, ErrorClass
from medner.evaluation.measures.significance import Difference, Interval
from medner.evaluation.reports.label_remarks import label_remarks
from medner.evaluation.reports.report import Comparison, Evaluation, Gold, Setting

UNKNOWN = "–"

ERROR_NAMES: Mapping[ErrorClass, str] = {
    ErrorClass.SAME_SPAN_OTHER_TYPE: "same span, other type",
    ErrorClass.OVERLAP_SAME_TYPE: "overlap, same type",
    ErrorClass.OVERLAP_OTHER_TYPE: "overlap, other type",
    ErrorClass.NO_OVERLAP: "no overlap",
    ErrorClass.MISSED: "missed",
}

# distance from, distance to (inclusive)
DISTANCE_BINS = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 10), (11, None))


def ratio(value: float) -> str:
    """A ratio with four digits; NaN is a dash."""
    return UNKNOWN if math.isnan(value) else f"{value:.4f}"


def interval(bounds: Interval) -> str:
    """The bounds in brackets; a dash when there is no interval."""
    return UNKNOWN if math.isnan(bounds.low) else f"[{bounds.low:.4f}, {bounds.high:.4f}]"


def difference(value: Difference) -> tuple[str, str, str, str]:
    """Delta with its sign, interval, and both p-values."""
    delta = UNKNOWN if math.isnan(value.delta) else f"{value.delta:+.4f}"
    bounds = UNKNOWN if math.isnan(value.low) else f"[{value.low:+.4f}, {value.high:+.4f}]"
    return delta, bounds, ratio(value.p_bootstrap), ratio(value.p_randomisation)


def share(part: int, whole: int) -> str:
    """A percentage with one digit; a dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else UNKNOWN


def bin_distances(boundaries: BoundaryDistances) -> list[tuple[str, int]]:
    """The boundary table in the bins of the reports: label and number of errors."""
    return [
        (
            str(low) if low == high else f">{low - 1}" if high is None else f"{low}–{high}",
            sum(
                n for distance, n in boundaries.counts.items() if low <= distance and (high is None or distance <= high)
            ),
        )
        for low, high in DISTANCE_BINS
    ]


def counted(number: int, one: str, several: str = "") -> str:
    """A number with its noun, as it is said of one and of several."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def gold_line(gold: Gold) -> str:
    """What was measured against, with its sizes."""
    return (
        f"{gold.name}: {counted(gold.documents, 'document')}, {counted(gold.entities, 'entity', 'entities')}, "
        f"{gold.nested_entities:,} of them nested"
    )


def method_line(setting: Setting) -> str:
    """How the numbers are made."""
    how = setting.resampling
    return (
        f"strict (start, end and type exact), micro; [{100 * how.level:g} % interval] by bootstrap over documents, "
        f"{how.resamples:,} resamples, seed {how.seed}"
    )


def run_lines(setting: Setting) -> list[tuple[str, str]]:
    """What the user said about the run: name and value, only what was given."""
    said = (("label set", setting.labels.name if setting.labels is not None else ""),)
    return [
        (name, value)
        for name, value in (*said, ("commit", setting.commit), ("configuration", setting.configuration))
        if value
    ]


def outcome_name(outcome: Outcome, names: tuple[str, str]) -> str:
    """What an outcome means, with the systems' names."""
    a, b = names
    return {
        Outcome.BOTH_RIGHT: "both right",
        Outcome.ONLY_A_RIGHT: f"only {a} right",
        Outcome.ONLY_B_RIGHT: f"only {b} right",
        Outcome.BOTH_MISSED: "both missed",
        Outcome.ONLY_A_WRONG: f"only {a} wrong",
        Outcome.ONLY_B_WRONG: f"only {b} wrong",
        Outcome.BOTH_WRONG: "both wrong",
    }[outcome]


def missing_remark(name: str, ids: Sequence[str], documents: int) -> str:
    """What a system's missing predictions mean for its score."""
    return (
        f"{name}: no prediction for {len(ids)} of {documents} documents ({first_few(ids, 3)}); "
        "their entities count as missed"
    )


def remarks(report: Evaluation | Comparison) -> list[str]:
    """What a reader must know beside the numbers: labels, missing predictions, matching by text, too few documents."""
    said = label_remarks(report)
    if isinstance(report, Evaluation):
        missing = [(system.name, system.missing) for system in report.systems]
        said += [
            f"{system.name}: {counted(system.matched_by_text, 'document')} matched to gold by text, as their ids differ"
            for system in report.systems
            if system.matched_by_text
        ]
    else:
        missing = list(zip(report.names, report.missing, strict=True))
    for name, ids in missing:
        if ids:
            said.append(missing_remark(name, ids, report.gold.documents))
    if report.gold.documents < 30:
        n = counted(report.gold.documents, "document")
        said.append(f"n = {n}: intervals and p-values from fewer than 30 are rough")
    return said
