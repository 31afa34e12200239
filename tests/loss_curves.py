"""The loss curves of trainings, read from their run folders."""

from __future__ import annotations

import json
from pathlib import Path


def curve(run: Path) -> list[dict[str, float]]:
    """The steps without what a clock decides."""
    steps = [json.loads(line) for line in (run / "loss.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in step.items() if key != "seconds"} for step in steps]


def losses(run: Path) -> list[float]:
    """The loss of each step."""
    return [step["loss"] for step in curve(run)]
