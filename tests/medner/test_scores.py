"""Scores from Python are those of the command line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

import medner
from medner.service.cli.app import build

TEXTS = [f"患者第{number}天胸痛，高血压。" for number in range(12)]


def _documents(*labels: str) -> list[medner.Document]:
    found = []
    for number, text in enumerate(TEXTS):
        places = {"sym": text.index("胸痛"), "dis": text.index("高血压")}
        entities = [medner.Entity(places[one], places[one] + (2 if one == "sym" else 3), one) for one in labels]
        found.append(medner.Document(str(number), text, tuple(entities)))
    return found


GOLD, BOTH, HALF = _documents("sym", "dis"), _documents("sym", "dis"), _documents("sym")


def test_a_score() -> None:
    """Precision, recall and F1 with an interval, over all and by type; printed it is the report."""
    found = medner.evaluate(GOLD, HALF, labels="cmeee-v2")
    assert (found.precision, found.recall) == (1.0, 0.5)
    assert found.f1 == pytest.approx(2 / 3)
    assert found.f1_interval == pytest.approx((2 / 3, 2 / 3))
    assert found.by_type["sym"].f1 == 1.0
    assert (found.by_type["dis"].tp, found.by_type["dis"].fn) == (0, 12)
    assert math.isnan(found.by_type["dru"].f1)
    assert "0.6667" in str(found) or "66.67" in str(found)
    assert found.to_dict()["kind"] == "evaluation"
    assert "<html" in found.to_html()


def test_files_and_documents_score_alike(tmp_path: Path) -> None:
    """A path stands for its documents, and the command gives the same."""
    medner.write(GOLD, tmp_path / "gold.jsonl")
    medner.write(HALF, tmp_path / "predicted.jsonl")
    found = medner.evaluate(tmp_path / "gold.jsonl", tmp_path / "predicted.jsonl").to_dict()
    command = ["evaluate", str(tmp_path / "gold.jsonl"), str(tmp_path / "predicted.jsonl"), "--json", "-"]
    printed = json.loads(CliRunner().invoke(build(), command).stdout)
    assert found["systems"][0]["overall"] == printed["systems"][0]["overall"]


def test_several_systems_and_missing_documents() -> None:
    """A mapping names them; gold documents without a prediction are named."""
    found = medner.evaluate(GOLD, {"half": HALF[:-1], "both": BOTH})
    assert list(found.systems) == ["half", "both"]
    assert found.missing == ("11",)
    assert found.systems["both"].f1 == 1.0


def test_two_systems_compared() -> None:
    """The difference is B minus A, with interval and p-value."""
    found = medner.compare(GOLD, HALF, BOTH, names=("half", "both"))
    assert found.difference == pytest.approx(1 / 3)
    assert found.p_value < 0.05
    assert found.interval[0] <= found.difference <= found.interval[1]
    assert "half" in str(found)
    assert found.to_dict()["kind"] == "comparison"
    assert "<html" in found.to_html()


def test_what_cannot_be_scored() -> None:
    """No gold, no systems, other texts, no documents: a UserError each."""
    with pytest.raises(medner.UserError, match="holds no document"):
        medner.evaluate([], HALF)
    with pytest.raises(medner.UserError, match="no predictions"):
        medner.evaluate(GOLD, {})
    with pytest.raises(medner.UserError, match="different names"):
        medner.compare(GOLD, HALF, BOTH, names=("a", "a"))
    with pytest.raises(medner.UserError, match=r"must be medner\.Document"):
        medner.evaluate(GOLD, ["胸痛"])  # type: ignore[list-item]
    with pytest.raises(medner.UserError, match="resamples"):
        medner.evaluate(GOLD, HALF, resamples=0)
