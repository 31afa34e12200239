"""The reliability plot: share of right entities over their score, as inline SVG."""

from __future__ import annotations

from markupsafe import Markup

from medner.evaluation.measures.calibration import Calibration

_SIDE, _ROOM = 240, 30


def reliability_plot(calibration: Calibration) -> Markup:
    """The plot, with the line of perfect calibration; a larger point stands for more entities."""
    most = max(one.entities for one in calibration.bins)
    points = "".join(
        f'<circle cx="{_x(one.mean)}" cy="{_y(one.share)}" r="{2 + 6 * (one.entities / most) ** 0.5:.1f}" '
        f'fill="currentColor" fill-opacity="0.6"><title>{one.entities} entities, mean score {one.mean:.2f}, '
        f"right {one.share:.2f}</title></circle>"
        for one in calibration.bins
        if one.entities
    )
    ticks = "".join(
        f'<text x="{_x(value)}" y="{_SIDE + _ROOM + 14}" text-anchor="middle">{value:.1f}</text>'
        f'<text x="{_ROOM - 6}" y="{_y(value)}" text-anchor="end" dominant-baseline="middle">{value:.1f}</text>'
        for value in (0.0, 0.5, 1.0)
    )
    return Markup(  # noqa: S704  numbers alone
        f'<svg viewBox="0 0 {_SIDE + 2 * _ROOM} {_SIDE + 2 * _ROOM}" width="{_SIDE + 2 * _ROOM}" role="img" '
        'font-size="11" fill="currentColor"><title>Reliability: share of right entities over their score</title>'
        f'<rect x="{_ROOM}" y="{_ROOM}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="currentColor" '
        'stroke-opacity="0.4"/>'
        f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="currentColor" stroke-opacity="0.4" '
        f'stroke-dasharray="4 4"/>{ticks}{points}</svg>'
    )


def _x(value: float) -> float:
    return round(_ROOM + _SIDE * value, 1)


def _y(value: float) -> float:
    return round(_ROOM + _SIDE * (1 - value), 1)
