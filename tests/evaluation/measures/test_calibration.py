"""Whether scores mean what they say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.records import Document, Entity
from medner.evaluation.measures.calibration import calibrate
from medner.evaluation.measures.matching import Pair

TEXT = "患者胸痛伴咳嗽，考虑肺炎。"
PAIN, COUGH, LUNG = Entity(2, 4, "sym"), Entity(5, 7, "sym"), Entity(10, 12, "dis")


def pair(right: list[Entity], said: list[Entity], name: str = "a") -> Pair:
    return Pair(Document("gold", TEXT, tuple(right)), Document(name, TEXT, tuple(said)))


def test_the_error_is_the_mean_distance_of_score_and_share() -> None:
    """Two entities of .75, one of them right, and one of 1.0 that is wrong: (2 * .25 + 1) / 3."""
    found = calibrate([pair([PAIN], [PAIN, COUGH, LUNG])], {"a": {PAIN: 0.75, COUGH: 0.75, LUNG: 1.0}})
    assert found is not None
    assert found.error == pytest.approx(1.5 / 3)
    assert (found.entities, found.unscored) == (3, 0)
    bin_of_two, last = found.bins[7], found.bins[9]
    assert (bin_of_two.entities, bin_of_two.right, bin_of_two.mean, bin_of_two.share) == (2, 1, 0.75, 0.5)
    assert (last.entities, last.share) == (1, 0.0)
    assert math.isnan(found.bins[0].mean)
    assert math.isnan(found.bins[0].share)


def test_entities_without_a_score_are_counted_apart() -> None:
    """A missing prediction counts for nothing, a document that is not known has no scores."""
    pairs = [pair([PAIN], [PAIN, COUGH]), pair([PAIN], [PAIN], "b"), Pair(Document("gold", TEXT, (PAIN,)), None)]
    found = calibrate(pairs, {"a": {PAIN: 0.5}})
    assert found is not None
    assert (found.entities, found.unscored) == (1, 2)
    assert calibrate(pairs, {}) is None
    assert calibrate(pairs, {"a": {LUNG: 0.5}}) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=12))
def test_the_error_is_a_share(said: list[tuple[float, bool]]) -> None:
    """Between 0 and 1, whatever the scores; every scored entity is in one bin."""
    entities = [Entity(place, place + 1, "sym") for place in range(len(said))]
    right = [entity for entity, (_, is_right) in zip(entities, said, strict=True) if is_right]
    scores = {entity: score for entity, (score, _) in zip(entities, said, strict=True)}
    found = calibrate([pair(right, entities)], {"a": scores})
    assert found is not None
    assert found.entities == len(said)
    assert -1e-9 <= found.error <= 1 + 1e-9
    assert all(one.low - 1e-9 <= one.mean <= one.high + 1e-9 for one in found.bins if one.entities)
