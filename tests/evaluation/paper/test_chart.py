"""Charts as SVG."""

from __future__ import annotations

import math
from xml.etree import ElementTree

from hypothesis import example, given, settings
from hypothesis import strategies as st

from medner.evaluation.paper.chart import WIDTH, Bar, BarChart, Group, bar_chart

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "<script>alert('咳嗽')</script>&"


def drawn(chart: BarChart) -> ElementTree.Element:
    """The chart, parsed."""
    return ElementTree.fromstring(bar_chart(chart))  # noqa: S314  our own text


@settings(max_examples=40, deadline=None)
@example([(0.0, 2.2250738585072014e-308)], "")
@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1e3)), min_size=1, max_size=8), st.text(max_size=60))
def test_bars_stay_inside_the_picture(values: list[tuple[float, float]], label: str) -> None:
    """Whatever values and labels, the drawing is well-formed, and every bar and whisker lies inside its width."""
    groups = tuple(Group(label, (Bar(low, "x", low, low + more),)) for low, more in values)
    svg = drawn(BarChart("t", "d", ("one",), groups))
    bars = list(svg.iter(f"{SVG}rect"))[1:]  # the first is the legend's
    assert len(bars) == len(values)
    assert all(float(bar.attrib["x"]) + float(bar.attrib["width"]) <= WIDTH for bar in bars)


def test_a_chart_tells_its_title_and_escapes_what_it_shows() -> None:
    """A screen reader hears title and description; markup in a name stays text."""
    svg = drawn(BarChart(EVIL, "description", (EVIL,), (Group(EVIL, (Bar(1, EVIL),)),)))
    assert svg.attrib["role"] == "img"
    assert [child.text for child in svg[:2]] == [EVIL, "description"]
    assert {text.text for text in svg.iter(f"{SVG}text")} == {EVIL}
    assert not list(svg.iter(f"{SVG}script"))


def test_a_missing_value_draws_nothing() -> None:
    """No bar where a series has no value, no whisker where there is no interval; hollow bars are marked."""
    groups = (Group("a", (None, Bar(0.5, "½"))), Group("b", (Bar(0.25, "¼", 0.2, 0.3), None)))
    svg = drawn(BarChart("t", "d", ("ours", "paper"), groups, hollow=(False, True)))
    styles = [rect.attrib["class"] for rect in svg.iter(f"{SVG}rect")]
    assert styles == ["s0", "s1 hollow", "s1 hollow", "s0"]
    assert sum(path.attrib["class"] == "whisker" for path in svg.iter(f"{SVG}path")) == 1
    assert math.isnan(Bar(0.5, "½").low)


def test_long_chinese_labels_are_cut() -> None:
    """A label leaves room for the bars: wide characters count two."""
    svg = drawn(BarChart("t", "d", ("one",), (Group("检" * 60, (Bar(1, "1"),)),)))
    label = next(text for text in svg.iter(f"{SVG}text") if text.attrib["class"] == "chart-label").text
    assert label is not None
    assert label.endswith("检…")
    assert len(label) == 19
