"""What an evaluation and a comparison say, as records; `plain`, `structure` and `page` put them into form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.evaluation.measures.calibration import Calibration, Scores, calibrate
from medner.evaluation.measures.differences import ComparedEntity, Outcome, count_outcomes, judge_entities
from medner.evaluation.measures.ensembles import SystemAgreement
from medner.evaluation.measures.errors import ErrorTable, find_mistakes, tabulate
from medner.evaluation.measures.matching import Pairing, pair_documents
from medner.evaluation.measures.scoring import Counts, Score, nested_entities, score
from medner.evaluation.measures.significance import (
    Intervals,
    RatioDifferences,
    Resampling,
    differences,
    intervals,
    stack,
)


@dataclass(frozen=True, slots=True)
class Setting:
    """How a score is made and what it is said about: all of it is printed with every report.

    ``commit`` and ``configuration`` describe the run that made the predictions, in the user's words.
    """

    resampling: Resampling = field(default_factory=Resampling)
    labels: LabelSet | None = None
    commit: str = ""
    configuration: str = ""

    def name_of(self, code: str) -> str:
        """The code, with the type's name where the label set knows it."""
        labels = self.labels
        return f"{labels.type_of(code).name} {code}" if labels is not None and code in labels else code


@dataclass(frozen=True, slots=True)
class Gold:
    """What is measured against."""

    name: str
    documents: int
    entities: int
    nested_entities: int


@dataclass(frozen=True, slots=True)
class Scored:
    """Counts with the intervals of their ratios."""

    counts: Counts
    intervals: Intervals


@dataclass(frozen=True, slots=True)
class SystemReport:
    """All that is measured of one system. ``missing`` are gold documents without a prediction.

    ``calibration`` None: its entities have no scores.
    """

    name: str
    overall: Scored
    nested: Scored
    by_type: Mapping[str, Scored]
    errors: ErrorTable
    missing: tuple[str, ...] = ()
    matched_by_text: int = 0
    calibration: Calibration | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One or several systems measured against the same gold. ``agreement`` is known when ensembles were asked for."""

    gold: Gold
    systems: tuple[SystemReport, ...]
    setting: Setting
    agreement: SystemAgreement | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The types, in the order of the report."""
        return tuple(self.systems[0].by_type) if self.systems else ()


@dataclass(frozen=True, slots=True)
class Compared:
    """One group of entities in a comparison. ``difference`` is B minus A."""

    a: Counts
    b: Counts
    difference: RatioDifferences
    outcomes: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """System A against system B. ``judged`` holds every entity with its outcome."""

    gold: Gold
    names: tuple[str, str]
    overall: Compared
    nested: Compared
    by_type: Mapping[str, Compared]
    judged: tuple[ComparedEntity, ...]
    setting: Setting
    missing: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


@dataclass(frozen=True, slots=True)
class _Measured:
    """Systems paired with gold and scored over one common list of types."""

    gold: Gold
    pairings: tuple[Pairing, ...]
    scores: tuple[Score, ...]
    labels: tuple[str, ...]


def evaluate(
    gold: Sequence[Document],
    systems: Mapping[str, Sequence[Document]],
    setting: Setting = Setting(),
    *,
    gold_name: str = "gold",
    agreement: SystemAgreement | None = None,
    scores: Mapping[str, Scores] | None = None,
) -> Evaluation:
    """Systems (name -> predictions) measured against gold. UserError when the documents do not fit.

    ``scores`` are those of the systems' entities, by the systems' names.
    """
    measured = _measure(gold, systems, setting, gold_name)
    reports = (
        replace(
            _report(name, pairing, score_, measured.labels, setting.resampling),
            calibration=calibrate(pairing.pairs, (scores or {}).get(name, {})),
        )
        for name, pairing, score_ in zip(systems, measured.pairings, measured.scores, strict=True)
    )
    return Evaluation(measured.gold, tuple(reports), setting, agreement)


def compare(
    gold: Sequence[Document],
    systems: Mapping[str, Sequence[Document]],
    setting: Setting = Setting(),
    *,
    gold_name: str = "gold",
) -> Comparison:
    """The second system against the first. UserError when there are not two, or the documents do not fit."""
    if len(systems) != 2:
        raise UserError(f"a comparison needs two systems with different names, not {len(systems)}")
    measured = _measure(gold, systems, setting, gold_name)
    (pairs_a, pairs_b), (score_a, score_b) = measured.pairings, measured.scores
    judged = judge_entities(pairs_a.pairs, pairs_b.pairs)
    counts_a, counts_b = (stack(score_.documents, measured.labels) for score_ in measured.scores)
    delta = differences(counts_a, counts_b, setting.resampling)
    name_a, name_b = systems
    return Comparison(
        measured.gold,
        (name_a, name_b),
        Compared(score_a.overall, score_b.overall, delta[0], count_outcomes(judged)),
        Compared(
            score_a.nested,
            score_b.nested,
            delta[1],
            count_outcomes(entry for entry in judged if entry.nested),
        ),
        {
            label: Compared(
                score_a.by_type[label],
                score_b.by_type[label],
                difference,
                count_outcomes(entry for entry in judged if entry.entity.label == label),
            )
            for label, difference in zip(measured.labels, delta[2:], strict=True)
        },
        judged,
        setting,
        (pairs_a.missing, pairs_b.missing),
    )


def _measure(
    gold: Sequence[Document], systems: Mapping[str, Sequence[Document]], setting: Setting, gold_name: str
) -> _Measured:
    if not gold:
        raise UserError(f"{gold_name} holds no document, so there is nothing to measure against")
    pairings = tuple(pair_documents(gold, documents, name=name) for name, documents in systems.items())
    seen = {e.label for documents in (gold, *systems.values()) for document in documents for e in document.entities}
    known = setting.labels.codes if setting.labels is not None else ()
    labels = (*known, *sorted(seen.difference(known)))
    facts = Gold(
        gold_name,
        len(gold),
        sum(len(document.entities) for document in gold),
        sum(len(nested_entities(document.entities)) for document in gold),
    )
    return _Measured(facts, pairings, tuple(score(pairing.pairs, labels) for pairing in pairings), labels)


def _report(name: str, pairing: Pairing, score_: Score, labels: Sequence[str], how: Resampling) -> SystemReport:
    counts = (score_.overall, score_.nested, *score_.by_type.values())
    overall, nested, *rest = map(Scored, counts, intervals(stack(score_.documents, labels), how))
    return SystemReport(
        name,
        overall,
        nested,
        dict(zip(labels, rest, strict=True)),
        tabulate(find_mistakes(pairing.pairs)),
        pairing.missing,
        pairing.by_text,
    )
