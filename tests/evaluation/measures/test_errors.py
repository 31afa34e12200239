"""The classes of errors."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.records import Document, Entity
from medner.evaluation.measures.errors import (
    FALSE_POSITIVES,
    NESTED_CLASSES,
    ErrorClass,
    Mistake,
    classify,
    find_mistakes,
    tabulate,
)
from medner.evaluation.measures.matching import Pair
from medner.evaluation.measures.scoring import score


@pytest.mark.parametrize(
    ("entity", "kind"),
    [
        (Entity(0, 4, "dis"), ErrorClass.SAME_SPAN_OTHER_TYPE),
        (Entity(0, 5, "dis"), ErrorClass.OVERLAP_SAME_TYPE),
        (Entity(0, 5, "sym"), ErrorClass.OVERLAP_OTHER_TYPE),
        (Entity(6, 7, "dis"), ErrorClass.NO_OVERLAP),
    ],
)
def test_a_false_positive_gets_the_first_class_that_fits(chest: Document, entity: Entity, kind: ErrorClass) -> None:
    """[0, 4) dis also overlaps a gold dis, and has the same span as a gold bod: the same span comes first."""
    assert classify(entity, chest.entities)[0] is kind


def test_the_nearest_gold_entity_decides_the_boundary_distance() -> None:
    """Of two overlapping gold entities of the type the one with the smaller shift of start plus end is taken."""
    kind, near = classify(Entity(1, 6, "sym"), [Entity(0, 2, "sym"), Entity(2, 7, "sym")])
    assert (kind, near) == (ErrorClass.OVERLAP_SAME_TYPE, Entity(2, 7, "sym"))
    assert Mistake("1", Entity(1, 6, "sym"), kind, near).boundary_distance == 2


def test_the_boundary_table_counts_distances(chest: Document) -> None:
    """Off by one at the end, by three at both sides together, and a class that is not in the table."""
    given_ = (Entity(7, 8, "sym"), Entity(1, 4, "dis"), Entity(6, 7, "bod"))
    boundaries = tabulate(find_mistakes([Pair(chest, replace(chest, entities=given_))])).boundaries
    assert boundaries.counts == {1: 1, 3: 1}
    assert boundaries.share_within(2) == pytest.approx(1 / 2)


def test_no_boundary_errors_have_no_share() -> None:
    """The share within two characters of nothing is NaN."""
    assert math.isnan(tabulate([]).boundaries.share_within(2))


@given(st.lists(st.from_type(Pair), max_size=4))
def test_classes_partition_the_errors(pairs: list[Pair]) -> None:
    """Each false positive is in exactly one of four classes, and each missed entity in the fifth."""
    mistakes = find_mistakes(pairs)
    table, counts = tabulate(mistakes), score(pairs).overall
    assert table.false_positives == counts.fp
    assert table.overall[ErrorClass.MISSED] == counts.fn
    assert table.total == len(mistakes) == counts.fp + counts.fn
    assert sum(table.overall[kind] for kind in FALSE_POSITIVES) == counts.fp


@given(st.lists(st.from_type(Pair), max_size=4))
def test_nested_classes_partition_the_nested_false_positives(pairs: list[Pair]) -> None:
    """The nested errors sum to the false positives of the nested score, so no class without overlap is needed."""
    table, counts = tabulate(find_mistakes(pairs)), score(pairs).nested
    assert sum(table.nested[kind] for kind in NESTED_CLASSES) == counts.fp
    assert table.nested[ErrorClass.MISSED] == counts.fn
    assert all(table.nested[kind] <= table.overall[kind] for kind in NESTED_CLASSES)


@given(st.from_type(Pair))
def test_a_same_type_overlap_is_always_off_by_something(pair: Pair) -> None:
    """A boundary distance of 0 would be a right entity."""
    for mistake in find_mistakes([pair]):
        if mistake.kind is ErrorClass.OVERLAP_SAME_TYPE:
            assert mistake.boundary_distance > 0
