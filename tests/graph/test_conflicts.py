"""Where taggers disagree: what is agreed, what is a conflict, and of which kind."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.nesting import Nesting
from medner.core.records import Candidate, ConflictKind, Decoded, Entity, TaggerOutput, in_order
from medner.graph.conflicts import Agreement, detect_conflicts, gather_candidates, relation

entities = st.builds(
    lambda start, length, label: Entity(start, start + length, label),
    st.integers(0, 12),
    st.integers(1, 5),
    st.sampled_from(["bod", "dis", "sym"]),
)
outputs = st.lists(st.lists(entities, max_size=6), min_size=1, max_size=4).map(
    lambda said: [TaggerOutput(f"t{n}", "", Decoded(in_order(each))) for n, each in enumerate(said)]
)


def detect(answers: list[TaggerOutput], *, nested: bool = True) -> Agreement:
    return detect_conflicts(gather_candidates(answers), [answer.tagger for answer in answers], Nesting(nested))


def agreement(*said: list[Entity], nested: bool = True) -> Agreement:
    return detect(
        [TaggerOutput(f"t{n}", "", Decoded(in_order(each))) for n, each in enumerate(said)],
        nested=nested,
    )


@given(outputs)
def test_every_proposed_entity_is_a_candidate_once(answers: list[TaggerOutput]) -> None:
    """Candidates are the union of what was said, in text order, each with exactly its taggers, sorted."""
    candidates = gather_candidates(answers)
    assert tuple(candidate.entity for candidate in candidates) == in_order(
        entity for answer in answers for entity in answer.decoded.entities
    )
    for candidate in candidates:
        said_by = sorted(answer.tagger for answer in answers if candidate.entity in answer.decoded.entities)
        assert list(candidate.taggers) == said_by


@given(outputs, st.booleans())
def test_agreed_and_disputed_candidates_are_all_candidates(answers: list[TaggerOutput], nested: bool) -> None:
    """Nothing is lost, nothing stands twice; what is agreed was said by all."""
    result = detect(answers, nested=nested)
    disputed = [candidate for conflict in result.conflicts for candidate in conflict.candidates]
    assert sorted([*result.agreed, *disputed]) == sorted(gather_candidates(answers))
    assert all(len(candidate.taggers) == len(answers) for candidate in result.agreed)
    if nested:
        assert all(len(candidate.taggers) < len(answers) for candidate in disputed)


def test_agreed_entities_that_exclude_one_another_are_disputed() -> None:
    """Where parts lie only inside symptoms, a part that all see inside a disease is a conflict."""
    disease, part, symptom, inner = Entity(0, 5, "dis"), Entity(0, 2, "bod"), Entity(6, 10, "sym"), Entity(6, 8, "bod")
    said = [Candidate(one, ("a", "b")) for one in (disease, part, symptom, inner)]
    result = detect_conflicts(said, ["a", "b"], Nesting(outer=("sym",)))
    assert [one.entity for one in result.agreed] == [symptom, inner]
    (conflict,) = result.conflicts
    assert [one.entity for one in conflict.candidates] == [disease, part]


@given(outputs, st.booleans())
def test_conflicts_are_connected_and_apart(answers: list[TaggerOutput], nested: bool) -> None:
    """Regions of two conflicts share no character; within one there is no place to cut it in two."""
    conflicts = detect(answers, nested=nested).conflicts
    assert [conflict.id for conflict in conflicts] == [f"c{n}" for n in range(len(conflicts))]
    assert [conflict.region for conflict in conflicts] == sorted(conflict.region for conflict in conflicts)
    for one, other in combinations(conflicts, 2):
        assert not one.region.overlaps(other.region)
    for conflict in conflicts:
        spans = [candidate.entity.span for candidate in conflict.candidates]
        assert conflict.region.start == min(span.start for span in spans)
        assert conflict.region.end == max(span.end for span in spans)
        for cut in range(conflict.region.start + 1, conflict.region.end):
            assert any(span.start < cut < span.end for span in spans)


@given(outputs, st.randoms(use_true_random=False), st.booleans())
def test_order_never_matters(answers: list[TaggerOutput], random, nested: bool) -> None:
    """Shuffled taggers, shuffled candidates, shuffled voters: the same agreement."""
    shuffled = random.sample(answers, len(answers))
    candidates = list(gather_candidates(shuffled))
    voters = [answer.tagger for answer in shuffled]
    random.shuffle(candidates)
    random.shuffle(voters)
    assert detect_conflicts(candidates, voters, Nesting(nested)) == detect(answers, nested=nested)


@given(outputs)
def test_only_a_lone_candidate_overlaps_nothing(answers: list[TaggerOutput]) -> None:
    """`no_overlap` means one candidate that neither another one nor an agreed entity touches; and nothing else does."""
    for conflict in detect(answers).conflicts:
        lonely = len(conflict.candidates) == 1 and not conflict.context
        assert (conflict.kind is ConflictKind.NO_OVERLAP) == lonely


@given(outputs)
def test_context_is_what_is_agreed_in_or_around_the_region(answers: list[TaggerOutput]) -> None:
    """Every agreed entity that overlaps the region, and no other, in text order."""
    result = detect(answers)
    for conflict in result.conflicts:
        touching = [item.entity for item in result.agreed if item.entity.span.overlaps(conflict.region)]
        assert list(conflict.context) == touching


@given(outputs)
def test_in_a_flat_set_what_is_agreed_does_not_overlap(answers: list[TaggerOutput]) -> None:
    """Entities that overlap cannot all be right there, even when every tagger says all of them."""
    for one, other in combinations(detect(answers, nested=False).agreed, 2):
        assert not one.entity.span.overlaps(other.entity.span)


@given(outputs.filter(lambda answers: len(answers) == 1))
def test_a_single_tagger_never_disagrees(answers: list[TaggerOutput]) -> None:
    """With one voter everything is agreed."""
    assert detect(answers).conflicts == ()


@given(entities, entities)
def test_relation_is_symmetric(one: Entity, other: Entity) -> None:
    """How two entities stand to one another does not depend on which comes first."""
    assert relation(one, other) == relation(other, one)


# In 患者颈部淋巴结肿大伴咽痛: 颈部 2-4, 淋巴结 4-7, 颈部淋巴结 2-7, 颈部淋巴结肿大 2-9, 咽痛 10-12.
NECK_SWELLING = Entity(2, 9, "sym")
SWELLING = Entity(4, 9, "sym")
NODE = Entity(2, 7, "bod")
THROAT = Entity(10, 12, "sym")


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ([THROAT], [Entity(10, 12, "dis")], ConflictKind.SAME_SPAN_OTHER_TYPE),
        ([NECK_SWELLING], [SWELLING], ConflictKind.OVERLAP_SAME_TYPE),
        ([NECK_SWELLING], [NODE], ConflictKind.OVERLAP_OTHER_TYPE),
        ([NECK_SWELLING, THROAT], [NECK_SWELLING], ConflictKind.NO_OVERLAP),
    ],
)
def test_the_four_kinds(first: list[Entity], second: list[Entity], kind: ConflictKind) -> None:
    """Each of the paper's kinds of disagreement is told from the others."""
    (conflict,) = agreement(first, second).conflicts
    assert conflict.kind is kind


def test_the_closest_kind_names_the_conflict() -> None:
    """A region with several kinds of disagreement is of the closest one."""
    (conflict,) = agreement([NECK_SWELLING, NODE], [SWELLING, Entity(4, 9, "dis")]).conflicts
    assert conflict.kind is ConflictKind.SAME_SPAN_OTHER_TYPE
    assert len(conflict.candidates) == 4


def test_an_agreed_nested_entity_is_context() -> None:
    """What all say inside a disputed entity stays out of the question."""
    result = agreement([NECK_SWELLING, NODE], [SWELLING, NODE])
    (conflict,) = result.conflicts
    assert [item.entity for item in result.agreed] == [NODE]
    assert conflict.context == (NODE,)
    assert [item.entity for item in conflict.candidates] == [NECK_SWELLING, SWELLING]


def test_agreed_entities_do_not_join_conflicts() -> None:
    """Two disputed entities that only meet in an agreed one are two conflicts."""
    outer = Entity(0, 9, "sym")
    result = agreement([outer, Entity(0, 2, "bod")], [outer, Entity(7, 9, "ite")])
    assert [conflict.region.start for conflict in result.conflicts] == [0, 7]
    assert all(conflict.context == (outer,) for conflict in result.conflicts)


def test_neighbours_that_only_touch_are_apart() -> None:
    """Ends are exclusive: [0, 2) and [2, 4) share no character."""
    result = agreement([Entity(0, 2, "dis")], [Entity(2, 4, "dis")])
    assert [conflict.kind for conflict in result.conflicts] == [ConflictKind.NO_OVERLAP] * 2


def test_in_a_flat_set_overlapping_agreement_is_a_conflict() -> None:
    """Two entities that every tagger gives, one inside the other, go to the judge; alone each would be agreed."""
    both = [NECK_SWELLING, NODE]
    assert agreement(both, both).conflicts == ()
    flat = agreement(both, both, nested=False)
    assert flat.agreed == ()
    assert [item.taggers for item in flat.conflicts[0].candidates] == [("t0", "t1")] * 2
    assert agreement([NODE], [NODE], nested=False).agreed == (Candidate(NODE, ("t0", "t1")),)
