"""Training a filter of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medner.agents.taggers.spans.settings import SETTINGS
from medner.core.errors import UserError
from medner.service.config.cards import FilterCard
from medner.service.train.orders import FilterOrder
from medner.service.train.provenance import digest, label_set_hash, named_hashes
from medner.service.train.training import NEW, Base, Finished, Training, base_of
from medner.training.filters.calibration import FilterCalibration
from medner.training.filters.data import FilterData, Sources, filter_data
from medner.training.filters.kinds import KINDS, TrainableFilter, TrainingSetup
from medner.training.loop.loop import Run
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import chosen_settings
from medner.training.taggers.memory import LargestBatch

#: A step for a few dozen candidates: small data wants many steps.
_DEFAULTS = {
    "llm-cls": TaggerTraining(batch_tokens=512, batches_per_step=1, epochs=2.0),
    "llm-causal": TaggerTraining(epochs=2.0),
    "bert-cls": TaggerTraining(epochs=10.0),
}
#: The usual rate of a pretrained encoder, whose weights all learn.
_ENCODER_RATE = 3e-5


class FilterTraining(Training[FilterOrder]):
    """A filter before its training."""

    def __init__(self, order: FilterOrder) -> None:
        if order.kind not in KINDS:
            raise UserError(f"--kind: there is no filter {order.kind!r}; there are {', '.join(KINDS)}")
        if order.start is not None and order.kind == "bert-cls":
            raise UserError("--start continues an adapter; bert-cls has none")
        base = base_of(order.base, **({"default": NEW} if order.kind == "bert-cls" else {}))
        super().__init__(order, chosen_settings(_defaults(order, base), order.settings), base=base)
        self._two_way = self._looks_both_ways()
        self._sources = Sources(order.files, order.exclude, order.predictions, order.partial, order.options)
        self._data = filter_data(self._sources, self.labels, samples=order.samples, seed=self.settings.seed)
        setup = TrainingSetup(base.folder, self.labels, self.settings, order.start, self._two_way)
        self._kind: TrainableFilter = KINDS[order.kind](setup, self._data)

    @property
    def name(self) -> str:
        """The kind."""
        return self.order.kind

    @property
    def sources(self) -> tuple[Path, ...]:
        """Complete files, then partly annotated ones."""
        return (*self.order.files, *self.order.partial)

    def summary(self) -> str:
        """Candidates and texts by what became of them."""
        data = self._data
        right = sum(one.right for one in data.train)
        held = "predicted entities" if data.held.predicted else "samples"
        unknown = f"; {data.unknown} predicted texts have no gold entities" if data.unknown else ""
        return (
            f"{len(data.train)} candidates to learn from ({right} right), {len(data.held.candidates)} {held} held "
            f"back; {data.documents} texts, {data.read - data.documents} more excluded{unknown}"
        )

    def task(self) -> Mapping[str, Any]:
        """The kind and the samples."""
        return {
            "kind": self.order.kind,
            "label_set": label_set_hash(self.labels),
            "samples": digest((one.sentence, one.entity, one.right) for one in self._data.train),
            "two_way": self._two_way,
        }

    def epoch(self, number: int) -> Sequence[Any]:
        """Those of the kind."""
        return self._kind.epoch(number)

    def largest(self, batches: Sequence[Any]) -> LargestBatch | None:
        """That of the kind."""
        return self._kind.largest(batches)

    def learner(self) -> Any:
        """That of the kind."""
        return self._kind.learner()

    def finish(self, run: Run[Any], learner: Any) -> Finished:
        """Chooses temperature and threshold."""
        chosen = self._kind.calibration(learner)
        card = FilterCard(
            name=self.order.name or self.name,
            kind=self.order.kind,
            base=self.base.name,
            labels=self.labels.name,
            threshold=chosen.threshold,
            temperature=chosen.temperature,
            two_way_from=self.settings.first_layer if self._two_way else None,
        )
        about = {
            "predictions": named_hashes(self.order.predictions),
            "samples": len(self._data.train),
            "samples_seen": run.samples,
        }
        return Finished(card, about, _score_lines(self._data, chosen))

    def _looks_both_ways(self) -> bool:
        order = self.order
        if order.two_way and order.kind != "llm-cls":
            raise UserError(f"--two-way is for llm-cls; {order.kind} reads as its model does")
        if order.two_way is not None:
            return order.two_way
        # A span tagger's adapter has learnt to look both ways.
        return order.kind == "llm-cls" and order.start is not None and (order.start / SETTINGS).is_file()


def _defaults(order: FilterOrder, base: Base) -> TaggerTraining:
    rate = _ENCODER_RATE if order.kind == "bert-cls" and base.folder is not None else None
    return chosen_settings(_DEFAULTS[order.kind], {"learning_rate": rate})


def _score_lines(data: FilterData, chosen: FilterCalibration) -> tuple[str, ...]:
    """How the filter did on what was held back, in words."""
    of = "predicted entities" if data.held.predicted else "samples"
    what = "F1 of the predictions" if data.held.predicted else "F1 of the classification"
    return (
        f"held back: {chosen.n} {of}, {chosen.right} of them right, {chosen.gold} entities to find",
        f"accuracy {chosen.accuracy:.4f} at threshold {chosen.threshold:g}",
        f"{what}: {chosen.f1_all:.4f} unfiltered, {chosen.f1:.4f} filtered",
        f"calibration error {chosen.ece_before:.4f}, {chosen.ece_after:.4f} at temperature {chosen.temperature:g}",
    )
