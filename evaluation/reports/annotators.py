"""The report on several annotators: how far they agree, where they do not, and gold that all taggers contradict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from medner.core.records import Entity
from medner.evaluation.measures.annotated_texts import AnnotatedText, AnnotatedTexts
from medner.evaluation.measures.annotators import Agreement, PairAgreement
from medner.evaluation.measures.contradictions import Contradicted
from medner.evaluation.measures.errors import FALSE_POSITIVES
from medner.evaluation.measures.kappa import Kappa
from medner.evaluation.reports.report import Setting
from medner.evaluation.reports.structure import AROUND, Json, head


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
            {"name": name, "documents": documents, "entities": entities} for name, documents, entities in work_of(texts)
        ],
        "pairs": [_pair(one) for one in report.pairs],
        "mean": {key: _number(value) for key, value in means_of(report.pairs).items()},
        "disputed": [
            {"document": text.id, **asdict(entity), "text": entity.text_in(text.text), "annotators": list(by)}
            for text, entity, by in report.disputed
        ],
        "taggers": list(report.taggers),
        "contradicted": None if report.contradicted is None else [_contradicted(one) for one in report.contradicted],
    }


def work_of(texts: AnnotatedTexts) -> Iterator[tuple[str, int, int]]:
    """Each annotator, with the documents and the entities that are theirs."""
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
    "kappa_spans": lambda one: value_of(one.overall.spans),
    "kappa_characters": lambda one: value_of(one.overall.characters),
    "kappa_types": lambda one: one.types.value,
}


def value_of(found: Kappa | None) -> float:
    """The value of a kappa; NaN where there is none."""
    return math.nan if found is None else found.value


def means_of(pairs: Sequence[PairAgreement]) -> dict[str, float]:
    """The mean over the pairs of annotators of each measure, of those that have it."""
    means = {}
    for name, measure in _MEASURES.items():
        values = [value for one in pairs if not math.isnan(value := measure(one))]
        means[name] = sum(values) / len(values) if values else math.nan
    return means


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
