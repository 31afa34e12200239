"""Scores of predictions against gold, and of two systems against each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from medner._corpora import Place, documents_of, label_set_of
from medner._documents import Document, as_plain
from medner.core.errors import UserError

if TYPE_CHECKING:
    from medner.core.labels import LabelSet
    from medner.core.records import Document as PlainDocument
    from medner.evaluation.measures.significance import Difference
    from medner.evaluation.reports.report import Comparison as ComparisonReport
    from medner.evaluation.reports.report import Evaluation as EvaluationReport
    from medner.evaluation.reports.report import Scored, Setting


@dataclass(frozen=True, slots=True)
class Score:
    """Strict micro scores of some entities: counts, and ratios with their intervals of 95 %; 0/0 is NaN."""

    tp: int
    fp: int
    fn: int
    precision: float
    recall: float
    f1: float
    f1_interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Predictions measured against gold: an entity is right when start, end and type are right.

    ``systems`` holds a score a system by its name, ``by_type`` those of each type of the first one. The first system's
    are ``precision``, ``recall``, ``f1`` and ``f1_interval`` too. Printed, it is the report of `medner evaluate`.
    """

    systems: Mapping[str, Score]
    by_type: Mapping[str, Score]
    missing: tuple[str, ...] = ()
    _report: EvaluationReport | None = field(default=None, repr=False, compare=False)

    @property
    def score(self) -> Score:
        """The first system's score over all types."""
        return next(iter(self.systems.values()))

    @property
    def precision(self) -> float:
        """The share of the predicted entities that are right."""
        return self.score.precision

    @property
    def recall(self) -> float:
        """The share of the gold entities that were found."""
        return self.score.recall

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return self.score.f1

    @property
    def f1_interval(self) -> tuple[float, float]:
        """The interval of F1, from the bootstrap over documents."""
        return self.score.f1_interval

    def to_dict(self) -> dict[str, Any]:
        """The whole report as plain data, as `medner evaluate --json` writes it (docs/evaluation.md)."""
        from medner.evaluation.reports.structure import evaluation_json

        return evaluation_json(self._whole)

    def to_html(self) -> str:
        """The report as an HTML page."""
        from medner.evaluation.reports.page import evaluation_page

        return evaluation_page(self._whole, by_type=True)

    def __str__(self) -> str:
        from medner.evaluation.reports.text import evaluation_text

        return evaluation_text(self._whole, by_type=True)

    @property
    def _whole(self) -> EvaluationReport:
        if self._report is None:
            raise UserError("this evaluation was not made by medner.evaluate, and has no report")
        return self._report


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems on the same gold. ``difference`` is F1 of B minus A, ``interval`` its interval of 95 %.

    ``p_value`` is two-sided, from the paired bootstrap over documents; NaN where there are too few. Printed, it is the
    report of `medner compare`.
    """

    names: tuple[str, str]
    a: float
    b: float
    difference: float
    interval: tuple[float, float]
    p_value: float
    _report: ComparisonReport | None = field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The whole report as plain data, as `medner compare --json` writes it (docs/evaluation.md)."""
        from medner.evaluation.reports.structure import comparison_json

        return comparison_json(self._whole)

    def to_html(self) -> str:
        """The report as an HTML page."""
        from medner.evaluation.reports.page import comparison_page

        return comparison_page(self._whole, by_type=True)

    def __str__(self) -> str:
        from medner.evaluation.reports.text import comparison_text

        return comparison_text(self._whole, by_type=True)

    @property
    def _whole(self) -> ComparisonReport:
        if self._report is None:
            raise UserError("this comparison was not made by medner.compare, and has no report")
        return self._report


Documents = Iterable[Document] | Place


def evaluate(
    gold: Documents,
    predicted: Documents | Mapping[str, Documents],
    *,
    labels: Place | LabelSet | None = None,
    seed: int = 0,
    resamples: int = 2000,
) -> Evaluation:
    """Predictions scored against gold, both as documents or as a file. Several systems: a mapping by their names.

    Documents are matched by id, else by their text. With ``labels`` its names are used and other labels are errors.
    """
    from medner.evaluation.reports import report

    setting = _setting(labels, seed, resamples)
    systems = predicted if isinstance(predicted, Mapping) else {"predicted": predicted}
    if not systems:
        raise UserError("there are no predictions to evaluate")
    found = report.evaluate(
        _plain(gold, setting),
        {name: _plain(documents, setting) for name, documents in systems.items()},
        setting,
        gold_name=_named(gold),
    )
    first = found.systems[0]
    return Evaluation(
        {system.name: _score(system.overall) for system in found.systems},
        {label: _score(scored) for label, scored in first.by_type.items()},
        first.missing,
        found,
    )


def compare(  # noqa: PLR0913  the settings of a comparison
    gold: Documents,
    a: Documents,
    b: Documents,
    *,
    names: tuple[str, str] = ("A", "B"),
    labels: Place | LabelSet | None = None,
    seed: int = 0,
    resamples: int = 2000,
) -> Comparison:
    """Two systems' predictions on the same gold: is the difference more than chance?"""
    from medner.evaluation.reports import report

    setting = _setting(labels, seed, resamples)
    systems = {names[0]: _plain(a, setting), names[1]: _plain(b, setting)}
    found = report.compare(_plain(gold, setting), systems, setting, gold_name=_named(gold))
    change: Difference = found.overall.difference.f1
    return Comparison(
        found.names,
        found.overall.a.f1,
        found.overall.b.f1,
        change.delta,
        (change.low, change.high),
        change.p_bootstrap,
        found,
    )


def _setting(labels: Place | LabelSet | None, seed: int, resamples: int) -> Setting:
    from medner.evaluation.measures.significance import Resampling
    from medner.evaluation.reports.report import Setting

    try:
        return Setting(Resampling(seed, resamples), label_set_of(labels))
    except ValueError as error:
        raise UserError(str(error)) from error


def _plain(documents: Documents, setting: Setting) -> list[PlainDocument]:
    return [as_plain(one) for one in documents_of(documents, setting.labels)]


def _named(documents: Documents) -> str:
    return os.fspath(documents) if isinstance(documents, str | os.PathLike) else "gold"


def _score(scored: Scored) -> Score:
    counts, interval = scored.counts, scored.intervals.f1
    return Score(
        counts.tp, counts.fp, counts.fn, counts.precision, counts.recall, counts.f1, (interval.low, interval.high)
    )
