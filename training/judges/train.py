"""Trains a judge: an adapter with a classification layer, a layer over votes behind it, a threshold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medner.agents.judges.votes import MODEL, VOTES_FILE, VoteLayer, case_features
from medner.store.corpora.atomic import replacing_file
from medner.store.errors import UserError
from medner.training.filters.calibration import best_threshold, f1
from medner.training.filters.train import CARD, Order, Watch
from medner.training.judges.examples import JudgedCase, case_rows, held_apart
from medner.training.judges.votes import fit_votes, with_model
from medner.training.loop import Run
from medner.training.run import RunFacts

#: A classification layer behind each candidate, or a span head behind the sentence.
ScorerKind = Literal["classifier", "span"]


@dataclass(frozen=True, slots=True)
class Measured:
    """How a judge did on the texts held back: F1 of all entities, agreed ones included, and what else it could be."""

    threshold: float
    cases: int
    candidates: int
    gold: int
    f1_votes: float
    f1_model: float
    f1: float
    f1_oracle: float


@dataclass(frozen=True, slots=True)
class TrainedJudgeFiles:
    """A trained judge: its folder, how it did, samples it saw, seconds, the votes' penalty."""

    folder: Path
    measured: Measured
    samples: int
    seconds: float
    penalty: float


def train_judge(
    order: Order, cases: Sequence[JudgedCase], watch: Watch, *, scorer: ScorerKind = "classifier"
) -> TrainedJudgeFiles | None:
    """The judge of some cases; None where somebody stopped it. UserError when too few cases are there."""
    learnt, held = held_apart(cases)
    if not learnt or not held:
        raise UserError(f"{len(cases)} conflicts are too few: some must be held back; give more predictions")
    plan = (_span_plan if scorer == "span" else _classifier_plan)(order, learnt)
    run = Run(
        plan.learner, plan.epoch, order.run, order.settings, facts=RunFacts(_task(order, cases, scorer)), last=LAST
    )
    if not run.train(watch.on_step, stop=watch.stop):
        return None
    scores = plan.scores(held)
    taggers = sorted({name for one in cases for name in one.case.voters})
    votes = fit_votes(learnt, taggers)
    layer = with_model(votes.layer, held, scores)
    _write_layer(run.output / VOTES_FILE, layer)
    measured = measure(held, scores, votes.layer, layer)
    if scorer == "span":
        _write_settings(order, measured.threshold, run.output)
    return TrainedJudgeFiles(run.output, measured, run.samples, run.seconds, votes.penalty)


#: Written when a run has got to its end: what fits the weights it ended with.
LAST = (CARD, VOTES_FILE, "span.json")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What learns, from what batches in an epoch, and how it scores the candidates of some cases."""

    learner: Any
    epoch: Callable[[int], Sequence[Any]]
    scores: Callable[[Sequence[JudgedCase]], list[float]]


def _classifier_plan(order: Order, learnt: Sequence[JudgedCase]) -> _Plan:
    from medner.training.filters.classifier import Classifier  # noqa: PLC0415  needs torch

    tokens = _vocabulary(order).encode
    epoch = _epochs(order, case_rows(tokens, learnt))
    learner = Classifier(order.needed_base(), order.settings, start=order.start, two_way=order.two_way)
    return _Plan(learner, epoch, lambda cases: learner.score(case_rows(tokens, cases)))


def _span_plan(order: Order, learnt: Sequence[JudgedCase]) -> _Plan:
    from medner.training.judges.spans import SpanJudge, judged_sentences, key_of  # noqa: PLC0415  needs torch
    from medner.training.spans.learner import SpanLearner  # noqa: PLC0415  needs torch

    words, labels, split = _vocabulary(order), order.labels, _split_tokens(order)
    epoch = _epochs(order, judged_sentences(learnt, labels, words.encode, words.data, split=split))
    learner = SpanJudge(SpanLearner(order.needed_base(), order.settings, types=len(labels.codes), start=order.start))

    def scores(cases: Sequence[JudgedCase]) -> list[float]:
        sentences = judged_sentences(cases, labels, words.encode, words.data, split=split)
        known = {one.key: found for one, found in zip(sentences, learner.score(sentences), strict=True)}
        return [known[key_of(one)][each.entity] for one in cases for each in one.case.conflict.candidates]

    return _Plan(learner, epoch, scores)


def _split_tokens(order: Order) -> frozenset[str]:
    """What the span tagger that the judge starts from reads character by character."""
    from medner.agents.spans.settings import read_settings  # noqa: PLC0415  heavy

    return frozenset() if order.start is None else frozenset(read_settings(order.start).split_tokens)


def _vocabulary(order: Order) -> Any:
    from medner.agents.engines.local.vocabulary import Vocabulary  # noqa: PLC0415  needs torch
    from medner.training.adapted import load_tokenizer  # noqa: PLC0415  needs torch

    return Vocabulary(load_tokenizer(order.needed_base()), frozenset())


def _epochs(order: Order, rows: Sequence[Sized]) -> Callable[[int], Sequence[Any]]:
    """The batches of an epoch. UserError when there is too little memory for them."""
    from medner.training.batching import batches_by_tokens  # noqa: PLC0415  needs torch
    from medner.training.memory import check_memory_without_answers  # noqa: PLC0415  needs torch

    settings = order.settings

    def epoch(number: int) -> Sequence[Any]:
        return batches_by_tokens(rows, budget=settings.batch_tokens, seed=settings.seed + number)

    if not order.force:
        check_memory_without_answers(order.needed_base(), settings, epoch(0))
    return epoch


def _write_settings(order: Order, threshold: float, folder: Path) -> None:
    from medner.agents.spans.settings import SpanSettings  # noqa: PLC0415  heavy

    # The layer over the votes was weighed with the scores as they are, hence no temperature.
    SpanSettings(
        types=order.labels.codes,
        two_way_from=order.settings.first_layer,
        layers=order.settings.layers,
        temperature=1.0,
        threshold=threshold,
        split_tokens=tuple(sorted(_split_tokens(order))),
    ).save(folder)


def measure(held: Sequence[JudgedCase], scores: Sequence[float], votes: VoteLayer, layer: VoteLayer) -> Measured:
    """The best threshold on the cases held back, and the F1 there of votes, model, both, and of a judge without error.

    The threshold and the weights of the two parts are chosen on these cases, so the numbers flatter a little.
    """
    truth = np.array([right for one in held for right in one.truth], dtype=np.bool_)
    agreed, agreed_right, gold = (
        sum(getattr(one, name) for one in held) for name in ("agreed", "agreed_right", "gold")
    )
    by_votes = [votes.logit(row) for one in held for row in case_features(one.case, votes.taggers)]
    features = [row for one in held for row in case_features(one.case, layer.taggers)]
    both = [layer.logit({**row, MODEL: score}) for row, score in zip(features, scores, strict=True)]
    found = {
        name: _best(np.asarray(logits), truth, agreed, agreed_right, gold)
        for name, logits in (("votes", by_votes), ("model", scores), ("both", both))
    }
    return Measured(
        threshold=found["both"][0],
        cases=len(held),
        candidates=len(truth),
        gold=gold,
        f1_votes=found["votes"][1],
        f1_model=found["model"][1],
        f1=found["both"][1],
        f1_oracle=round(f1(agreed_right + int(truth.sum()), agreed + int(truth.sum()), gold), 4),
    )


def _best(logits: Any, truth: Any, agreed: int, agreed_right: int, gold: int) -> tuple[float, float]:
    """The threshold of the highest F1, agreed entities counted in, and that F1."""
    chances = 1.0 / (1.0 + np.exp(-np.clip(logits, -60, 60)))
    sure = np.concatenate([chances, np.ones(agreed)])
    known = np.concatenate([truth, np.arange(agreed) < agreed_right])
    threshold = best_threshold(sure, known, gold=gold)
    kept = chances >= threshold
    hits = agreed_right + int((kept & truth).sum())
    return threshold, round(f1(hits, agreed + int(kept.sum()), gold), 4)


def _write_layer(path: Path, layer: VoteLayer) -> None:
    weights = {name: weight for name, weight in layer.weights.items() if weight}
    with replacing_file(path) as out:
        json.dump({"taggers": list(layer.taggers), "weights": weights}, out, ensure_ascii=False, sort_keys=True)


def _task(order: Order, cases: Sequence[JudgedCase], scorer: ScorerKind) -> Mapping[str, Any]:
    """What two parts of one run must have in common."""
    digest = hashlib.sha256()
    for one in cases:
        known = (one.case.sentence.text, one.case.conflict.candidates, sorted(one.right))
        digest.update(repr(known).encode("utf-8", "backslashreplace"))
    base = order.needed_base().resolve().name
    facts = {"kind": "llm-judge", "base": base, "labels": order.labels.name, "two_way": order.two_way}
    return {**facts, "samples": digest.hexdigest(), **({"scorer": scorer} if scorer != "classifier" else {})}
