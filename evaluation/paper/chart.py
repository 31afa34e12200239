"""Bar charts as inline SVG: grouped horizontal bars with whiskers, coloured by the page's style sheet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from medner.evaluation.reports.tables import printable, width

WIDTH = 760
_BAR, _GAP, _GROUP_GAP, _HEAD = 15, 3, 14, 30
_PLACE = 7.2  # pixels of a half-width character at the chart's font size
_MOST_PLACES = 38
_VALUE_ROOM = 150


@dataclass(frozen=True, slots=True)
class Bar:
    """A value from 0 on; NaN bounds draw no whisker, ``text`` stands behind it."""

    value: float
    text: str
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True)
class Group:
    """Bars under one label, one a series; None where a series has no value."""

    label: str
    bars: tuple[Bar | None, ...]


@dataclass(frozen=True, slots=True)
class BarChart:
    """A chart of one or several series. ``hollow`` series are drawn as outlines (the paper's numbers).

    ``colours`` are the series' places among the page's colours, so that a series looks the same where others are
    missing; by default their order.
    """

    title: str
    description: str
    series: tuple[str, ...]
    groups: tuple[Group, ...]
    hollow: tuple[bool, ...] = ()
    colours: tuple[int, ...] = ()

    def style(self, series: int) -> str:
        """The classes of a series' bars."""
        colour = self.colours[series] if self.colours else series
        return f"s{colour} hollow" if series < len(self.hollow) and self.hollow[series] else f"s{colour}"


def bar_chart(chart: BarChart) -> str:
    """The chart as an SVG element with title and description for those who do not see it."""
    label_room = 12 + _PLACE * max((width(_short(group.label)) for group in chart.groups), default=0)
    scale = (WIDTH - label_room - _VALUE_ROOM) / _maximum(chart)
    parts: list[str] = []
    top = float(_HEAD)
    for group in chart.groups:
        bars = [(at, bar) for at, bar in enumerate(group.bars) if bar is not None]
        height = len(bars) * (_BAR + _GAP) - _GAP
        parts.append(_text(label_room - 10, top + height / 2, _short(group.label), "chart-label"))
        for place, (at, bar) in enumerate(bars):
            parts += _bar(bar, (label_room, top + place * (_BAR + _GAP)), scale, chart.style(at))
        top += height + _GROUP_GAP
    axis = f'<path class="axis" d="M{label_room:.1f} {_HEAD - 6}V{top - _GROUP_GAP + 6:.1f}"/>'
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {top:.0f}" width="{WIDTH}" height="{top:.0f}" '
        f'xmlns="http://www.w3.org/2000/svg">'
        f"<title>{_escaped(chart.title)}</title><desc>{_escaped(chart.description)}</desc>"
        f"{_legend(chart)}{''.join(parts)}{axis}</svg>"
    )


def _bar(bar: Bar, place: tuple[float, float], scale: float, style: str) -> list[str]:
    left, top = place
    end = left + bar.value * scale
    middle = top + _BAR / 2
    drawn = [f'<rect class="{style}" x="{left:.1f}" y="{top:.1f}" width="{bar.value * scale:.1f}" height="{_BAR}"/>']
    if not math.isnan(bar.low):
        low, high = left + bar.low * scale, left + bar.high * scale
        drawn.append(
            f'<path class="whisker" d="M{low:.1f} {middle - 4:.1f}v8M{high:.1f} {middle - 4:.1f}v8'
            f'M{low:.1f} {middle:.1f}H{high:.1f}"/>'
        )
        end = max(end, high)
    return [*drawn, _text(end + 7, middle, bar.text, "chart-value")]


def _legend(chart: BarChart) -> str:
    left = 0.0
    drawn = []
    for at, name in enumerate(chart.series):
        drawn.append(f'<rect class="{chart.style(at)}" x="{left + 1:.1f}" y="3" width="11" height="11"/>')
        drawn.append(_text(left + 18, 9, name, "chart-value"))
        left += 18 + _PLACE * width(name) + 22
    return "".join(drawn)


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" dy=".35em">{_escaped(text)}</text>'


def _maximum(chart: BarChart) -> float:
    bars = [bar for group in chart.groups for bar in group.bars if bar is not None]
    most = max([bar.value for bar in bars] + [bar.high for bar in bars if not math.isnan(bar.high)], default=0.0)
    # Values next to nothing would need a scale beyond any number.
    return most if most > 1e-9 else 1.0


def _short(label: str) -> str:
    """The label, cut where it would leave no room for the bars."""
    label = printable(label)
    while width(label) > _MOST_PLACES:
        label = label.removesuffix("…")[:-1] + "…"
    return label


def _escaped(text: str) -> str:
    return escape(printable(text), quote=True)
