"""`medner annotate --answers`: taggers' answers out of an earlier result, another filter or judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medner.core.errors import BadInputError, ExternalError, UserError
from medner.core.records import AnnotatedDocument, Annotation, Decoded, Document, Entity, Sentence, TaggerOutput
from medner.service.config.files import load_configuration
from medner.service.config.fingerprint import fingerprint
from medner.service.config.options import Overrides, configured
from medner.store.corpora import annotated_to_line


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    lines = [{"id": "a", "text": "患者胸痛3天。查心电图正常。"}, {"id": "b", "text": "既往高血压。"}]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def test_another_judge_on_what_the_taggers_said(kit: Any, texts: Path, tmp_path: Path) -> None:
    """No tagger is asked again, its answers are the recorded ones, and the other judge decides anew."""
    first, other = tmp_path / "first.jsonl", tmp_path / "other.jsonl"
    assert kit.run(texts, "-o", first, "--judge", "best-tagger:json-plain").exit_code == 0
    asked = len(kit.asked)
    assert kit.run(texts, "-o", other, "--answers", first, "--judge", "hard-vote").exit_code == 0
    assert len(kit.asked) == asked
    before, after = kit.records(first), kit.records(other)
    outputs = [[sentence["outputs"] for sentence in one["sentences"]] for one in before]
    assert outputs == [[sentence["outputs"] for sentence in one["sentences"]] for one in after]
    assert [entity["text"] for one in before for entity in one["entities"]] == ["胸痛", "心电图", "高血压"]
    assert [entity["text"] for one in after for entity in one["entities"]] == ["胸痛", "高血压"]


def test_only_the_taggers_of_the_file_are_not_asked(kit: Any, texts: Path, tmp_path: Path) -> None:
    """A tagger that the file does not have answers beside the recorded one."""
    first, both = tmp_path / "first.jsonl", tmp_path / "both.jsonl"
    kit.run(texts, "-o", first, "--taggers", "html:full", "--judge", "best-tagger")
    kit.asked.clear()
    assert kit.run(texts, "-o", both, "--answers", first).exit_code == 0
    assert {strategy for strategy, _ in kit.asked} == {"json"}
    assert {one["tagger"] for one in kit.records(both)[0]["sentences"][0]["outputs"]} == {"html-full", "json-plain"}


def test_what_had_failed_is_a_failure_again(kit: Any, texts: Path, tmp_path: Path) -> None:
    """Where a tagger had given no answer, the record says so; the other tagger's answer counts."""
    first, other = tmp_path / "first.jsonl", tmp_path / "other.jsonl"
    kit.before = lambda strategy, sentence: ExternalError("gone") if strategy == "html" and "胸痛" in sentence else None
    assert kit.run(texts, "-o", first).exit_code == 0
    kit.asked.clear()
    assert kit.run(texts, "-o", other, "--answers", first).exit_code == 0
    assert not kit.asked
    [failure] = kit.records(other)[0]["sentences"][0]["failures"]
    assert (failure["agent"], failure["kind"]) == ("html-full", "ExternalError")
    assert "first.jsonl" in failure["message"]


def test_a_file_that_does_not_fit_is_refused(kit: Any, texts: Path, tmp_path: Path) -> None:
    """Answers of other taggers, other sentences, a broken line, no file: each says what is wrong."""
    first = tmp_path / "first.jsonl"
    kit.run(texts, "-o", first)
    error = kit.run(texts, "-o", tmp_path / "x.jsonl", "--answers", first, "--taggers", "symbol:full").exception
    assert isinstance(error, UserError)
    assert "has no answers of symbol-full; it has those of html-full, json-plain" in str(error)
    error = kit.run("--text", "查心电图。", "--answers", first).exception
    assert isinstance(error, UserError)
    assert "has no sentence like" in str(error)
    error = kit.run(texts, "--answers", tmp_path / "no.jsonl").exception
    assert isinstance(error, UserError)
    assert "no.jsonl: cannot be read" in str(error)
    error = kit.run(texts, "--answers", texts).exception
    assert isinstance(error, UserError)
    assert "those of no tagger" in str(error)
    first.write_text(first.read_text(encoding="utf-8") + '{"id": 3}\n', encoding="utf-8")
    error = kit.run(texts, "--answers", first).exception
    assert isinstance(error, BadInputError)
    assert "first.jsonl:3" in str(error)


def test_an_answer_stands_where_an_equal_sentence_had_failed(kit: Any, tmp_path: Path) -> None:
    """Two documents may hold one sentence; a failure in one is none of the other's."""
    texts, first = tmp_path / "two.jsonl", tmp_path / "first.jsonl"
    texts.write_text('{"id": "a", "text": "胸痛。"}\n{"id": "b", "text": "胸痛。"}\n', encoding="utf-8")
    assert kit.run(texts, "-o", first, "--taggers", "html:full", "--judge", "best-tagger").exit_code == 0
    records = kit.records(first)
    records[1]["sentences"][0] |= {"outputs": [], "entities": []}
    records[1]["entities"] = []
    first.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")
    again = tmp_path / "again.jsonl"
    arguments = ("--answers", first, "--taggers", "html:full", "--judge", "best-tagger")
    assert kit.run(texts, "-o", again, *arguments).exit_code == 0
    assert [one["entities"][0]["text"] for one in kit.records(again)] == ["胸痛", "胸痛"]


def test_the_filter_of_the_span_taggers_is_not_changed_in_silence(tmp_path: Path) -> None:
    """It asks taggers whose answers are recorded: the command wants to be told what decides instead."""
    said = tmp_path / "said.jsonl"
    answer = TaggerOutput("span-12", "[]", Decoded((Entity(0, 2, "sym"),)))
    annotation = Annotation(Sentence("a#0", "胸痛。", 0, "a"), (), (answer,))
    said.write_text(
        annotated_to_line(AnnotatedDocument(Document("a", "胸痛。"), (annotation,))) + "\n", encoding="utf-8"
    )
    with pytest.raises(UserError, match=r"give --filter .* or --judge too"):
        configured(Overrides(answers=(said,)))
    judged = configured(Overrides(answers=(said,), judge="hard-vote"))
    assert (judged.filter, judged.judge.kind) == (None, "hard-vote")
    with pytest.raises(BadInputError, match="answers of span-12 are recorded"):
        configured(Overrides(answers=(said,), filter="span"))


def test_a_configuration_names_the_file(kit: Any, texts: Path, tmp_path: Path) -> None:
    """`answers` of a tagger counts from the configuration's folder, and what is in the file counts for a resume."""
    first = tmp_path / "first.jsonl"
    kit.run(texts, "-o", first)
    file = tmp_path / "c.toml"
    file.write_text(
        'taggers = [{name = "html-full", strategy = "html", answers = "first.jsonl"}]\n[judge]\nkind = "best-tagger"\n',
        encoding="utf-8",
    )
    configuration = load_configuration(file)
    assert configuration.taggers[0].answers == first
    assert configuration.asked == ()
    before = fingerprint(configuration)
    first.write_text(first.read_text(encoding="utf-8").replace("胸痛", "腹痛"), encoding="utf-8")
    assert fingerprint(configuration) != before
    assert configuration.described()["taggers"] == "html-full (as in first.jsonl, untuned)"
