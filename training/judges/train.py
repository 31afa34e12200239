"""Trains a judge: an adapter with a classification layer, a layer over votes behind it, a threshold."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.judges.votes import MODEL, VOTES_FILE, VoteLayer, case_features
from medner.agents.taggers.spans.settings import SETTINGS, SpanSettings, read_settings
from medner.core.errors import UserError
from medner.core.files.atomic import replacing_file
from medner.core.files.names import CARD
from medner.training.filters.calibration import best_threshold, f1
from medner.training.filters.classifier import ClassifierLearner
from medner.training.filters.kinds import TrainingSetup
from medner.training.judges.examples import JudgedCase, case_rows, held_apart
from medner.training.judges.spans import JudgedSentence, SpanJudge, judged_sentences, key_of
from medner.training.judges.votes import fit_votes, with_model
from medner.training.loop.batching import epochs_of
from medner.training.model.lora import load_tokenizer
from medner.training.spans.learner import SpanLearner

#: Written when a run has got to its end: what fits the weights it ended with.
LAST = (CARD, VOTES_FILE, SETTINGS)


@dataclass(frozen=True, slots=True)
class JudgeScores:
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
class FinishedJudge:
    """How a judge did on what was held back, and the penalty of its layer over votes."""

    measured: JudgeScores
    votes_penalty: float


@dataclass(frozen=True, slots=True)
class CandidateScorer:
    """What gives the candidates of conflicts their scores, with its data.

    The batches of an epoch; what loads the learner; the scores of all candidates of some cases, in order;
    ``save_settings`` writes what inference needs besides the learner's own files, for a threshold, into a folder.
    """

    epoch: Callable[[int], Sequence[Any]]
    learner: Callable[[], Any]
    scores: Callable[[Any, Sequence[JudgedCase]], list[float]]
    save_settings: Callable[[float, Path], None] = lambda *_: None


def classifier_scorer(setup: TrainingSetup, learnt: Sequence[JudgedCase]) -> CandidateScorer:
    """A classification layer behind each candidate."""
    base, settings, tokens = setup.needed_base(), setup.settings, _vocabulary(setup).encode
    return CandidateScorer(
        epochs_of(case_rows(tokens, learnt), settings),
        lambda: ClassifierLearner(base, settings, start=setup.start, two_way=setup.two_way),
        lambda learner, cases: learner.score(case_rows(tokens, cases)),
    )


def span_scorer(setup: TrainingSetup, learnt: Sequence[JudgedCase]) -> CandidateScorer:
    """A span head behind the sentence: a pass a sentence."""
    base, settings, words, codes = setup.needed_base(), setup.settings, _vocabulary(setup), setup.labels.codes
    # What the span tagger that the judge starts from reads character by character.
    split = frozenset(() if setup.start is None else read_settings(setup.start).split_tokens)

    def sentences(cases: Sequence[JudgedCase]) -> list[JudgedSentence]:
        return judged_sentences(cases, setup.labels, words.encode, words.data, split=split)

    def scores(learner: SpanJudge, cases: Sequence[JudgedCase]) -> list[float]:
        judged = sentences(cases)
        known = {one.key: found for one, found in zip(judged, learner.score(judged), strict=True)}
        return [known[key_of(one)][each.entity] for one in cases for each in one.case.conflict.candidates]

    def save_settings(threshold: float, folder: Path) -> None:
        # The layer over the votes was weighed with the scores as they are, hence no temperature.
        SpanSettings(
            types=codes,
            two_way_from=settings.first_layer,
            layers=settings.layers,
            temperature=1.0,
            threshold=threshold,
            split_tokens=tuple(sorted(split)),
        ).save(folder)

    return CandidateScorer(
        epochs_of(sentences(learnt), settings),
        lambda: SpanJudge(SpanLearner(base, settings, types=len(codes), start=setup.start)),
        scores,
        save_settings,
    )


SCORERS: dict[str, Callable[[TrainingSetup, Sequence[JudgedCase]], CandidateScorer]] = {
    "classifier": classifier_scorer,
    "span": span_scorer,
}


def parted(cases: Sequence[JudgedCase]) -> tuple[list[JudgedCase], list[JudgedCase]]:
    """The cases to learn from and those held back. UserError when there are too few."""
    learnt, held = held_apart(cases)
    if not learnt or not held:
        raise UserError(f"{len(cases)} conflicts are too few: some must be held back; give more predictions")
    return learnt, held


def finish_judge(
    scorer: CandidateScorer, learner: Any, learnt: Sequence[JudgedCase], held: Sequence[JudgedCase], folder: Path
) -> FinishedJudge:
    """Weighs the model and a layer over the votes on the cases held back, and writes what inference needs of both."""
    scores = scorer.scores(learner, held)
    taggers = sorted({name for one in (*learnt, *held) for name in one.case.voters})
    votes = fit_votes(learnt, taggers)
    layer = with_model(votes.layer, held, scores)
    _write_layer(folder / VOTES_FILE, layer)
    measured = measure(held, scores, votes.layer, layer)
    scorer.save_settings(measured.threshold, folder)
    return FinishedJudge(measured, votes.penalty)


def _vocabulary(setup: TrainingSetup) -> Vocabulary:
    return Vocabulary(load_tokenizer(setup.needed_base()), frozenset())


def measure(held: Sequence[JudgedCase], scores: Sequence[float], votes: VoteLayer, layer: VoteLayer) -> JudgeScores:
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
    return JudgeScores(
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
