#!/usr/bin/env python3
"""Draws docs/images/presets.svg, F1 against speed, from the figures of docs/results.md.

python scripts/preset_chart.py docs/results.md docs/images/presets.svg
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

#: A preset's name on the page, and the command that takes it.
PRESETS = {"default": "the default", "balanced": "--preset balanced", "fast": "--preset fast"}
_F1 = re.compile(r"F1 (\.\d+) \[(\.\d+), (\.\d+)\]")
_RATE = re.compile(r"\| \**([\d.]+)\** \[")


@dataclass(frozen=True, slots=True)
class Point:
    """A preset: strict micro F1 with its 95 % interval, and sentences a second on one core."""

    name: str
    f1: float
    low: float
    high: float
    rate: float


def points(page: str) -> list[Point]:
    """The presets of a results page, the fastest last. ValueError where the page lacks a figure."""
    tables = [table.splitlines() for table in page.split("\n\n") if table.lstrip().startswith("|")]
    scores = next(table for table in tables if "the default**, int8" in "".join(table))
    speeds = next(table for table in tables if "times the default before" in table[0])
    found = []
    for name, mark in PRESETS.items():
        f1 = _F1.search(_row(scores, mark).replace("*", ""))
        rate = _RATE.search(_row(speeds, mark))
        if f1 is None or rate is None:
            raise ValueError(f"the page has no figures of {name}")
        found.append(Point(name, float(f1[1]), float(f1[2]), float(f1[3]), float(rate[1])))
    return found


def _row(table: list[str], mark: str) -> str:
    rows = [row for row in table if mark in row.split("|")[1]]
    if not rows:
        raise ValueError(f"the page has no row of {mark!r}")
    return rows[0]


def draw(found: list[Point], target: Path) -> None:
    """The picture, as SVG whose text stays text."""
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "medner", "font.family": "sans-serif", "font.size": 11}):
        figure = Figure(figsize=(7, 3.4), layout="constrained")
        axes = figure.subplots()
        errors = [[one.f1 - one.low for one in found], [one.high - one.f1 for one in found]]
        rates, scores = [one.rate for one in found], [one.f1 for one in found]
        axes.errorbar(rates, scores, yerr=errors, fmt="o-", color="#0b4f8a", ecolor="#7aa6cc", capsize=4)
        for one in found:
            words = f"{one.name}  {one.f1:.3f}".replace("0.", ".")
            axes.annotate(words, (one.rate, one.f1), xytext=(8, 7), textcoords="offset points")
        axes.set(xscale="log", xlabel="sentences a second, one core", ylabel="strict F1, test.json", xlim=(3.5, 80))
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.set_xticks([5, 10, 20, 40], minor=False)
        axes.set_xticks([], minor=True)
        axes.grid(visible=True, color="#dddddd")
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(target, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    draw(points(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
