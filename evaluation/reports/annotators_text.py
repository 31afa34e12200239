"""The report on several annotators as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medner.core.records import Entity
from medner.evaluation.measures.annotators import PairAgreement
from medner.evaluation.measures.contradictions import Contradicted, Contradiction
from medner.evaluation.measures.errors import FALSE_POSITIVES
from medner.evaluation.measures.kappa import Kappa
from medner.evaluation.measures.scoring import Counts
from medner.evaluation.reports import wording
from medner.evaluation.reports.annotators import AnnotatorReport, means_of, value_of, work_of
from medner.evaluation.reports.tables import printable, table

_NAMES: Mapping[Contradiction, str] = {
    Contradiction.OTHER: "all taggers give another entity",
    Contradiction.ADDED: "all taggers give one more entity",
    Contradiction.MISSED: "no tagger gives it",
}


def annotators_text(report: AnnotatorReport, *, show: int, by_type: bool) -> str:
    """The report as text, with the first ``show`` places of each list."""
    texts, pairs = report.texts, report.pairs
    alone = len(texts.texts) - len(texts.shared)
    parts = [
        f"{wording.counted(len(texts.shared), 'document')} of two annotators or more, {alone:,} of one alone\n"
        f"how: {wording.method_line(report.setting)}",
        _section(
            "Annotators", ("annotator", "documents", "entities"), [(n, f"{d}", f"{e}") for n, d, e in work_of(texts)]
        ),
    ]
    if pairs:
        parts += [_agreements(pairs), _overlaps(pairs), _differences(pairs)]
        parts += [_by_type(report)] if by_type else []
        parts += [_disputed(report, show)]
    if report.contradicted is not None:
        parts.append(_contradictions(report, report.contradicted, show))
    return "\n\n".join(parts) + "\n"


def _section(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    return f"{title}\n{table(header, rows, left=left)}"


def _name(one: PairAgreement) -> str:
    return f"{one.one} / {one.other}"


def _kappa_cells(found: Kappa | None) -> tuple[str, str]:
    return ("", "") if found is None else (wording.ratio(found.value), wording.interval(found.interval))


def _counts_cells(counts: Counts) -> tuple[str, ...]:
    return f"{counts.tp}", f"{counts.fn}", f"{counts.fp}", wording.ratio(counts.f1)


def _agreements(pairs: Sequence[PairAgreement]) -> str:
    rows: list[tuple[str, ...]] = [
        (
            _name(one),
            f"{one.documents}",
            *_counts_cells(one.overall.counts),
            wording.interval(one.overall.f1_interval),
            wording.ratio(value_of(one.overall.spans)),
            *_kappa_cells(one.overall.characters),
            *_kappa_cells(one.types),
        )
        for one in pairs
    ]
    if len(pairs) > 1:
        mean = {name: wording.ratio(value) for name, value in means_of(pairs).items()}
        rows.append(
            (
                "mean",
                "",
                "",
                "",
                "",
                mean["f1"],
                "",
                mean["kappa_spans"],
                mean["kappa_characters"],
                "",
                mean["kappa_types"],
                "",
            )
        )
    header = ("pair", "documents", "both", "only 1st", "only 2nd", "F1", "", "kappa spans")
    return _section("Agreement", (*header, "kappa characters", "", "kappa types", ""), rows)


def _overlaps(pairs: Sequence[PairAgreement]) -> str:
    rows = [
        (_name(one), *_counts_cells(one.overlapping.counts), wording.interval(one.overlapping.f1_interval))
        for one in pairs
    ]
    title = "Entities that share a character with another one (nested, crossing, two types)"
    return _section(title, ("pair", "both", "only 1st", "only 2nd", "F1", ""), rows)


def _differences(pairs: Sequence[PairAgreement]) -> str:
    rows = [(_name(one), *(f"{one.errors.overall[kind]}" for kind in FALSE_POSITIVES)) for one in pairs]
    names = [wording.ERROR_NAMES[kind] for kind in FALSE_POSITIVES]
    return _section("Entities of the second alone, as they lie to those of the first", ("pair", *names), rows)


def _by_type(report: AnnotatorReport) -> str:
    labels = list(report.pairs[0].by_type)
    rows = [
        (
            report.setting.name_of(label),
            *(
                cell
                for one in report.pairs
                for cell in (
                    wording.ratio(one.by_type[label].counts.f1),
                    wording.ratio(value_of(one.by_type[label].characters)),
                )
            ),
        )
        for label in labels
    ]
    header = ("type", *(cell for one in report.pairs for cell in (_name(one), "kappa")))
    title = "F1 and kappa over characters by type (counts, intervals and kappa over spans are in the JSON)"
    return _section(title, header, rows)


def _disputed(report: AnnotatorReport, show: int) -> str:
    found = list(report.disputed)
    rows = [
        (text.id, f"{one.start}-{one.end}", report.setting.name_of(one.label), ", ".join(by), _around(text.text, one))
        for text, one, by in found[:show]
    ]
    title = _title(f"Entities that not everybody marked: {len(found):,}", len(rows), len(found))
    return _section(title, ("document", "place", "type", "marked by", "text"), rows, left=5) if rows else title


def _contradictions(report: AnnotatorReport, found: Sequence[Contradicted], show: int) -> str:
    def named(one: Contradicted, entities: Sequence[Entity]) -> str:
        return (
            "; ".join(f"{report.setting.name_of(e.label)} {e.text_in(one.text)}" for e in entities) or wording.UNKNOWN
        )

    rows = [
        (
            one.document,
            f"{one.start}-{one.end}",
            _NAMES[one.kind],
            named(one, one.gold),
            named(one, one.given),
            _around(one.text, one),
        )
        for one in found[:show]
    ]
    taggers = ", ".join(printable(name) for name in report.taggers)
    title = _title(f"Gold that all taggers contradict ({taggers}): {len(found):,} places", len(rows), len(found))
    header = ("document", "place", "what", "gold", "all taggers", "text")
    return _section(title, header, rows, left=6) if rows else title


def _title(title: str, shown: int, total: int) -> str:
    return title if shown == total else f"{title}, the first {shown} here (--show N for more, --json for all)"


def _around(text: str, place: Entity | Contradicted) -> str:
    before, after = text[max(0, place.start - 10) : place.start], text[place.end : place.end + 10]
    return f"{before}【{text[place.start : place.end]}】{after}"
