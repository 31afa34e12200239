"""What does not fit between the labels of gold and of predictions, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from medner.core.listing import first_few
from medner.evaluation.measures.scoring import Counts
from medner.evaluation.reports.report import Comparison, Evaluation

_SHOWN = 6
_WAY_OUT = "--labels NAME|FILE makes codes and Chinese names alike"


def label_remarks(report: Evaluation | Comparison) -> list[str]:
    """Remarks on gold without entities, systems without entities, and labels that only one side has."""
    if not report.gold.entities:
        return [
            f"{report.gold.name} holds no entity, so there is nothing to find and no F1: check that it is the file "
            "with the annotations"
        ]
    named = report.setting.labels is not None
    return [line for name, counts in _systems(report) for line in _of_system(report.gold.name, name, counts, named)]


def _systems(report: Evaluation | Comparison) -> Iterable[tuple[str, Mapping[str, Counts]]]:
    if isinstance(report, Evaluation):
        for system in report.systems:
            yield system.name, {label: scored.counts for label, scored in system.by_type.items()}
    else:
        yield report.names[0], {label: compared.a for label, compared in report.by_type.items()}
        yield report.names[1], {label: compared.b for label, compared in report.by_type.items()}


def _of_system(gold: str, name: str, counts: Mapping[str, Counts], named: bool) -> Iterable[str]:
    expected = [label for label, one in counts.items() if one.gold]
    predicted = {label: one.predicted for label, one in counts.items() if one.predicted}
    if not predicted:
        yield f"{name} holds no entity, so all gold entities count as missed"
    elif not predicted.keys() & set(expected):
        way = "the predictions are of other types than the gold entities" if named else _WAY_OUT
        yield (
            f"{name}: none of its labels ({first_few(predicted, _SHOWN)}) is a label of {gold} "
            f"({first_few(expected, _SHOWN)}), so nothing can be right; {way}"
        )
    elif not named and (others := {label: n for label, n in predicted.items() if label not in expected}):
        number = sum(others.values())
        yield (
            f"{name}: {number:,} {'entity has' if number == 1 else 'entities have'} labels that {gold} does not have "
            f"({first_few(others, _SHOWN)}); {_WAY_OUT}"
        )
