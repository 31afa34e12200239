"""On a GPU, in ten minutes: a real model loads, tags, judges and learns there; every speed is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.core.errors import UserError
from medner.store.models import ModelStore
from tests.gpu.smoke import Order, steps

torch = pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
MODEL = "qwen2.5-coder-0.5b-instruct"


@pytest.mark.timeout(900)
@pytest.mark.gpu
def test_models_load_tag_judge_and_learn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The taggers that ship, `select` on their base, fifty steps of QLoRA (nf4)."""
    if not torch.cuda.is_available():
        pytest.skip("no GPU that PyTorch can use; on a machine with one: make test-gpu")
    try:
        ModelStore().path(MODEL)
    except UserError as error:
        pytest.skip(str(error))
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples/notes").glob("*.txt"))]
    order = Order(MODEL, taggers="symbol,span-12", judge="select", texts=texts)
    done = []
    for step in steps(order, tmp_path):
        done.append(step.name)
        with capsys.disabled():
            print(step.line(), flush=True)  # noqa: T201  what the user runs it for
    assert done == ["load", "tag", "judge", "train"]
