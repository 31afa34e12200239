"""Evaluations and comparisons as records."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import Document, Entity
from medner.evaluation.measures.differences import Outcome, count_outcomes, judge_entities
from medner.evaluation.measures.matching import Pair
from medner.evaluation.measures.scoring import Counts, score
from medner.evaluation.measures.significance import Resampling
from medner.evaluation.reports.report import Setting, compare, evaluate

QUICK = Setting(Resampling(resamples=100))


def test_an_evaluation_counts_gold_and_lists_types_in_the_label_sets_order(chest: Document) -> None:
    """Types of the label set come first, in its order, also those that do not occur; unknown ones follow."""
    predicted = replace(chest, entities=(Entity(0, 6, "dis"), Entity(6, 7, "odd")))
    labels = load_label_set("cmeee-v2")
    evaluation = evaluate([chest], {"one": [predicted]}, replace(QUICK, labels=labels))
    assert (evaluation.gold.documents, evaluation.gold.entities, evaluation.gold.nested_entities) == (1, 3, 2)
    assert evaluation.labels == (*labels.codes, "odd")
    assert evaluation.systems[0].overall.counts == Counts(1, 1, 2)


def test_systems_share_one_list_of_types(chest: Document) -> None:
    """A type only one system gives has a row for every system."""
    systems = {"one": [replace(chest, entities=(Entity(0, 2, "odd"),))], "two": [chest]}
    evaluation = evaluate([chest], systems, QUICK)
    assert [tuple(system.by_type) for system in evaluation.systems] == [("bod", "dis", "odd", "sym")] * 2


def test_no_gold_is_refused() -> None:
    """An empty gold file would score everything as nothing of nothing."""
    with pytest.raises(UserError, match="holds no document"):
        evaluate([], {"one": []}, gold_name="empty.jsonl")


def test_a_comparison_counts_who_is_right_where(chest: Document) -> None:
    """A finds the outer entity and invents one, B finds the inner one and invents another."""
    a = replace(chest, entities=(Entity(0, 6, "dis"), Entity(6, 7, "sym")))
    b = replace(chest, entities=(Entity(0, 4, "bod"), Entity(7, 9, "dis")))
    comparison = compare([chest], {"a": [a], "b": [b]}, QUICK)
    assert comparison.overall.outcomes == {
        Outcome.BOTH_RIGHT: 0,
        Outcome.ONLY_A_RIGHT: 1,
        Outcome.ONLY_B_RIGHT: 1,
        Outcome.BOTH_MISSED: 1,
        Outcome.ONLY_A_WRONG: 1,
        Outcome.ONLY_B_WRONG: 1,
        Outcome.BOTH_WRONG: 0,
    }
    assert comparison.by_type["sym"].outcomes[Outcome.ONLY_A_WRONG] == 1
    assert comparison.nested.outcomes[Outcome.ONLY_B_WRONG] == 0
    assert comparison.overall.difference.f1.delta == 0


def test_a_comparison_needs_two_systems(chest: Document) -> None:
    """One system cannot be compared."""
    with pytest.raises(UserError, match="two systems"):
        compare([chest], {"a": [chest]})


@settings(max_examples=40)
@given(st.from_type(Pair), st.from_type(Pair))
def test_outcomes_add_up_to_the_counts_of_both_systems(one: Pair, two: Pair) -> None:
    """Right, missed and wrong of each system are sums of the outcomes, for all entities and for nested ones."""
    text = one.gold.text + two.gold.text
    gold = Document("1", text, one.gold.entities)
    a = [Pair(gold, Document("1", text, one.predicted.entities if one.predicted else two.gold.entities))]
    b = [Pair(gold, Document("1", text, two.gold.entities))]
    judged = judge_entities(a, b)
    for part, number in ((judged, "overall"), ([entry for entry in judged if entry.nested], "nested")):
        outcomes = count_outcomes(part)
        assert getattr(score(a), number) == Counts(
            outcomes[Outcome.BOTH_RIGHT] + outcomes[Outcome.ONLY_A_RIGHT],
            outcomes[Outcome.BOTH_WRONG] + outcomes[Outcome.ONLY_A_WRONG],
            outcomes[Outcome.ONLY_B_RIGHT] + outcomes[Outcome.BOTH_MISSED],
        )
        assert getattr(score(b), number) == Counts(
            outcomes[Outcome.BOTH_RIGHT] + outcomes[Outcome.ONLY_B_RIGHT],
            outcomes[Outcome.BOTH_WRONG] + outcomes[Outcome.ONLY_B_WRONG],
            outcomes[Outcome.ONLY_A_RIGHT] + outcomes[Outcome.BOTH_MISSED],
        )
