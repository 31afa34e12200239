"""Where text stands in its file: cut, found and checked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.records import Document, SourcePlace, places_of

LINE = SourcePlace(10, 14, 2, 3, "", (0.0, 100.0, 40.0, 110.0), (10.0, 20.0, 30.0, 40.0))


def test_a_cut_place_keeps_the_rectangle_of_its_characters() -> None:
    """The second and third character of a line stand from 10 to 30."""
    assert LINE.cut(11, 13) == SourcePlace(11, 13, 2, 3, "", (10.0, 100.0, 30.0, 110.0), (20.0, 30.0))
    assert LINE.cut(0, 99) is LINE
    turned = SourcePlace(0, 4, 1, 1, "", (0.0, 0.0, 10.0, 40.0))
    assert turned.cut(1, 2).box == turned.box


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=8), st.data())
def test_places_of_a_span_are_those_that_share_a_character(
    stretches: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """As a look at every character gives them, gaps included."""
    places, at = [], 0
    for number, (length, is_gap) in enumerate(stretches, 1):
        if not is_gap:
            places.append(SourcePlace(at, at + length, paragraph=number))
        at += length
    start = data.draw(st.integers(0, at - 1))
    end = data.draw(st.integers(start + 1, at))
    found = places_of(places, start, end)
    covered = {one for place in found for one in range(place.start, place.end)}
    assert covered == {one for place in places for one in range(place.start, place.end) if start <= one < end}
    assert len({place.paragraph for place in found}) == len(found)


def test_places_that_contradict_the_text_are_refused() -> None:
    """Overlapping ones, and those outside."""
    for wrong in ((SourcePlace(0, 2), SourcePlace(1, 3)), (SourcePlace(2, 5),)):
        with pytest.raises(ValueError, match="overlaps another, or lies outside"):
            Document("1", "胸痛。", (), (), wrong)
    with pytest.raises(ValueError, match="do not fit"):
        SourcePlace(0, 2, box=(0, 0, 1, 1), edges=(1.0,))
