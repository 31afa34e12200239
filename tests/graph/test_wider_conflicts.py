"""What is questioned beside disagreements: what all taggers gave with a low score, and what none gave."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.nesting import ANYWHERE, Nesting
from medner.core.records import Candidate, Conflict, ConflictKind, Entity
from medner.core.wider_conflicts import DISAGREEMENTS, WiderConflicts
from medner.graph.conflicts import Agreement, counted_by_kind, detect_conflicts

VOTERS = ("a", "b")
BOTH = WiderConflicts(doubtful=0.5, maybe=0.1)
votes = st.sampled_from([(), ("a",), ("b",), VOTERS])
candidates = st.lists(
    st.builds(
        lambda start, length, label, taggers, score: Candidate(Entity(start, start + length, label), taggers, score),
        st.integers(0, 12),
        st.integers(1, 5),
        st.sampled_from(["bod", "dis", "sym"]),
        votes,
        st.one_of(st.none(), st.floats(0.1, 1.0)),
    ),
    max_size=10,
    unique_by=lambda candidate: candidate.entity,
)
bounds = st.builds(WiderConflicts, st.sampled_from([None, 0.5, 0.9]), st.just(0.1), st.integers(1, 4))
nestings = st.sampled_from([ANYWHERE, Nesting(allowed=False), Nesting(outer=("sym",))])


def detect(*said: Candidate, wider: WiderConflicts = BOTH, nesting: Nesting = ANYWHERE) -> Agreement:
    return detect_conflicts(said, VOTERS, nesting, wider)


def shown(found: Agreement) -> list[Candidate]:
    return [candidate for conflict in found.conflicts for candidate in conflict.candidates]


def the_conflict(found: Agreement) -> Conflict:
    (conflict,) = found.conflicts
    return conflict


def said(start: int, end: int, label: str, score: float = 0.9, taggers: tuple[str, ...] = VOTERS) -> Candidate:
    return Candidate(Entity(start, end, label), taggers, score)


def test_what_all_gave_with_a_low_score_is_doubtful() -> None:
    """Under the bound it goes to the judge, at the bound it is agreed, and so it is where no filter gave a score."""
    low, at_the_bound, unscored = (
        said(0, 2, "dis", 0.49),
        said(3, 5, "dis", 0.5),
        Candidate(Entity(6, 8, "dis"), VOTERS),
    )
    found = detect(low, at_the_bound, unscored)
    assert found.agreed == (at_the_bound, unscored)
    assert the_conflict(found).kind is ConflictKind.DOUBTFUL
    assert shown(found) == [low]


def test_what_none_gave_is_a_maybe() -> None:
    """It is a candidate of no tagger; the agreed entity around it is its context."""
    around, inner = said(0, 5, "sym"), said(0, 2, "bod", 0.2, ())
    conflict = the_conflict(detect(around, inner))
    assert (conflict.kind, conflict.candidates, conflict.context) == (ConflictKind.MAYBE, (inner,), (around.entity,))


def test_another_type_of_a_stretch_is_asked_about_where_the_stretch_is_in_question() -> None:
    """Beside an agreed entity it could not be kept; beside a doubtful or a disputed one it is its rival."""
    other_type = said(0, 2, "sym", 0.3, ())
    assert detect(said(0, 2, "dis", 0.6), other_type).conflicts == ()
    assert the_conflict(detect(said(0, 2, "dis", 0.4), other_type)).kind is ConflictKind.DOUBTFUL
    conflict = the_conflict(detect(said(0, 2, "dis", 0.6, ("a",)), other_type))
    assert conflict.kind is ConflictKind.NO_OVERLAP
    assert other_type in conflict.candidates


def test_disagreement_names_a_conflict_before_doubt() -> None:
    """The kind is that of the pairs that taggers gave; a maybe beside them changes nothing of it."""
    short, long, doubtful = said(0, 2, "sym", 0.6, ("a",)), said(0, 4, "sym", 0.6, ("b",)), said(3, 6, "bod", 0.2)
    maybe = said(0, 2, "dis", 0.2, ())
    assert the_conflict(detect(short, long, doubtful, maybe)).kind is ConflictKind.OVERLAP_SAME_TYPE
    assert the_conflict(detect(short, maybe)).kind is ConflictKind.NO_OVERLAP
    assert the_conflict(detect(said(0, 4, "sym", 0.6, ("a",)), doubtful)).kind is ConflictKind.OVERLAP_OTHER_TYPE
    assert the_conflict(detect(said(0, 4, "sym", 0.2), doubtful, maybe)).kind is ConflictKind.DOUBTFUL


def test_an_agreed_entity_beside_a_doubtful_one_stays_context() -> None:
    """Only the doubtful one is in question."""
    part, symptom = said(0, 2, "bod", 0.9), said(0, 5, "sym", 0.3)
    found = detect(part, symptom)
    assert found.agreed == (part,)
    assert (the_conflict(found).candidates, the_conflict(found).context) == ((symptom,), (part.entity,))


def test_at_most_some_of_each_kind_are_asked_about_and_the_rest_is_counted() -> None:
    """The least probable doubtful ones, which else stay agreed, and the most probable maybes."""
    doubtful = [said(4 * place, 4 * place + 2, "dis", 0.1 + place / 10) for place in range(3)]
    maybes = [said(20 + 4 * place, 22 + 4 * place, "dis", 0.1 + place / 10, ()) for place in range(4)]
    found = detect(*doubtful, *maybes, wider=WiderConflicts(0.5, 0.1, most=2))
    assert shown(found) == [*doubtful[:2], *maybes[2:]]
    assert found.agreed == (doubtful[2],)
    assert found.left_out == (doubtful[2], *maybes[:2])
    assert counted_by_kind(found.left_out) == {"doubtful": 1, "maybe": 2}


@given(candidates, bounds, nestings)
def test_bounds_hold_and_nothing_that_was_given_is_lost(
    given_candidates: list[Candidate], wider: WiderConflicts, nesting: Nesting
) -> None:
    """Everything a tagger gave is agreed or disputed; of what none gave, at most the bound, none beside an agreed
    entity that excludes it."""
    found = detect(*given_candidates, wider=wider, nesting=nesting)
    given_by_some = sorted(one for one in given_candidates if one.taggers)
    assert sorted([*found.agreed, *(one for one in shown(found) if one.taggers)]) == given_by_some
    maybes = [one for one in shown(found) if not one.taggers]
    assert len(maybes) <= wider.most
    assert not any(nesting.excludes(one.entity, other.entity) for one in maybes for other in found.agreed)
    assert all(not one.region.overlaps(other.region) for one, other in combinations(found.conflicts, 2))
    for conflict in found.conflicts:
        if conflict.kind is ConflictKind.MAYBE:
            assert not any(one.taggers for one in conflict.candidates)
        if conflict.kind is ConflictKind.DOUBTFUL:
            assert {one.taggers for one in conflict.candidates} <= {(), VOTERS}


@given(candidates, bounds, st.randoms(use_true_random=False))
def test_order_never_matters(given_candidates: list[Candidate], wider: WiderConflicts, random) -> None:
    """Shuffled candidates: the same agreement."""
    shuffled = random.sample(given_candidates, len(given_candidates))
    assert detect(*shuffled, wider=wider) == detect(*given_candidates, wider=wider)


@given(candidates)
def test_without_bounds_only_disagreements_are_conflicts(given_candidates: list[Candidate]) -> None:
    """The settings that are the default change nothing, whatever the scores are."""
    proposed = [one for one in given_candidates if one.taggers]
    assert detect(*proposed, wider=DISAGREEMENTS) == detect_conflicts(proposed, VOTERS)
    assert not {one.kind for one in detect(*proposed, wider=DISAGREEMENTS).conflicts} & {
        ConflictKind.DOUBTFUL,
        ConflictKind.MAYBE,
    }


@pytest.mark.parametrize(
    ("one", "other", "excluded"),
    [
        (Entity(0, 2, "dis"), Entity(0, 2, "sym"), True),
        (Entity(0, 4, "sym"), Entity(2, 6, "sym"), True),
        (Entity(0, 4, "sym"), Entity(0, 2, "bod"), False),
        (Entity(0, 4, "dis"), Entity(0, 2, "bod"), True),
        (Entity(0, 2, "dis"), Entity(2, 4, "dis"), False),
    ],
)
def test_of_which_entities_one_excludes_the_other(one: Entity, other: Entity, excluded: bool) -> None:
    """The same stretch, an overlap in the same type, an overlap that the label set forbids; either way round."""
    nesting = Nesting(outer=("sym",))
    assert nesting.excludes(one, other) is nesting.excludes(other, one) is excluded
