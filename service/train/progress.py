"""Where a training is, in lines."""

from __future__ import annotations

import time
from collections.abc import Callable

from medner.service.annotate.counts import duration
from medner.training.loop.loop import TrainingStep
from medner.training.loop.run import Step

LINE_EVERY_S = 30.0
_OLD = 0.9


class TrainingProgress:
    """Says every half a minute, and at the end, how far a run is, with the smoothed loss, speed and time left.

    ``resumed`` tokens and ``spent_s`` seconds are an earlier part's and do not count in the speed. The run ends with
    its data or at ``limit_s`` seconds, whichever is first. ``on_step`` gets every step.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        limit_s: float,
        resumed: int = 0,
        spent_s: float = 0.0,
        on_step: Callable[[TrainingStep], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._clock = say, clock
        self._limit_s, self._resumed, self._spent_s = limit_s, resumed, spent_s
        self._on_step = on_step
        self._last = float("-inf")
        self._loss: float | None = None

    def step(self, training_step: TrainingStep) -> None:
        """Takes in a step, and hands it on."""
        self._on_step(training_step)
        step = training_step.step
        self._loss = step.loss if self._loss is None else _OLD * self._loss + (1 - _OLD) * step.loss
        if self._clock() - self._last < LINE_EVERY_S and step.batch < step.of:
            return
        self._last = self._clock()
        speed = (step.tokens - self._resumed) / max(step.seconds - self._spent_s, 1e-9)
        by_data = step.seconds / step.batch * (step.of - step.batch)
        left = max(0.0, min(by_data, self._limit_s - step.seconds))
        self._say(
            f"batch {step.batch:,} of {step.of:,}, loss {self._loss:.4f}, {speed:,.0f} tokens/s, {duration(left)} left"
        )

    def checkpoint(self, step: Step) -> None:
        """Says that a checkpoint is written."""
        self._say(f"checkpoint at batch {step.batch:,}")
