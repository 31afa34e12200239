"""Reports as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from medner.evaluation.measures.differences import DIFFERING, ComparedEntity, Outcome
from medner.evaluation.measures.errors import FALSE_POSITIVES, NESTED_CLASSES, ErrorClass
from medner.evaluation.reports import wording
from medner.evaluation.reports.report import Compared, Comparison, Evaluation, Gold, Scored, Setting
from medner.evaluation.reports.tables import printable, table

UNKNOWN_SHARE = "–"
AROUND = 12  # characters of text shown on either side of an entity

_SCORE_HEADER = ("gold", "predicted", "right", "P", "", "R", "", "F1", "")
_DELTA_HEADER = ("gold", "F1 A", "F1 B", "B - A", "", "p", "p (exchange)", "only A right", "only B right")


def evaluation_text(evaluation: Evaluation, *, by_type: bool = True) -> str:
    """The whole report on one or several systems."""
    systems = evaluation.systems
    parts = [
        _head(evaluation.gold, evaluation.setting),
        _section("Scores", ("system", *_SCORE_HEADER), ((s.name, *_score_cells(s.overall)) for s in systems)),
    ]
    if by_type:
        parts.append(_by_type(evaluation))
    parts.append(
        _section(
            "Nested entities alone", ("system", *_SCORE_HEADER), ((s.name, *_score_cells(s.nested)) for s in systems)
        )
    )
    parts += _errors(evaluation)
    parts += _calibrations(evaluation)
    agreement = evaluation.agreement
    if agreement is not None:
        parts.append(
            f"Agreement of the systems\n{agreement.agreed:,} agreed and {agreement.disputed:,} disputed entities; "
            f"{agreement.documents_in_dispute:,} of {agreement.documents:,} documents "
            f"({wording.share(agreement.documents_in_dispute, agreement.documents)}) hold a disputed entity"
        )
    return _join(parts, wording.remarks(evaluation))


def comparison_text(comparison: Comparison, *, show: int = 20, by_type: bool = True) -> str:
    """The whole report on two systems, with the first ``show`` places where they differ."""
    parts = [_head(comparison.gold, comparison.setting), _names(comparison.names), _overall(comparison)]
    rows = [("all", comparison.overall), ("nested", comparison.nested)]
    if by_type:
        rows += [(comparison.setting.name_of(label), compared) for label, compared in comparison.by_type.items()]
    parts.append(_section("F1 by group", ("group", *_DELTA_HEADER), ((n, *_delta_cells(c)) for n, c in rows)))
    outcomes = [(n, *(f"{c.outcomes[outcome]}" for outcome in Outcome)) for n, c in rows]
    words = [wording.outcome_name(outcome, ("A", "B")) for outcome in Outcome]
    parts.append(_section("Outcome of each entity", ("group", *words), outcomes))
    parts.append(_differing(comparison, show))
    return _join(parts, wording.remarks(comparison))


def _head(gold: Gold, setting: Setting) -> str:
    lines = [f"gold: {printable(wording.gold_line(gold))}", f"how: {wording.method_line(setting)}"]
    return "\n".join(lines + [f"{name}: {printable(value)}" for name, value in wording.run_lines(setting)])


def _names(names: tuple[str, str]) -> str:
    return f"A: {printable(names[0])}\nB: {printable(names[1])}"


def _section(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    return f"{title}\n{table(header, list(rows), left=left)}"


def _score_cells(scored: Scored) -> tuple[str, ...]:
    counts, bounds = scored.counts, scored.intervals
    return (
        f"{counts.gold}",
        f"{counts.predicted}",
        f"{counts.tp}",
        wording.ratio(counts.precision),
        wording.interval(bounds.precision),
        wording.ratio(counts.recall),
        wording.interval(bounds.recall),
        wording.ratio(counts.f1),
        wording.interval(bounds.f1),
    )


def _by_type(evaluation: Evaluation) -> str:
    name_of = evaluation.setting.name_of
    if len(evaluation.systems) == 1:
        types = evaluation.systems[0].by_type
        rows: list[tuple[str, ...]] = [(name_of(label), *_score_cells(scored)) for label, scored in types.items()]
        return _section("By type", ("type", *_SCORE_HEADER), rows)
    rows = [
        (
            name_of(label),
            f"{evaluation.systems[0].by_type[label].counts.gold}",
            *(wording.ratio(system.by_type[label].counts.f1) for system in evaluation.systems),
        )
        for label in evaluation.labels
    ]
    header = ("type", "gold", *(system.name for system in evaluation.systems))
    return _section("F1 by type (precision, recall and intervals are in the JSON)", header, rows)


def _errors(evaluation: Evaluation) -> list[str]:
    names = wording.ERROR_NAMES
    tables = [(system.name, system.errors) for system in evaluation.systems]
    classes = (*FALSE_POSITIVES, ErrorClass.MISSED)
    overall = [
        (name, *(f"{t.overall[kind]}" for kind in classes), wording.share(t.false_positives, t.total))
        for name, t in tables
    ]
    nested = [(name, *(f"{t.nested[kind]}" for kind in NESTED_CLASSES)) for name, t in tables]
    distances = [
        (
            name,
            f"{t.boundaries.errors}",
            *(f"{number}" for _, number in wording.bin_distances(t.boundaries)),
            wording.share(t.boundaries.within(2), t.boundaries.errors),
        )
        for name, t in tables
    ]
    bins = [label for label, _ in wording.bin_distances(tables[0][1].boundaries)] if tables else []
    return [
        _section("Errors", ("system", *(names[kind] for kind in classes), "false positives"), overall),
        _section("Errors at nested entities", ("system", *(names[kind] for kind in NESTED_CLASSES)), nested),
        _section(
            "Boundary distance of the overlap, same type errors (characters)",
            ("system", "errors", *bins, "within 2"),
            distances,
        ),
    ]


def _calibrations(evaluation: Evaluation) -> list[str]:
    known = [(system.name, system.calibration) for system in evaluation.systems if system.calibration is not None]
    if not known:
        return []
    bins = [f"{one.low:.1f}" for one in known[0][1].bins]
    rows = [
        (
            name,
            f"{found.entities}",
            wording.ratio(found.error),
            *(UNKNOWN_SHARE if not one.entities else f"{one.share:.2f} ({one.entities})" for one in found.bins),
        )
        for name, found in known
    ]
    title = "Calibration: expected calibration error, then the share of right entities (how many) from each score on"
    return [_section(title, ("system", "scored", "error", *bins), rows)]


def _overall(comparison: Comparison) -> str:
    overall = comparison.overall
    rows = []
    for measure, title in (("precision", "P"), ("recall", "R"), ("f1", "F1")):
        cells = wording.difference(getattr(overall.difference, measure))
        rows.append(
            (title, wording.ratio(getattr(overall.a, measure)), wording.ratio(getattr(overall.b, measure)), *cells)
        )
    return _section("Difference", ("measure", "A", "B", "B - A", "", "p", "p (exchange)"), rows)


def _delta_cells(compared: Compared) -> tuple[str, ...]:
    return (
        f"{compared.a.gold}",
        wording.ratio(compared.a.f1),
        wording.ratio(compared.b.f1),
        *wording.difference(compared.difference.f1),
        f"{compared.outcomes[Outcome.ONLY_A_RIGHT]}",
        f"{compared.outcomes[Outcome.ONLY_B_RIGHT]}",
    )


def _differing(comparison: Comparison, show: int) -> str:
    differing = [entry for entry in comparison.judged if entry.outcome in DIFFERING]
    shown = differing[:show]
    title = f"Where they differ: {len(differing):,} entities"
    if len(shown) < len(differing):
        title += f", the first {len(shown)} here (--show N for more, --json for all)"
    if not shown:
        return title
    rows = [_place(entry, comparison) for entry in shown]
    return _section(title, ("document", "place", "type", "outcome", "text"), rows, left=5)


def _place(entry: ComparedEntity, comparison: Comparison) -> tuple[str, ...]:
    before, after = entry.around(AROUND)
    return (
        entry.document.id,
        f"{entry.entity.start}-{entry.entity.end}",
        comparison.setting.name_of(entry.entity.label),
        wording.outcome_name(entry.outcome, ("A", "B")),
        f"{before}【{entry.text}】{after}",
    )


def _join(parts: Sequence[str], remarks: Sequence[str]) -> str:
    notes = ["Remarks\n" + "\n".join(f"- {printable(remark)}" for remark in remarks)] if remarks else []
    return "\n\n".join([*parts, *notes]) + "\n"
