"""Where a training run is, in a line now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from medner.training.loop.loop import TrainingStep

_EVERY_S = 30.0


def say(line: str) -> None:
    """A line for people: results alone go to standard output."""
    typer.echo(line, err=True)


class Reporter:
    """Says every half a minute how far a run is, its loss and its speed in ``unit`` a second, and the time left."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._last = 0.0
        self._loss: float | None = None

    def __call__(self, step: TrainingStep) -> None:
        """Takes note of a step."""
        self._loss = step.loss if self._loss is None else 0.95 * self._loss + 0.05 * step.loss
        if time.monotonic() - self._last < _EVERY_S and step.share < 1.0:
            return
        self._last = time.monotonic()
        left = step.seconds / max(step.share, 1e-9) * (1 - step.share)
        speed = step.samples / max(step.seconds, 1e-9)
        say(f"{step.share:.0%}, loss {self._loss:.4f}, {speed:.1f} {self._unit}/s, {left / 60:.0f} min left")
