"""A tiny base model, annotated notes, answers of two taggers, and an order for each role."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

from medner.service.train.orders import FilterOrder, JudgeOrder, SpanOrder, TaggerOrder, TrainingOrder
from tests.tiny_model import save_tiny_model

SETTINGS = {"rank": 4, "epochs": 3.0, "hours": 100.0}
ROLES = ("tagger", "span", "llm-cls", "llm-causal", "bert-cls", "judge", "span-judge")


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``base``, ``train.jsonl``, ``test.jsonl`` (three texts of it) and ``both.jsonl`` (two taggers)."""
    folder = tmp_path_factory.mktemp("learn")
    save_tiny_model(folder / "base")
    notes, both = [], []
    for number in range(10, 80):
        text = f"患者{number}天前出现咽部充血。"
        spans = [{"start": 8, "end": 12, "label": "sym"}, {"start": 8, "end": 10, "label": "bod"}]
        notes.append({"id": str(number), "text": text, "entities": spans})
        both.append({"text": text, "gold": [[8, 11, "sym"]], "a": [[8, 11, "sym"]], "b": [[10, 11, "sym"]]})
    for name, rows in (("train", notes), ("test", notes[:3]), ("both", both)):
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def order_of(role: str, place: Path, out: Path, **changes: Any) -> Any:
    """The order of a role on the notes; ``settings`` among the changes are added to those of the tests."""
    settings = {**SETTINGS, **changes.pop("settings", {})}
    files, exclude = (place / "train.jsonl",), (place / "test.jsonl",)
    shared: dict[str, Any] = {"out": out, "base": str(place / "base"), "exclude": exclude, **changes}
    lower = {"first_layer": 0, **settings}
    made: dict[str, Any] = {
        "tagger": lambda: TaggerOrder(files=files, **shared, settings={"batch_tokens": 300, **lower}),
        "span": lambda: SpanOrder(files=files, **shared, settings={"products": "bf16", "first_layer": 1, **settings}),
        "llm-cls": lambda: FilterOrder(files=files, samples=40, **shared, settings=lower),
        "llm-causal": lambda: FilterOrder(files=files, kind="llm-causal", samples=40, **shared, settings=lower),
        "bert-cls": lambda: FilterOrder(
            files=files, kind="bert-cls", samples=40, **{**shared, "base": None, "exclude": ()}, settings=_own(settings)
        ),
        "judge": lambda: JudgeOrder(side_by_side=(place / "both.jsonl",), **shared | {"exclude": ()}, settings=lower),
        "span-judge": lambda: JudgeOrder(side_by_side=(place / "both.jsonl",), scorer="span", **shared, settings=lower),
    }
    order: TrainingOrder = made[role]()
    return order


def _own(settings: dict[str, Any]) -> dict[str, Any]:
    """An encoder has no adapter, hence no rank."""
    return {key: value for key, value in settings.items() if key != "rank"}
