"""A loss curve as an SVG picture."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Point = tuple[float, float]

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 44, 52
_TICKS = 5
_STYLE = (
    "text{font:13px system-ui,'Noto Sans CJK SC','Microsoft YaHei',sans-serif;fill:#333}"
    ".grid{stroke:#ddd}.raw{stroke:#9bbfe0;stroke-width:1}.smooth{stroke:#0b4f8a;stroke-width:2}polyline{fill:none}"
)


def loss_svg(points: Sequence[Point], *, title: str) -> str:
    """The points (x, y) as measured and smoothed, with axes; without points only the frame."""
    right, top = max((x for x, _ in points), default=1.0), max((y for _, y in points), default=1.0)
    xs, ys = ticks(right), ticks(top)
    scale = _Scale(xs[-1], ys[-1])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(WIDTH / 2, 24, title, "middle"),
        *(_line(scale.at((x, 0)), scale.at((x, ys[-1]))) for x in xs),
        *(_line(scale.at((0, y)), scale.at((xs[-1], y))) for y in ys),
        *(_text(scale.at((x, 0))[0], HEIGHT - BOTTOM + 18, f"{x:,g}", "middle") for x in xs),
        *(_text(LEFT - 8, scale.at((0, y))[1] + 4, f"{y:g}", "end") for y in ys),
        _text(WIDTH / 2, HEIGHT - 10, "batches", "middle"),
        _text(8, TOP - 12, "loss a token", "start"),
        _curve([scale.at(point) for point in points], "raw"),
        _curve([scale.at(point) for point in smoothed(points)], "smooth"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def smoothed(points: Sequence[Point], *, window: int = 20) -> list[Point]:
    """The running mean of the last ``window`` points, shorter where there are fewer."""
    means = []
    for place, (x, _) in enumerate(points):
        last = [y for _, y in points[max(0, place + 1 - window) : place + 1]]
        means.append((x, sum(last) / len(last)))
    return means


def ticks(most: float) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from 0 to at least ``most``, in at most five steps."""
    if not most > 0:
        return [0.0, 1.0]
    size = 10.0**-20
    while not any(size * step * _TICKS >= most for step in (1, 2, 5)):
        size *= 10
    step = next(size * step for step in (1, 2, 5) if size * step * _TICKS >= most)
    count = next(number for number in range(1, _TICKS + 1) if number * step >= most * (1 - 1e-9))
    return [round(number * step, 20) for number in range(count + 1)]


class _Scale:
    def __init__(self, right: float, top: float) -> None:
        self._across = (WIDTH - LEFT - RIGHT) / right
        self._up = (HEIGHT - TOP - BOTTOM) / top

    def at(self, point: Point) -> Point:
        x, y = point
        return round(LEFT + x * self._across, 1), round(HEIGHT - BOTTOM - y * self._up, 1)


def _line(start: Point, end: Point) -> str:
    return f'<line class="grid" x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'


def _curve(points: Sequence[Point], name: str) -> str:
    return f'<polyline class="{name}" points="{" ".join(f"{x:g},{y:g}" for x, y in points)}"/>'
