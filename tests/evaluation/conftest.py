"""Small documents, hand-made and random."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest

from medner.core.records import Document, Entity
from medner.evaluation.measures.matching import Pair

LABELS = ("dis", "sym", "bod")


@st.composite
def _entities(draw: st.DrawFn, length: int) -> tuple[Entity, ...]:
    places = st.tuples(st.integers(0, length - 1), st.integers(1, length)).filter(lambda place: place[0] < place[1])
    return tuple(Entity(*place, draw(st.sampled_from(LABELS))) for place in draw(st.lists(places, max_size=6)))


@st.composite
def _pairs(draw: st.DrawFn) -> Pair:
    text = draw(st.text("患者咳嗽3天，胸痛𠮷😀A\n", min_size=1, max_size=9))
    gold = Document("1", text, draw(_entities(len(text))))
    return Pair(gold, draw(st.none() | _entities(len(text)).map(lambda found: Document("1", text, found))))


st.register_type_strategy(Pair, _pairs())


@pytest.fixture
def chest() -> Document:
    """右肺下叶肺炎伴胸痛。 with a nested pair (右肺下叶 in 右肺下叶肺炎) and a flat symptom."""
    return Document("chest", "右肺下叶肺炎伴胸痛。", (Entity(0, 6, "dis"), Entity(0, 4, "bod"), Entity(7, 9, "sym")))
