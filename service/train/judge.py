"""Training a judge that gives every candidate of a conflict a probability."""

from __future__ import annotations

from typing import Any

from medner.agents.taggers.spans.settings import SETTINGS
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.service.config.cards import JUDGE_KIND, JudgeCard
from medner.service.train.judge_data import judged_cases
from medner.service.train.orders import JudgeOrder, ScorerKind
from medner.service.train.provenance import digest
from medner.service.train.training import Basis, Finished, Training, base_of
from medner.training.filters.kinds import TrainingSetup
from medner.training.judges.train import LAST, SCORERS, FinishedJudge, JudgeScores, finish_judge, parted
from medner.training.loop.loop import Run
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import chosen_settings

_DEFAULTS = TaggerTraining(batch_tokens=512, batches_per_step=1, epochs=2.0)


def judge_training(order: JudgeOrder) -> Training:
    """The training of an order."""
    if bool(order.files) != bool(order.answers):
        raise UserError("gold files and --answers go together: gold, and the taggers' answers on the same texts")
    from_spans = order.start is not None and (order.start / SETTINGS).is_file()
    scorer_kind: ScorerKind = order.scorer or ("span" if from_spans else "classifier")
    if scorer_kind not in SCORERS:
        raise UserError(f"--scorer: there is no scorer {order.scorer!r}; there are {' and '.join(SCORERS)}")
    both_ways = from_spans or scorer_kind == "span"
    two_way = both_ways if order.two_way is None else order.two_way
    settings = chosen_settings(_DEFAULTS, order.settings)
    basis = Basis(order, settings, base_of(order.base), load_label_set(order.labels), "trained-judge")
    cases = judged_cases(order, basis.labels)
    learnt, held = parted(cases)
    setup = TrainingSetup(basis.base, basis.labels, settings, order.start, two_way)
    scorer = SCORERS[scorer_kind](setup, learnt)
    right, candidates = sum(sum(one.truth) for one in cases), sum(len(one.truth) for one in cases)
    return Training(
        basis=basis,
        sources=(*order.files, *order.answers, *order.side_by_side, *order.decisions),
        excluded=order.exclude,
        summary=f"{len(cases):,} conflicts with {candidates:,} candidates, {right:,} of them right",
        task={
            "kind": JUDGE_KIND,
            "samples": digest(
                (one.case.sentence.text, one.case.conflict.candidates, sorted(one.right)) for one in cases
            ),
            "two_way": two_way,
            "scorer": scorer_kind,
        },
        epoch=scorer.epoch,
        learner=scorer.learner,
        finish=lambda run, learner: _finished(
            basis, scorer_kind, two_way, run, finish_judge(scorer, learner, learnt, held, run.output)
        ),
        last=LAST,
    )


def _finished(basis: Basis, scorer: ScorerKind, two_way: bool, run: Run[Any], finished: FinishedJudge) -> Finished:
    card = JudgeCard(
        name=basis.name,
        kind=JUDGE_KIND,
        scorer=scorer,
        base=basis.base_name,
        labels=basis.labels.name,
        threshold=finished.measured.threshold,
        temperature=1.0,
        two_way_from=basis.settings.first_layer if two_way else None,
    )
    about = {"samples_seen": run.samples, "votes_penalty": finished.votes_penalty}
    return Finished(card, about, _score_lines(finished.measured))


def _score_lines(measured: JudgeScores) -> tuple[str, ...]:
    """How the judge did on what was held back, in words."""
    return (
        f"held back: {measured.cases} conflicts with {measured.candidates} candidates; sentences with {measured.gold} "
        "gold entities",
        f"F1 there, agreed entities included: votes {measured.f1_votes:.4f}, model {measured.f1_model:.4f}, both "
        f"{measured.f1:.4f}, a judge without error {measured.f1_oracle:.4f} (threshold and weights were chosen on the "
        "same conflicts)",
    )
