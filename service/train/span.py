"""Training a span tagger: an adapter with head, settings and card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from medner.agents.taggers.spans.settings import SETTINGS, SpanSettings, read_settings
from medner.core.errors import UserError
from medner.core.files.names import ADAPTER_WEIGHTS, CARD
from medner.service.config.cards import AdapterCard
from medner.service.train.orders import SpanOrder
from medner.service.train.provenance import label_set_hash, named_hashes
from medner.service.train.training import Finished, Training, base_of
from medner.store.corpora import write_documents
from medner.training.loop.loop import Run
from medner.training.loop.run import RunFolder
from medner.training.model.lora import chosen_settings, load_tokenizer
from medner.training.spans.build import span_data
from medner.training.spans.calibration import calibrated
from medner.training.spans.learner import SPAN_TRAINING, SpanLearner, passes
from medner.training.spans.soft_labels import read_soft_labels

#: The sentences held back, with their gold, in the run folder.
HELD_BACK = "held_back.jsonl"


class SpanTraining(Training[SpanOrder]):
    """A span tagger before its training."""

    name = "span"
    last = (CARD, SETTINGS)

    def __init__(self, order: SpanOrder) -> None:
        super().__init__(order, chosen_settings(SPAN_TRAINING, order.settings), base=base_of(order.base))
        if order.start is not None:
            self._check_start(read_settings(order.start))
        self._split = self._splits()
        self._data = span_data(
            load_tokenizer(self.base.needed_folder),
            order.files,
            self.labels,
            partial=order.partial,
            exclude=order.exclude,
            most_partial=order.most_partial,
            fold=order.fold,
            soft=read_soft_labels(order.soft_labels, self.labels),
            split=self._tokens_to_split(),
            options=order.options,
        )

    @property
    def sources(self) -> tuple[Any, ...]:
        """Complete files, then partly annotated ones."""
        return (*self.order.files, *self.order.partial)

    def summary(self) -> str:
        """Sentences and texts by what became of them."""
        data = self._data
        return (
            f"{len(data.complete):,} sentences completely and {len(data.partial):,} partly annotated, "
            f"{len(data.held_back):,} held back, of {data.documents:,} texts ({data.excluded:,} excluded, "
            f"{data.lost_entities:,} entities in no one sentence)"
        )

    def task(self) -> Mapping[str, Any]:
        """The files by hash, and how they are read."""
        order = self.order
        return {
            "kind": "span",
            "label_set": label_set_hash(self.labels),
            "data": named_hashes(self.sources),
            "partial": len(order.partial),
            "most_partial": order.most_partial,
            "exclude": named_hashes(order.exclude),
            "start": None if order.start is None else named_hashes([order.start / ADAPTER_WEIGHTS])[0],
            "fold": self._fold,
            "soft_labels": named_hashes(order.soft_labels),
            "split_tokens": self._split,
        }

    def epoch(self, number: int) -> Sequence[Any]:
        """Complete sentences; partly annotated ones in the first passes."""
        return passes(self._data.complete, self._data.partial, self.settings, number)

    def learner(self) -> SpanLearner:
        """The base with an adapter and a head."""
        return SpanLearner(self.base.needed_folder, self.settings, types=len(self.labels.codes), start=self.order.start)

    def finish(self, run: Run[Any], learner: SpanLearner) -> Finished:
        """Chooses temperature and threshold, and writes them and the sentences held back."""
        data, settings, order = self._data, self.settings, self.order
        chosen = calibrated(learner.scores_of, data.held_back, self.labels)
        SpanSettings(
            types=self.labels.codes,
            two_way_from=settings.first_layer,
            layers=settings.layers,
            temperature=chosen.temperature,
            threshold=chosen.threshold,
            split_tokens=data.split_tokens,
        ).save(run.output)
        # Sentences of different files may share their ids.
        held = [replace(one, id=f"held-{number}") for number, (one, _) in enumerate(data.held_back, 1)]
        write_documents(held, order.out / HELD_BACK, format="jsonl")
        card = AdapterCard(
            name=order.name or self.name,
            base=self.base.name,
            labels=self.labels.name,
            strategy="span",
            layers=settings.layers,
            two_way_from=settings.first_layer,
        )
        about = {
            "soft_labels": named_hashes(order.soft_labels),
            "fold_left_out": self._fold,
            "sentences": len(data.complete) + len(data.partial),
            "sentences_seen": run.samples,
        }
        score = f"held back: {chosen.n} sentences, strict micro F1 {chosen.f1:.4f}, the threshold chosen on them"
        return Finished(card, about, (score,))

    @property
    def _fold(self) -> str | None:
        fold = self.order.fold
        return None if fold is None else f"{fold.number}/{fold.of}"

    def _splits(self) -> bool:
        """Whether tokens are split: as the order says, else as the run did that is continued."""
        split, kept = self.order.split, RunFolder(self.order.out).config()
        if kept is None:
            return split is not False
        # Runs of version 0.1.0 read whole tokens and do not tell it.
        before = bool(kept.get("task", {}).get("split_tokens", False))
        if split not in {None, before}:
            raise UserError(f"{self.order.out} holds a run with other settings (split_tokens); choose another --out")
        return before

    def _tokens_to_split(self) -> tuple[str, ...] | None:
        """The tokens to read character by character; None: those that entities of the training data cut."""
        if self.order.start is not None:
            return read_settings(self.order.start).split_tokens
        return None if self._split else ()

    def _check_start(self, found: SpanSettings) -> None:
        """UserError when a tagger to start from has other types, or looks both ways in other layers."""
        folder, settings, codes = self.order.start, self.settings, self.labels.codes
        if found.types != codes:
            raise UserError(
                f"{folder}: this span tagger knows the types {', '.join(found.types)}, "
                f"the label set {self.labels.name!r} has {', '.join(codes)}"
            )
        if found.two_way_from != settings.first_layer:
            raise UserError(
                f"{folder}: trained from layer {found.two_way_from}; give --first-layer {found.two_way_from}"
            )
        if found.layers != settings.layers:
            way = f"give --layers {found.layers}" if found.layers else "leave --layers out"
            raise UserError(f"{folder}: trained on {found.layers or 'all'} layers; {way}")
