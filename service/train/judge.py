"""Training a judge that gives every candidate of a conflict a probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medner.agents.taggers.spans.settings import SETTINGS
from medner.core.errors import UserError
from medner.service.config.cards import JudgeCard
from medner.service.train.judge_data import JudgeSources, judged_cases
from medner.service.train.orders import JudgeOrder, ScorerKind
from medner.service.train.provenance import digest
from medner.service.train.training import Finished, Training, base_of
from medner.training.filters.kinds import TrainingSetup
from medner.training.judges.train import LAST, SCORERS, CandidateScorer, JudgeScores, finish_judge, parted
from medner.training.loop.loop import Run
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import chosen_settings

_DEFAULTS = TaggerTraining(batch_tokens=512, batches_per_step=1, epochs=2.0)


class JudgeTraining(Training[JudgeOrder]):
    """A judge before its training."""

    name = "trained-judge"
    last = LAST

    def __init__(self, order: JudgeOrder) -> None:
        if bool(order.files) != bool(order.predictions):
            raise UserError("gold files and --said go together: gold, and what the taggers said about the same texts")
        from_spans = order.start is not None and (order.start / SETTINGS).is_file()
        self._scorer_kind: ScorerKind = order.scorer or ("span" if from_spans else "classifier")
        if self._scorer_kind not in SCORERS:
            raise UserError(f"--scorer: there is no scorer {order.scorer!r}; there are {' and '.join(SCORERS)}")
        super().__init__(order, chosen_settings(_DEFAULTS, order.settings), base=base_of(order.base))
        both_ways = from_spans or self._scorer_kind == "span"
        self._two_way = both_ways if order.two_way is None else order.two_way
        self._cases = judged_cases(
            JudgeSources(
                order.files, order.predictions, order.side_by_side, order.decisions, order.exclude, order.options
            ),
            self.labels,
        )
        self._learnt, self._held = parted(self._cases)
        setup = TrainingSetup(self.base.needed_folder, self.labels, self.settings, order.start, self._two_way)
        self._scorer: CandidateScorer = SCORERS[self._scorer_kind](setup, self._learnt)

    @property
    def sources(self) -> tuple[Path, ...]:
        """All files of conflicts."""
        order = self.order
        return (*order.files, *order.predictions, *order.side_by_side, *order.decisions)

    def summary(self) -> str:
        """Conflicts and candidates."""
        cases = self._cases
        right, candidates = sum(sum(one.truth) for one in cases), sum(len(one.truth) for one in cases)
        return f"{len(cases):,} conflicts with {candidates:,} candidates, {right:,} of them right"

    def task(self) -> Mapping[str, Any]:
        """The conflicts and what scores them."""
        return {
            "kind": "llm-judge",
            "samples": digest(
                (one.case.sentence.text, one.case.conflict.candidates, sorted(one.right)) for one in self._cases
            ),
            "two_way": self._two_way,
            "scorer": self._scorer_kind,
        }

    def epoch(self, number: int) -> Sequence[Any]:
        """Those of the scorer."""
        return self._scorer.epoch(number)

    def learner(self) -> Any:
        """That of the scorer."""
        return self._scorer.learner()

    def finish(self, run: Run[Any], learner: Any) -> Finished:
        """Weighs the model against the votes, and chooses the threshold."""
        finished = finish_judge(self._scorer, learner, self._learnt, self._held, run.output)
        card = JudgeCard(
            name=self.order.name or self.name,
            kind="llm-judge",
            scorer=self._scorer_kind,
            base=self.base.name,
            labels=self.labels.name,
            threshold=finished.measured.threshold,
            temperature=1.0,
            two_way_from=self.settings.first_layer if self._two_way else None,
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
