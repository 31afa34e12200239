"""The loss curve as a picture."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.training.plot import HEIGHT, WIDTH, loss_svg, smoothed, ticks

FINITE = st.floats(min_value=0, max_value=1e9, allow_nan=False)


@given(st.lists(st.tuples(FINITE, FINITE), max_size=30), st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"])))
def test_it_is_always_well_formed_and_inside_its_frame(points: list[tuple[float, float]], title: str) -> None:
    """Any points and any title, Chinese or markup, give XML whose curves stay inside the picture."""
    root = ElementTree.fromstring(loss_svg(points, title=title))  # noqa: S314  our own
    shown = root.find("{*}title")
    assert shown is not None
    assert "".join(shown.itertext()).split() == title.split()
    for curve in root.findall("{*}polyline"):
        for pair in curve.attrib["points"].split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


def test_both_curves_are_drawn() -> None:
    """The measured losses stand pale behind the smoothed ones."""
    root = ElementTree.fromstring(loss_svg([(1, 3.0), (2, 1.0)], title="损失"))  # noqa: S314  our own
    assert [curve.get("class") for curve in root.findall("{*}polyline")] == ["raw", "smooth"]


def test_smoothing_is_a_running_mean() -> None:
    """Each point is the mean of the last few."""
    assert smoothed([(1, 4.0), (2, 2.0), (3, 6.0)], window=2) == [(1, 4.0), (2, 3.0), (3, 4.0)]


@pytest.mark.parametrize(
    ("most", "expected"),
    [(0, [0, 1]), (4.2, [0, 1, 2, 3, 4, 5]), (0.31, [0, 0.1, 0.2, 0.3, 0.4]), (900, [0, 200, 400, 600, 800, 1000])],
)
def test_ticks_are_round(most: float, expected: list[float]) -> None:
    """Axes go in steps of 1, 2 or 5 times a power of ten."""
    assert ticks(most) == pytest.approx(expected)


@given(st.floats(min_value=1e-6, max_value=1e12))
def test_ticks_reach_the_highest_value(most: float) -> None:
    """The last tick is at least the highest value, and there are few."""
    found = ticks(most)
    assert found[-1] >= most * (1 - 1e-9)
    assert 2 <= len(found) <= 6
