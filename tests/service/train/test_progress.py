"""The lines that a training prints while it runs."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
from medner.service.train.progress import TrainingProgress
from medner.training.loop.loop import TrainingStep
from medner.training.loop.run import Step


def test_progress_is_said_now_and_then() -> None:
    """A line at the first step, every half a minute and at the end; the time left is that of data or limit."""
    said: list[str] = []
    clock = iter([0.0, 0.0, 5.0, 31.0, 31.0, 32.0, 32.0])
    progress = TrainingProgress(said.append, limit_s=100.0, resumed=100, spent_s=10.0, clock=lambda: next(clock))
    for batch, seconds in ((2, 12.0), (4, 14.0), (6, 16.0), (10, 20.0)):
        progress.step(TrainingStep(Step(batch, 10, 2.0, seconds, 100 + 50 * batch, 0.1), batch, batch / 10))
    assert said == [
        "batch 2 of 10, loss 2.0000, 50 tokens/s, 48 s left",
        "batch 6 of 10, loss 2.0000, 50 tokens/s, 11 s left",
        "batch 10 of 10, loss 2.0000, 50 tokens/s, 0 s left",
    ]
