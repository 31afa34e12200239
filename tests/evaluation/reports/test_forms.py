"""Reports as text, JSON and page (modules plain, structure, page, wording)."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from medner.core.labels import load_label_set
from medner.core.records import Document, Entity
from medner.evaluation.measures.significance import Resampling
from medner.evaluation.reports.page import comparison_page, evaluation_page
from medner.evaluation.reports.report import Comparison, Evaluation, Setting, compare, evaluate
from medner.evaluation.reports.structure import comparison_json, evaluation_json
from medner.evaluation.reports.text import comparison_text, evaluation_text
from medner.evaluation.reports.wording import bin_distances

EVIL = "<script>alert('咳嗽')</script>"
SETTING = Setting(Resampling(seed=5, resamples=100), load_label_set("cmeee-v2"), "abc1234", "two taggers & <b>")


@pytest.fixture
def evaluation(chest: Document) -> Evaluation:
    """One system with an evil name that misses a document."""
    gold = [chest, Document(EVIL, EVIL, (Entity(15, 17, "sym"),))]
    return evaluate(gold, {EVIL: [replace(chest, entities=(Entity(0, 5, "dis"), Entity(7, 9, "sym")))]}, SETTING)


@pytest.fixture
def comparison(chest: Document) -> Comparison:
    """Two systems that differ in an evil text."""
    gold = [chest, Document(EVIL, EVIL, (Entity(15, 17, "sym"),))]
    empty = [replace(document, entities=()) for document in gold]
    return compare(gold, {"empty": empty, EVIL: gold}, SETTING)


def test_the_text_says_how_the_numbers_were_made(evaluation: Evaluation) -> None:
    """n, interval, seed, commit and configuration stand above the scores; what is missing stands below."""
    text = evaluation_text(evaluation)
    assert "2 documents, 4 entities, 2 of them nested" in text
    assert "[95 % interval] by bootstrap over documents, 100 resamples, seed 5" in text
    assert "commit: abc1234" in text
    assert "configuration: two taggers & <b>" in text
    assert "no prediction for 1 of 2 documents" in text


def test_nothing_of_nothing_is_a_dash(evaluation: Evaluation) -> None:
    """A type without gold and prediction has dashes, not zeros."""
    [line] = [line for line in evaluation_text(evaluation).splitlines() if line.startswith("药物 dru")]
    assert line.split()[2:] == ["0", "0", "0", *["–"] * 6]


def test_types_can_be_left_out(evaluation: Evaluation, comparison: Comparison) -> None:
    """Without types the report has no row for one."""
    assert "疾病 dis" not in evaluation_text(evaluation, by_type=False)
    assert "疾病 dis" not in comparison_text(comparison, by_type=False, show=0)


def test_places_of_difference_are_limited_in_the_text_and_complete_in_the_json(comparison: Comparison) -> None:
    """`show` limits the list; the JSON has all four, with the text around them."""
    text = comparison_text(comparison, show=1)
    assert "Where they differ: 4 entities, the first 1 here" in text
    assert "【右肺下叶肺炎】伴胸痛。" in text
    differing = comparison_json(comparison)["differing"]
    assert [entry["text"] for entry in differing] == ["右肺下叶肺炎", "右肺下叶", "胸痛", "咳嗽"]
    assert differing[2] == {
        "document": "chest",
        "start": 7,
        "end": 9,
        "label": "sym",
        "outcome": "only_b_right",
        "before": "右肺下叶肺炎伴",
        "text": "胸痛",
        "after": "。",
    }


def test_the_json_keys_are_those_of_the_documentation(evaluation: Evaluation) -> None:
    """The keys do not change without a new schema number, and NaN is null."""
    report = json.loads(json.dumps(evaluation_json(evaluation), allow_nan=False))
    assert list(report) == [
        "kind", "schema", "medner", "resampling", "commit", "configuration", "label_set", "label_names", "gold",
        "systems", "agreement",
    ]  # fmt: skip
    [system] = report["systems"]
    assert list(system) == [
        "name", "documents", "missing", "matched_by_text", "overall", "nested", "by_type", "errors", "nested_errors",
        "boundary_distance", "calibration",
    ]  # fmt: skip
    assert system["calibration"] is None
    assert list(system["overall"]) == ["tp", "fp", "fn", "gold", "predicted", "precision", "recall", "f1"]
    assert system["by_type"]["dru"]["f1"] == {"value": None, "low": None, "high": None}
    assert system["boundary_distance"] == {"errors": 1, "counts": {"1": 1}, "within_2": 1, "share_within_2": 1.0}
    assert report["resampling"] == {"unit": "document", "seed": 5, "resamples": 100, "level": 0.95}


def test_calibration_is_in_all_forms(chest: Document) -> None:
    """Where entities have scores: the error as text, the bins as data, a plot on the page."""
    scores = {"a": {chest.id: dict.fromkeys(chest.entities, 0.75)}}
    evaluation = evaluate([chest], {"a": [chest], "b": [chest]}, SETTING, scores=scores)
    line = evaluation_text(evaluation).partition("Calibration")[2].splitlines()[2]
    assert line.split()[:3] == ["a", f"{len(chest.entities)}", "0.2500"]
    with_scores, without = json.loads(json.dumps(evaluation_json(evaluation), allow_nan=False))["systems"]
    assert without["calibration"] is None
    assert list(with_scores["calibration"]) == ["error", "entities", "unscored", "bins"]
    assert with_scores["calibration"]["bins"][7] == {
        "low": 0.7, "high": 0.8, "entities": len(chest.entities), "right": len(chest.entities), "mean_score": 0.75,
        "share_right": 1.0,
    }  # fmt: skip
    assert with_scores["calibration"]["bins"][0]["mean_score"] is None
    page = evaluation_page(evaluation)
    assert (page.count("<svg"), page.count("<circle")) == (1, 1)


def test_the_comparisons_json_keys_are_those_of_the_documentation(comparison: Comparison) -> None:
    """The keys of a comparison, and of the difference in it."""
    report = json.loads(json.dumps(comparison_json(comparison), allow_nan=False))
    assert list(report)[8:] == ["gold", "a", "b", "overall", "nested", "by_type", "differing"]
    assert list(report["overall"]) == ["a", "b", "difference", "outcomes"]
    assert list(report["overall"]["difference"]["f1"]) == ["delta", "low", "high", "p_bootstrap", "p_randomisation"]


def test_pages_hold_no_markup_of_the_data_and_nothing_from_outside(
    evaluation: Evaluation, comparison: Comparison
) -> None:
    """Names, ids and texts are escaped, and the page asks for no other resource."""
    for page in (evaluation_page(evaluation), comparison_page(comparison)):
        assert "<script" not in page
        assert "two taggers &amp; &lt;b&gt;" in page
        assert "&lt;script&gt;" in page
        assert not re.search(r"(src|href)\s*=|url\(|@import", page)


def test_pages_say_the_same_as_the_text(evaluation: Evaluation, comparison: Comparison) -> None:
    """The lines on method and remarks, and the score itself, are the same in both forms."""
    page = evaluation_page(evaluation, by_type=False)
    assert "100 resamples, seed 5" in page
    assert "no prediction for 1 of 2 documents" in page
    assert f"{evaluation.systems[0].overall.counts.f1:.4f}" in page
    assert "<mark>咳嗽</mark>" in comparison_page(comparison)


def test_the_bins_of_the_boundary_table_hold_every_distance(evaluation: Evaluation) -> None:
    """No distance falls between two bins."""
    boundaries = replace(evaluation.systems[0].errors.boundaries, counts=dict.fromkeys(range(1, 30), 1))
    assert [number for _, number in bin_distances(boundaries)] == [1, 1, 1, 1, 1, 5, 19]
