"""Strict scores."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.records import Document, Entity
from medner.evaluation.measures.matching import Pair
from medner.evaluation.measures.scoring import Counts, nested_entities, score, score_document

pairs_of = st.lists(st.from_type(Pair), max_size=4)


def test_a_small_case_computed_by_hand(chest: Document) -> None:
    """One right of two predicted, of three gold: P 1/2, R 1/3, F1 2/5."""
    predicted = replace(chest, entities=(Entity(0, 6, "dis"), Entity(7, 8, "sym")))
    scored = score([Pair(chest, predicted)], ["sym", "dis"])
    assert scored.overall == Counts(tp=1, fp=1, fn=2)
    assert scored.overall.precision == pytest.approx(1 / 2)
    assert scored.overall.recall == pytest.approx(1 / 3)
    assert scored.overall.f1 == pytest.approx(2 / 5)
    assert list(scored.by_type) == ["sym", "dis", "bod"]
    assert scored.by_type["sym"] == Counts(0, 1, 1)
    assert scored.by_type["bod"] == Counts(0, 0, 1)


def test_nothing_of_nothing_is_not_a_number() -> None:
    """0/0 is NaN, and 0 of something is 0."""
    assert all(math.isnan(value) for value in (Counts().precision, Counts().recall, Counts().f1))
    assert math.isnan(Counts(fn=2).precision)
    assert (Counts(fn=2).recall, Counts(fn=2).f1, Counts(fp=1).f1) == (0, 0, 0)


def test_a_missing_prediction_misses_every_entity(chest: Document) -> None:
    """A document without a prediction counts in full as false negatives."""
    assert score([Pair(chest, None)]).overall == Counts(0, 0, 3)


def test_nesting_needs_different_spans_one_inside_the_other() -> None:
    """Equal spans and crossing spans are not nesting; a chain of three is."""
    assert nested_entities([Entity(0, 4, "dis"), Entity(0, 4, "sym")]) == frozenset()
    assert nested_entities([Entity(0, 4, "dis"), Entity(2, 6, "sym")]) == frozenset()
    chain = [Entity(0, 6, "sym"), Entity(1, 5, "dis"), Entity(1, 2, "bod")]
    assert nested_entities([*chain, Entity(6, 7, "bod")]) == frozenset(chain)


def test_nested_score_counts_what_touches_a_nested_entity(chest: Document) -> None:
    """A wrong prediction at the nested pair counts; a right flat one and a wrong one elsewhere do not."""
    given_ = (Entity(0, 4, "bod"), Entity(4, 6, "dis"), Entity(7, 9, "sym"), Entity(8, 9, "bod"))
    assert score([Pair(chest, replace(chest, entities=given_))]).nested == Counts(tp=1, fp=1, fn=1)


@given(st.from_type(Pair))
def test_nested_entities_are_those_with_a_proper_container_or_content(pair: Pair) -> None:
    """The sweep finds what comparing all pairs finds."""
    gold = pair.expected
    expected = {
        entity
        for entity in gold
        for other in gold
        if entity.span != other.span and (entity.span.contains(other.span) or other.span.contains(entity.span))
    }
    assert nested_entities(gold) == expected


@given(pairs_of)
def test_exchanging_gold_and_prediction_exchanges_precision_and_recall(pairs: list[Pair]) -> None:
    """The strict score is symmetric, and so is F1."""
    there = score(pairs).overall
    empty = [Pair(p.predicted or replace(p.gold, entities=()), p.gold) for p in pairs]
    back = score(empty).overall
    assert (there.tp, there.fp, there.fn) == (back.tp, back.fn, back.fp)
    assert there.precision == back.recall or (math.isnan(there.precision) and math.isnan(back.recall))
    assert there.f1 == back.f1 or (math.isnan(there.f1) and math.isnan(back.f1))


@given(pairs_of)
def test_types_and_documents_add_up(pairs: list[Pair]) -> None:
    """The counts of the types, and those of the documents, sum to the counts of all."""
    scored = score(pairs)
    assert sum(scored.by_type.values(), start=Counts()) == scored.overall
    assert sum((document.overall for document in scored.documents), start=Counts()) == scored.overall
    assert scored.overall.gold == sum(len(pair.gold.entities) for pair in pairs)


@given(st.from_type(Pair))
def test_nested_counts_are_a_part_of_all(pair: Pair) -> None:
    """No nested count is larger than the count of all entities."""
    counts = score_document(pair)
    assert counts.nested.tp <= counts.overall.tp
    assert counts.nested.fp <= counts.overall.fp
    assert counts.nested.fn <= counts.overall.fn
