"""The report on several annotators: how far they agree, where they do not, and gold that all taggers contradict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from medner.core.records import Entity
from medner.evaluation.measures.annotated_texts import AnnotatedText, AnnotatedTexts
from medner.evaluation.measures.annotators import Agreement, PairAgreement
from medner.evaluation.measures.contradictions import Contradicted, Contradiction
from medner.evaluation.measures.errors import FALSE_POSITIVES
from medner.evaluation.measures.kappa import Kappa
from medner.evaluation.measures.scoring import Counts
from medner.evaluation.reports import wording
from medner.evaluation.reports.report import Setting
from medner.evaluation.reports.structure import AROUND, Json, head
from medner.evaluation.reports.tables import printable, table

_NAMES: Mapping[Contradiction, str] = {
    Contradiction.OTHER: "all taggers give another entity",
    Contradiction.ADDED: "all taggers give one more entity",
    Contradiction.MISSED: "no tagger gives it",
}


@dataclass(frozen=True, slots=True)
class AnnotatorReport:
    """What is known of several annotators. ``contradicted`` None: no taggers were given."""

    texts: AnnotatedTexts
    pairs: tuple[PairAgreement, ...]
    setting: Setting
    taggers: tuple[str, ...] = ()
    contradicted: tuple[Contradicted, ...] | None = None

    @property
    def disputed(self) -> Iterator[tuple[AnnotatedText, Entity, tuple[str, ...]]]:
        """Entities that not all annotators of a text marked, with those who did, in order of the texts."""
        for text in self.texts.shared:
            everybody = frozenset.union(*text.entities.values())
            for entity in sorted(everybody, key=lambda one: (one.start, -one.end, one.label)):
                by = tuple(name for name, marked in text.entities.items() if entity in marked)
                if len(by) < len(text.entities):
                    yield text, entity, by


def annotators_json(report: AnnotatorReport) -> Json:
    """The report as a JSON object; NaN becomes null."""
    texts = report.texts
    return {
        **head("annotators", report.setting),
        "documents": len(texts.texts),
        "shared_documents": len(texts.shared),
        "annotators": [
            {"name": name, "documents": documents, "entities": entities} for name, documents, entities in _work(texts)
        ],
        "pairs": [_pair(one) for one in report.pairs],
        "mean": {key: _number(value) for key, value in _means(report.pairs).items()},
        "disputed": [
            {"document": text.id, **asdict(entity), "text": entity.text_in(text.text), "annotators": list(by)}
            for text, entity, by in report.disputed
        ],
        "taggers": list(report.taggers),
        "contradicted": None if report.contradicted is None else [_contradicted(one) for one in report.contradicted],
    }


def _work(texts: AnnotatedTexts) -> Iterator[tuple[str, int, int]]:
    for name in texts.annotators:
        marked = [text.entities[name] for text in texts.texts if name in text.entities]
        yield name, len(marked), sum(map(len, marked))


def _pair(one: PairAgreement) -> Json:
    return {
        "annotators": [one.one, one.other],
        "documents": one.documents,
        "overall": _agreement(one.overall),
        "overlapping": _agreement(one.overlapping),
        "by_type": {label: _agreement(found) for label, found in one.by_type.items()},
        "kappa_types": _kappa(one.types),
        "differences": {kind.value: one.errors.overall[kind] for kind in FALSE_POSITIVES},
    }


def _agreement(found: Agreement) -> Json:
    counts = found.counts
    return {
        "both": counts.tp,
        "only_first": counts.fn,
        "only_second": counts.fp,
        "f1": {"value": _number(counts.f1), **{key: _number(v) for key, v in asdict(found.f1_interval).items()}},
        "kappa_spans": _kappa(found.spans),
        "kappa_characters": _kappa(found.characters),
    }


def _kappa(found: Kappa | None) -> Json | None:
    if found is None:
        return None
    bounds = {key: _number(value) for key, value in asdict(found.interval).items()}
    return {"value": _number(found.value), **bounds, "units": found.units}


def _contradicted(one: Contradicted) -> Json:
    def plain(entity: Entity) -> Json:
        return {**asdict(entity), "text": entity.text_in(one.text)}

    return {
        "document": one.document,
        "kind": one.kind.value,
        "gold": [plain(entity) for entity in one.gold],
        "taggers": [plain(entity) for entity in one.given],
        "before": one.text[max(0, one.start - AROUND) : one.start],
        "text": one.text[one.start : one.end],
        "after": one.text[one.end : one.end + AROUND],
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


_MEASURES: Mapping[str, Callable[[PairAgreement], float]] = {
    "f1": lambda one: one.overall.counts.f1,
    "kappa_spans": lambda one: _value(one.overall.spans),
    "kappa_characters": lambda one: _value(one.overall.characters),
    "kappa_types": lambda one: one.types.value,
}


def _value(found: Kappa | None) -> float:
    return math.nan if found is None else found.value


def _means(pairs: Sequence[PairAgreement]) -> dict[str, float]:
    """The mean over the pairs of annotators of each measure, of those that have it."""
    means = {}
    for name, measure in _MEASURES.items():
        values = [value for one in pairs if not math.isnan(value := measure(one))]
        means[name] = sum(values) / len(values) if values else math.nan
    return means


def annotators_text(report: AnnotatorReport, *, show: int, by_type: bool) -> str:
    """The report as text, with the first ``show`` places of each list."""
    texts, pairs = report.texts, report.pairs
    alone = len(texts.texts) - len(texts.shared)
    parts = [
        f"{wording.counted(len(texts.shared), 'document')} of two annotators or more, {alone:,} of one alone\n"
        f"how: {wording.method_line(report.setting)}",
        _section(
            "Annotators", ("annotator", "documents", "entities"), [(n, f"{d}", f"{e}") for n, d, e in _work(texts)]
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
            wording.ratio(_value(one.overall.spans)),
            *_kappa_cells(one.overall.characters),
            *_kappa_cells(one.types),
        )
        for one in pairs
    ]
    if len(pairs) > 1:
        mean = {name: wording.ratio(value) for name, value in _means(pairs).items()}
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
                    wording.ratio(_value(one.by_type[label].characters)),
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


def remarks(report: AnnotatorReport) -> list[str]:
    """What a reader must know about how the documents were put together."""
    texts, lines = report.texts, []
    if texts.repeated:
        document, name = texts.repeated[0]
        lines.append(
            f"{len(texts.repeated):,} documents are there more than once by one annotator, and the first counts: "
            f"{document} by {name}"
        )
    if texts.parted:
        lines.append(
            f"{len(texts.parted):,} documents have one id and different texts, and are not compared: {texts.parted[0]}"
        )
    return lines
