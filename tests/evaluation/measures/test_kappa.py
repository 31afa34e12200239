"""Kappa is what scikit-learn computes of the units written out one by one."""

from __future__ import annotations

import math
import random

import pytest

pytest.importorskip("sklearn")

from sklearn.metrics import cohen_kappa_score, f1_score

from medner.core.records import Document, Entity
from medner.evaluation.measures.kappa import Table, character_table, kappa, of_type, span_table, type_table
from medner.evaluation.measures.matching import Pair
from medner.evaluation.measures.scoring import Counts, count
from medner.evaluation.measures.significance import Resampling

TYPES = ("sym", "dis", "bod")
HOW = Resampling(resamples=200)


def pairs(seed: int, number: int = 6) -> list[Pair]:
    """Texts that two annotators marked, alike in part: nested, crossing, two types on one stretch, one of a type in
    another of its type."""
    draw = random.Random(seed)  # noqa: S311  the same texts in every run

    def entity(length: int) -> Entity:
        start = draw.randrange(length - 1)
        return Entity(start, draw.randint(start + 1, min(length, start + 8)), draw.choice(TYPES))

    found = []
    for place in range(number):
        text = "患者胸部疼痛伴咳嗽三天，既往糖尿病😊史。"[: draw.randint(6, 21)]
        shared = [entity(len(text)) for _ in range(draw.randrange(5))]
        one, other = (shared + [entity(len(text)) for _ in range(draw.randrange(3))] for _ in range(2))
        found.append(Pair(Document(f"{place}", text, tuple(one)), Document(f"{place}", text, tuple(other))))
    return found


def types_of(document: Document, start: int, end: int) -> str:
    """The types on exactly this stretch, as one category."""
    return "+".join(sorted(one.label for one in document.entities if (one.start, one.end) == (start, end)))


def types_at(document: Document, place: int) -> str:
    """The types of all entities around a character, as one category."""
    return "+".join(sorted({one.label for one in document.entities if one.start <= place < one.end}))


def units(pair: Pair, kind: str) -> list[tuple[str, str]]:
    """Every unit of a text with both annotators' categories."""
    one, other = pair.gold, pair.predicted
    assert other is not None
    if kind == "characters":
        return [(types_at(one, place), types_at(other, place)) for place in range(len(one.text))]
    spans = [(start, end) for start in range(len(one.text)) for end in range(start + 1, len(one.text) + 1)]
    found = [(types_of(one, *span), types_of(other, *span)) for span in spans]
    return found if kind == "spans" else [(a, b) for a, b in found if a and b]


TABLES = {"spans": span_table, "characters": character_table, "types": type_table}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("seed", range(12))
def test_it_is_scikit_learns(kind: str, seed: int) -> None:
    """Over stretches, characters and shared stretches; the number of units is that of the list."""
    found = pairs(seed)
    given = [unit for pair in found for unit in units(pair, kind)]
    ours = kappa([TABLES[kind](pair) for pair in found], HOW)
    theirs = cohen_kappa_score([a for a, _ in given], [b for _, b in given]) if given else math.nan
    assert ours.units == len(given)
    assert ours.value == pytest.approx(theirs, nan_ok=True)


@pytest.mark.parametrize("label", TYPES)
@pytest.mark.parametrize("kind", ["spans", "characters"])
def test_a_types_is_scikit_learns_of_yes_and_no(kind: str, label: str) -> None:
    """For a single type the category is whether it is there."""
    found = pairs(7, 20)
    given = [(label in a.split("+"), label in b.split("+")) for pair in found for a, b in units(pair, kind)]
    ours = kappa([of_type(TABLES[kind](pair), label) for pair in found], HOW)
    assert ours.value == pytest.approx(cohen_kappa_score([a for a, _ in given], [b for _, b in given]))


@pytest.mark.parametrize("label", TYPES)
def test_f1_is_scikit_learns_over_spans_and_kappa_tends_to_it(label: str) -> None:
    """The strict F1 of a type is that over stretches; with long texts kappa over stretches is the same."""
    found = pairs(3, 30)
    given = [(label in a.split("+"), label in b.split("+")) for pair in found for a, b in units(pair, "spans")]
    ours = sum(
        (
            count(
                {e for e in pair.expected if e.label == label},
                {e for e in pair.given if e.label == label},
            )
            for pair in found
        ),
        start=Counts(),
    )
    assert ours.f1 == pytest.approx(f1_score([a for a, _ in given], [b for _, b in given]))
    long = [_lengthened(pair, 5_000) for pair in found]
    assert kappa([of_type(span_table(pair), label) for pair in long], HOW).value == pytest.approx(ours.f1, abs=1e-4)


def _lengthened(pair: Pair, by: int) -> Pair:
    assert pair.predicted is not None
    one, other = (Document(each.id, each.text + "。" * by, each.entities) for each in (pair.gold, pair.predicted))
    return Pair(one, other)


def test_the_interval_holds_the_value_and_one_text_has_none() -> None:
    """Documents are drawn; where only chance agrees there is no kappa."""
    found = kappa([character_table(pair) for pair in pairs(1, 40)], HOW)
    assert found.interval.low < found.value < found.interval.high
    single = kappa([character_table(pairs(1)[0])], HOW)
    assert math.isnan(single.interval.low)
    nothing: Table = character_table(Pair(Document("a", "咳嗽"), Document("a", "咳嗽")))
    assert math.isnan(kappa([nothing], HOW).value)
