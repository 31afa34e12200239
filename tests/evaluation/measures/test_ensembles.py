"""Votes over systems, and how far systems agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.errors import UserError
from medner.core.records import Document, Entity
from medner.evaluation.measures.ensembles import agreement, all_ensembles, hard_vote, intersection, oracle, union
from medner.evaluation.measures.matching import Pair

TEXT = "胸痛伴发热。"
PAIN, CHEST, FEVER, LONG = Entity(0, 2, "sym"), Entity(0, 1, "bod"), Entity(3, 5, "sym"), Entity(0, 5, "sym")
SYSTEMS = {
    "one": [Document("1", TEXT, (PAIN, FEVER)), Document("2", "咳嗽", (Entity(0, 2, "sym"),))],
    "two": [Document("1", TEXT, (PAIN, CHEST)), Document("2", "咳嗽", (Entity(0, 2, "sym"),))],
    "three": [Document("1", TEXT, (PAIN, FEVER, LONG)), Document("2", "咳嗽", (Entity(0, 2, "sym"),))],
}
GOLD = [Document("1", TEXT, (CHEST, FEVER)), Document("2", "咳嗽")]


def test_a_vote_keeps_what_enough_systems_say() -> None:
    """Two of three, any, and all."""
    assert hard_vote(SYSTEMS)[0].entities == (PAIN, FEVER)
    assert set(union(SYSTEMS)[0].entities) == {PAIN, CHEST, FEVER, LONG}
    assert intersection(SYSTEMS)[0].entities == (PAIN,)


def test_the_oracle_keeps_agreed_entities_and_the_right_disputed_ones() -> None:
    """It cannot drop an agreed error (胸痛, 咳嗽), and drops every disputed one."""
    right = oracle(SYSTEMS, GOLD)
    assert set(right[0].entities) == {PAIN, CHEST, FEVER}
    assert right[1].entities == (Entity(0, 2, "sym"),)


def test_agreement_counts_entities_and_documents() -> None:
    """Three disputed entities in one document; two agreed ones."""
    counts = agreement(SYSTEMS)
    assert (counts.agreed, counts.disputed, counts.documents_in_dispute, counts.documents) == (2, 3, 1, 2)


def test_a_vote_that_cannot_be_won_is_refused() -> None:
    """Four of three is a mistake of the caller."""
    with pytest.raises(UserError, match="1 to 3 of them, not 4"):
        hard_vote(SYSTEMS, 4)


def test_two_of_two_is_a_majority() -> None:
    """More than half of two systems are both, and the name of the vote says so."""
    two = {name: SYSTEMS[name] for name in ("one", "two")}
    assert list(all_ensembles(two, GOLD)) == ["hard vote (2 of 2)", "union", "unanimous", "oracle"]


@given(st.from_type(Pair), st.from_type(Pair))
def test_a_stricter_vote_keeps_less(one: Pair, two: Pair) -> None:
    """Intersection is within hard vote, hard vote within union, whatever the systems say."""
    text = one.gold.text + two.gold.text
    answers = (one.gold, one.predicted or one.gold, two.gold)
    systems = {str(at): [Document("1", text, document.entities)] for at, document in enumerate(answers)}
    all_, some, any_ = (set(hard_vote(systems, needed)[0].entities) for needed in (3, 2, 1))
    assert all_ <= some <= any_
    counts = agreement(systems)
    assert (counts.agreed, counts.agreed + counts.disputed) == (len(all_), len(any_))
