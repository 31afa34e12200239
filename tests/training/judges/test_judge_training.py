"""Training a judge for real on a tiny random model, and judging with what it wrote."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

torch = pytest.importorskip("torch")
from transformers import AutoTokenizer

from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.filters import load_head
from medner.agents.judges.judge import Case
from medner.agents.judges.trained import CandidateScorer, SpanScorer
from medner.agents.judges.votes import MODEL, VoteLayer, case_features
from medner.agents.taggers.spans.settings import SpanSettings, load_span_tagger
from medner.core.errors import BadInputError, UserError
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence
from medner.service.cli.train import group as train
from medner.service.config.judges import TrainedJudgeConfig
from medner.service.config.judges.trained import load_votes, trained_judge
from medner.service.train.judge_data import judged_cases, sentence_cases
from medner.service.train.orders import JudgeOrder
from medner.training.filters.classifier import ClassifierLearner
from medner.training.filters.kinds import TrainingSetup
from medner.training.judges.examples import JudgedCase, case_rows, held_apart, part_of
from medner.training.judges.spans import SpanJudge, judged_sentences
from medner.training.judges.train import SCORERS, classifier_scorer, finish_judge, parted
from medner.training.judges.votes import fit_votes, with_model
from medner.training.loop.loop import Run
from medner.training.loop.run import RunFacts
from medner.training.loop.settings import TaggerTraining
from medner.training.spans.learner import SpanLearner

LABELS = load_label_set("cmeee-v2")


def example(number: int) -> list[JudgedCase]:
    """A hand-written sentence: the long symptom is right; a says the short one, b the long one and a wrong drug."""
    text = f"第{number}床患者咽部充血明显，睡眠好。"
    at, sleep = text.index("咽部充血"), text.index("睡眠")
    long, short, wrong = Entity(at, at + 4, "sym"), Entity(at + 2, at + 4, "sym"), Entity(sleep, sleep + 2, "dru")
    said = {"a": (short,), "b": (long, wrong)}
    return list(sentence_cases(Sentence(f"n{number}#0", text), said, [long], LABELS))


CASES = [case for number in range(40) for case in example(number)]


def settings(**changes: Any) -> TaggerTraining:
    options = {"rank": 4, "alpha": 8, "first_layer": 0, "learning_rate": 5e-3, "batch_tokens": 600, "epochs": 6.0}
    return TaggerTraining(**{**options, **changes})


def test_conflicts_carry_their_truth_and_counts_once() -> None:
    """Two conflicts of a sentence: the first carries what the sentence holds, so that sums are right."""
    first, second = example(1)
    assert (first.truth, second.truth) == ([True, False], [False])
    assert (first.gold, second.gold) == (1, 0)


def test_what_is_held_back_shares_no_text() -> None:
    """Equal texts go together, everywhere the same way, about one in five."""
    learnt, held = held_apart(CASES)
    texts = [{one.case.sentence.text for one in part} for part in (learnt, held)]
    assert not texts[0] & texts[1]
    assert 3 <= len(texts[1]) <= 15
    assert part_of("咳嗽", 2) == part_of("咳嗽", 2)


def test_votes_alone_can_be_learnt() -> None:
    """b's long symptoms are right, a's short ones and b's drugs are not: the layer tells them apart; it is the same
    each time, and what it was not fitted to comes out alike."""
    fitted = fit_votes(CASES, ["b", "a"])
    assert fitted.layer == fit_votes(CASES, ["a", "b"]).layer
    truth = [right for one in CASES for right in one.truth]
    logits = [fitted.layer.logit(row) for one in CASES for row in case_features(one.case, ("a", "b"))]
    assert all((logit > 0) == right for logit, right in zip(logits, truth, strict=True))
    assert all((logit > 0) == right for logit, right in zip(fitted.crossed, truth, strict=True))


def test_the_model_counts_as_far_as_it_knows() -> None:
    """Scores that tell everything get a weight; random ones next to none."""
    layer = VoteLayer({"bias": 0.0}, ("a", "b"))
    truth = [right for one in CASES for right in one.truth]
    good = with_model(layer, CASES, [1.0 if right else -1.0 for right in truth])
    odd = with_model(layer, CASES, [1.0 if number % 2 else -1.0 for number in range(len(truth))])
    assert good.weights[MODEL] > 1
    assert abs(odd.weights[MODEL]) < good.weights[MODEL] / 3


def test_training_learns_and_writes_a_judge(base: Path, tmp_path: Path) -> None:
    """The loss falls; the folder holds adapter, classification layer and votes; the numbers are in order."""
    learnt, held = parted(CASES)
    scorer = classifier_scorer(TrainingSetup(base, LABELS, settings()), learnt)
    learner = scorer.learner()
    run = Run(learner, scorer.epoch, tmp_path, settings(), facts=RunFacts())
    assert run.train()
    measured = finish_judge(scorer, learner, learnt, held, run.output).measured
    losses = [json.loads(line)["loss"] for line in (tmp_path / "loss.jsonl").read_text().splitlines()]
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])
    names = {"adapter_config.json", "adapter_model.safetensors", "classifier.safetensors", "votes.json"}
    assert {path.name for path in run.output.iterdir()} == names
    assert measured.f1 == measured.f1_oracle == 1.0
    assert measured.candidates == sum(len(one.truth) for one in held)


def test_too_few_conflicts_are_told_of() -> None:
    """Nothing could be held back."""
    with pytest.raises(UserError, match="too few"):
        parted(CASES[:1])


@pytest.mark.parametrize("scorer", ["classifier", "span"])
def test_a_base_without_a_tokenizer_is_told_of(tmp_path: Path, scorer: str) -> None:
    """The error names the folder."""
    with pytest.raises(UserError, match="its tokenizer cannot be loaded"):
        SCORERS[scorer](TrainingSetup(tmp_path, LABELS, settings()), CASES)


@pytest.mark.parametrize("two_way", [False, True])
async def test_the_judge_scores_as_training_does(base: Path, tmp_path: Path, two_way: bool) -> None:
    """In full precision, a candidate behind its conflict in the engine scores as in its packed row."""
    learner = ClassifierLearner(base, settings(), two_way=two_way)
    learner.model.float()
    for parameter in (*learner.parameters(), *learner.faster()[0]):
        torch.nn.init.normal_(parameter, std=0.1)
    learner.save(tmp_path)
    cases = example(7)
    tokens = Vocabulary(AutoTokenizer.from_pretrained(base), frozenset()).encode
    expected = learner.score(case_rows(tokens, cases))
    engine = LocalEngine(LocalModel(base, {"judge": tmp_path}, dtype=torch.float32))
    try:
        scorer = CandidateScorer(engine, LABELS, load_head(tmp_path), "judge", learner.two_way_from)
        got = [score for one in cases for score in await scorer.scores(one.case)]
    finally:
        await engine.close()
    assert got == pytest.approx(expected, abs=2e-4)


async def test_the_judge_with_a_span_head_scores_as_training_does(base: Path, tmp_path: Path) -> None:
    """In full precision; and all conflicts of a sentence share one pass."""
    learner = SpanJudge(SpanLearner(base, settings(), types=len(LABELS.codes)))
    learner.spans.model.float()
    for parameter in learner.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    learner.save(tmp_path)
    words, cases = Vocabulary(AutoTokenizer.from_pretrained(base), frozenset()), example(7)
    (sentence,) = judged_sentences(cases, LABELS, words.encode, words.data)
    (expected,) = learner.score([sentence])
    SpanSettings(types=LABELS.codes, two_way_from=0, temperature=1.0, threshold=0.5).save(tmp_path)
    engine = LocalEngine(LocalModel(base, {"judge": tmp_path}, dtype=torch.float32))
    try:
        tagger = load_span_tagger(tmp_path, name="judge", adapter="judge", encoder=engine, labels=LABELS)
        before = engine.passes
        several = await asyncio.gather(*(SpanScorer(tagger).scores(one.case) for one in cases))
        assert engine.passes == before + 1
    finally:
        await engine.close()
    listed = [each.entity for one in cases for each in one.case.conflict.candidates]
    got = dict(zip(listed, [score for scores in several for score in scores], strict=True))
    assert got == pytest.approx(expected, abs=2e-4)


def test_decisions_teach_a_span_head_only_what_was_decided(base: Path) -> None:
    """Where a sentence's whole gold is unknown, scores beside the candidates have no share in the loss."""
    learner = SpanJudge(SpanLearner(base, settings(), types=len(LABELS.codes)))
    words = Vocabulary(AutoTokenizer.from_pretrained(base), frozenset())
    known = example(3)
    decided = [replace(one, complete_gold=None) for one in known]
    (whole,) = judged_sentences(known, LABELS, words.encode, words.data)
    (part,) = judged_sentences(decided, LABELS, words.encode, words.data)
    assert (whole.complete, part.complete, whole.truth) == (True, False, part.truth)
    assert learner.loss([part]).item() < learner.loss([whole]).item()


def _side_by_side(path: Path) -> Path:
    lines = []
    for number in range(30):
        first, second = example(number)
        said: dict[str, list[list[Any]]] = {"a": [], "b": []}
        for case in (first, second):
            for one in case.case.conflict.candidates:
                for name in one.taggers:
                    said[name].append([one.entity.start, one.entity.end - 1, one.entity.label])
        gold = [[one.start, one.end - 1, one.label] for one in first.right]
        lines.append(json.dumps({"text": first.case.sentence.text, "gold": gold, **said}, ensure_ascii=False))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def command(*arguments: object) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    train.register(app)
    return CliRunner().invoke(app, ["train", "judge", *map(str, arguments)])


@pytest.mark.parametrize("scorer", ["classifier", "span"])
async def test_the_command_makes_a_judge_that_judges(base: Path, tmp_path: Path, scorer: str) -> None:
    """From a file to verdicts with a probability for each candidate; the band in between is left to a person."""
    data = _side_by_side(tmp_path / "both.jsonl")
    options = ("--epochs", 6, "--learning-rate", 5e-3, "--rank", 4, "--first-layer", 0, "--batch-tokens", 600)
    files = ("--side-by-side", data, "--base", base, "-o", tmp_path / "run")
    made = command(*files, *options, "--scorer", scorer)
    assert made.exit_code == 0, made.exception
    assert "60 conflicts with 90 candidates, 30 of them right" in made.stderr
    folder = tmp_path / "run" / "adapter"
    assert made.stdout == f"judge: {folder}\n"
    card = (folder / "card.toml").read_text(encoding="utf-8")
    assert 'kind = "llm-judge"' in card
    assert f'scorer = "{scorer}"' in card
    assert str(tmp_path) not in card
    engine = LocalEngine(LocalModel(base, {"judge": folder}, dtype=torch.float32))
    try:
        judge = trained_judge(TrainedJudgeConfig(adapter=folder), LABELS, engine, {folder: "judge"})
        first, _ = example(99)
        verdict = await judge.judge(first.case)
        assert [one.text_in(first.case.sentence.text) for one in verdict.kept] == ["咽部充血"]
        assert len(verdict.scores) == 2
        assert verdict.scores[0] > judge.threshold > verdict.scores[1]
        unsure = TrainedJudgeConfig(adapter=folder, abstain=(0.0, 1.0))
        left = await trained_judge(unsure, LABELS, engine, {folder: "judge"}).judge(first.case)
        assert left.abstained
        with pytest.raises(UserError, match="knows the label set cmeee-v2"):
            trained_judge(unsure, load_label_set("ccks2019"), engine, {folder: "judge"})
    finally:
        await engine.close()


def test_sources_are_read(tmp_path: Path) -> None:
    """People's decisions count as conflicts; excluded texts do not, nor do sentences that stand in them."""
    decision = {
        "text": "查心电图。",
        "labels": "cmeee-v2",
        "voters": ["a", "b"],
        "candidates": [{"start": 1, "end": 4, "label": "pro", "taggers": ["a"], "score": None, "right": True}],
    }
    path = tmp_path / "decisions.jsonl"
    path.write_text(json.dumps(decision, ensure_ascii=False) + "\n", encoding="utf-8")
    (only,) = judged_cases(JudgeOrder(out=tmp_path, decisions=(path,)), LABELS)
    assert isinstance(only.case, Case)
    assert only.truth == [True]
    excluded = tmp_path / "test.jsonl"
    excluded.write_text(
        json.dumps({"id": "x", "text": "复查。查心电图。", "entities": []}, ensure_ascii=False), "utf-8"
    )
    with pytest.raises(UserError, match="no conflict is left"):
        judged_cases(JudgeOrder(out=tmp_path, decisions=(path,), exclude=(excluded,)), LABELS)
    path.write_text(json.dumps({**decision, "votes": 3}), encoding="utf-8")
    with pytest.raises(BadInputError, match=r"decisions.jsonl:1 \[votes\]"):
        judged_cases(JudgeOrder(out=tmp_path, decisions=(path,)), LABELS)


def test_a_broken_layer_is_told_of(tmp_path: Path) -> None:
    """A judge may be without votes; a file that is none is an error."""
    assert load_votes(tmp_path) is None
    (tmp_path / "votes.json").write_text("[]", encoding="utf-8")
    with pytest.raises(BadInputError, match="no layer over votes"):
        load_votes(tmp_path)
