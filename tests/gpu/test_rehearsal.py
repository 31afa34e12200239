"""The steps of `make test-gpu`, rehearsed on a random model: the same code, wherever models are put."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")
from tests.gpu.smoke import Order, steps
from tests.tiny_model import save_tiny_model


@pytest.mark.timeout(900)
def test_every_step_runs(tmp_path: Path) -> None:
    """Two untuned taggers, whose grammar makes them find something, a judge of the same base, QLoRA in nf4."""
    base = save_tiny_model(tmp_path / "base")
    settings = ("--first-layer", "0", "--learning-rate", "0.005")
    order = Order(
        str(base),
        taggers="json:plain,html:plain",
        judge="select",
        dtype="f32",
        rank=4,
        settings=settings,
        texts=["患者咳嗽三天。", "双侧扁桃体红肿，咽部充血。", "右下肺可闻及湿性啰音。"],
    )
    done = list(steps(order, tmp_path))
    assert [step.name for step in done] == ["load", "tag", "judge", "train"]
    assert all(step.seconds > 0 for step in done)
    assert "50 steps in nf4" in done[-1].line()
    assert "tokens a second" in done[-1].line()
