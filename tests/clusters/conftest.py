"""Real clusters on this machine, with a tiny model of real code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import medner
from tests.tiny_model import save_tiny_model
from tests.tiny_span_tagger import save_tiny_span_tagger

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here belongs to the suite of clusters; processes of a cluster take time to start."""
    for item in items:
        if HERE in Path(item.path).parents:
            item.add_marker(pytest.mark.clusters)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two span taggers with random weights on a tiny base, and the first of them as the judge."""
    folder = tmp_path_factory.mktemp("tiny")
    base = save_tiny_model(folder / "base")
    taggers = [str(save_tiny_span_tagger(base, folder / f"tagger-{seed}", seed=seed)) for seed in (1, 2)]
    return {"model": str(base), "taggers": taggers, "judge": "best-tagger:tagger-1", "filter": "off", "dtype": "f32"}


@pytest.fixture(scope="session")
def notes() -> list[str]:
    """Notes of one to five sentences, all different, with line ends, emoji and rare characters."""
    parts = ("患者咳嗽三天，伴发热。", "右下肺可闻及湿性啰音。\r\n", "行心电图😀检查。", "𠮷某既往高血压病史。\n")
    return [
        "".join(f"第{number}例。{parts[(number + at) % len(parts)]}" for at in range(number % 5 + 1))
        for number in range(48)
    ]


@pytest.fixture(scope="session")
def expected(settings: dict[str, Any], notes: list[str]) -> dict[str, list[tuple[int, int, str]]]:
    """What `medner.annotate` finds, by text."""
    found = {
        note: [(one.start, one.end, one.label) for one in medner.annotate(note, **settings).entities] for note in notes
    }
    assert sum(map(len, found.values())) > len(notes), "the tiny taggers find too little to compare"
    return found
