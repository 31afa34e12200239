"""Which entities may overlap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.nesting import ANYWHERE, Nesting
from medner.core.records import Entity

FLAT = Nesting(allowed=False)
IN_SYMPTOMS = Nesting(outer=("sym",))

entities = st.builds(
    lambda start, length, label: Entity(start, start + length, label),
    st.integers(0, 6),
    st.integers(1, 5),
    st.sampled_from(["bod", "dis", "sym"]),
)


@pytest.mark.parametrize(
    ("one", "other", "forbidden"),
    [
        (Entity(0, 5, "sym"), Entity(0, 2, "bod"), False),  # a part at the edge
        (Entity(0, 5, "sym"), Entity(1, 3, "bod"), False),  # a part in the middle
        (Entity(0, 5, "dis"), Entity(0, 2, "bod"), True),  # a disease holds nothing
        (Entity(0, 5, "sym"), Entity(0, 2, "sym"), True),  # nor a symptom another
        (Entity(0, 5, "sym"), Entity(0, 5, "bod"), True),  # two types on one stretch
        (Entity(0, 5, "sym"), Entity(3, 7, "bod"), True),  # crossing
        (Entity(0, 5, "bod"), Entity(1, 3, "sym"), True),  # a symptom in a body part
        (Entity(0, 5, "dis"), Entity(5, 7, "dis"), False),  # side by side
    ],
)
def test_entities_lie_only_inside_the_outer_types(one: Entity, other: Entity, forbidden: bool) -> None:
    """Whatever the order of the two."""
    assert IN_SYMPTOMS.forbids(one, other) is IN_SYMPTOMS.forbids(other, one) is forbidden


@given(entities, entities)
def test_a_flat_set_forbids_every_overlap_and_an_open_one_none(one: Entity, other: Entity) -> None:
    """And the rule with outer types lies between the two."""
    assert FLAT.forbids(one, other) is one.span.overlaps(other.span)
    assert not ANYWHERE.forbids(one, other)
    assert FLAT.forbids(one, other) or not IN_SYMPTOMS.forbids(one, other)
