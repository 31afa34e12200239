"""Costs and single taggers' answers out of files of `medner annotate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.core.labels import load_label_set
from medner.core.records import Document, Entity
from medner.evaluation.paper.costs import read_answers

from .conftest import GOLD, annotated

CMEEE = load_label_set("cmeee-v2")


def test_costs_are_summed_over_sentences(folder: Path) -> None:
    """Seconds, tokens and passes of the only tagger of a file, whatever the manifest calls it."""
    answers = read_answers(folder / "symbol.jsonl", CMEEE, tagger="another name")
    assert answers.costs is not None
    assert answers.costs.by_document == ((0.5, 1),) * 4
    assert (answers.costs.answers, answers.costs.answer_tokens, answers.costs.passes) == (4, 80, 12)


def test_a_file_without_timings_has_no_costs(folder: Path) -> None:
    """Neither a plain prediction file nor a run that was not timed has costs of 0."""
    assert read_answers(folder / "half.jsonl", CMEEE, tagger="a").costs is None
    (folder / "untimed.jsonl").write_text(annotated(GOLD, "a", seconds=0), encoding="utf-8")
    assert read_answers(folder / "untimed.jsonl", CMEEE, tagger="a").costs is None


def test_a_single_taggers_answers_come_out_of_a_file_of_several(folder: Path) -> None:
    """`output` takes what that tagger said, not what the run decided; offsets are the document's."""
    path = folder / "several.jsonl"
    path.write_text(annotated(GOLD, "first", "second"), encoding="utf-8")
    assert read_answers(path, CMEEE, tagger="x", output="first").documents == tuple(GOLD)
    assert not any(one.entities for one in read_answers(path, CMEEE, tagger="x", output="second").documents)
    assert read_answers(path, CMEEE, tagger="x").documents == tuple(GOLD)
    assert read_answers(path, CMEEE, tagger="x").costs is None


def test_an_output_that_is_not_there_is_an_error(folder: Path) -> None:
    """The error names the taggers there are."""
    with pytest.raises(BadInputError, match="it has those of symbol"):
        read_answers(folder / "symbol.jsonl", CMEEE, tagger="x", output="y")
    with pytest.raises(BadInputError, match="write it with medner annotate"):
        read_answers(folder / "half.jsonl", CMEEE, tagger="x", output="y")


def test_an_output_of_another_label_set_is_an_error(folder: Path) -> None:
    """A tagger's own answers are checked like any prediction, also those the run did not keep."""
    odd = [Document("1", GOLD[0].text, (Entity(0, 2, "odd"),))]
    path = folder / "odd.jsonl"
    line = json.loads(annotated(odd, "a"))
    line["entities"], line["sentences"][0]["entities"] = [], []
    path.write_text(json.dumps(line, ensure_ascii=False), encoding="utf-8")
    with pytest.raises(BadInputError, match=r"a gave \[0, 2\) 'odd'"):
        read_answers(path, CMEEE, tagger="a", output="a")
