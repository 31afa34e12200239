"""Training a span tagger: an adapter with head, settings and card."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from medner.agents.taggers.spans.settings import SETTINGS, SpanSettings, read_settings
from medner.core.errors import UserError
from medner.core.files.names import ADAPTER_WEIGHTS, CARD
from medner.core.labels import LabelSet, load_label_set
from medner.service.config.cards import AdapterCard
from medner.service.train.orders import SpanOrder
from medner.service.train.provenance import label_set_hash, named_hashes
from medner.service.train.training import Basis, Finished, Training, base_of
from medner.store.corpora import write_documents
from medner.training.loop.loop import Run
from medner.training.loop.run import RunFolder
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import chosen_settings, load_tokenizer
from medner.training.spans.build import SpanData, span_data
from medner.training.spans.calibration import calibrated
from medner.training.spans.learner import SPAN_TRAINING, SpanLearner, passes
from medner.training.spans.soft_labels import read_soft_labels

#: The sentences held back, with their gold, in the run folder.
HELD_BACK = "held_back.jsonl"


def span_training(order: SpanOrder) -> Training:
    """The training of an order."""
    base, labels, start = base_of(order.base), load_label_set(order.labels), order.start
    settings, sources = chosen_settings(SPAN_TRAINING, order.settings), (*order.files, *order.partial)
    goes_on = start is not None and _same_types(start, labels, settings)
    basis = Basis(order, settings, base, labels, "span")
    split = _splits(order)
    data = _data(order, base, labels, split=split)
    return Training(
        basis=basis,
        sources=sources,
        excluded=order.exclude,
        summary=f"{len(data.complete):,} sentences completely and {len(data.partial):,} partly annotated, "
        f"{len(data.held_back):,} held back, of {data.documents:,} texts ({data.excluded:,} excluded, "
        f"{data.lost_entities:,} entities in no one sentence)",
        task={
            "kind": "span",
            "label_set": label_set_hash(labels),
            "data": named_hashes(sources),
            "partial": len(order.partial),
            "most_partial": order.most_partial,
            "exclude": named_hashes(order.exclude),
            "start": None if start is None else named_hashes([start / ADAPTER_WEIGHTS])[0],
            "fold": _fold(order),
            "soft_labels": named_hashes(order.soft_labels),
            "split_tokens": split,
        },
        epoch=partial(passes, data.complete, data.partial, settings),
        learner=partial(SpanLearner, base, settings, types=len(labels.codes), start=start, fresh_head=not goes_on),
        finish=partial(_finish, basis, order, data),
        last=(CARD, SETTINGS),
    )


def _finish(basis: Basis, order: SpanOrder, data: SpanData, run: Run[Any], learner: SpanLearner) -> Finished:
    """Chooses temperature and threshold, and writes them and the sentences held back."""
    labels, settings = basis.labels, basis.settings
    chosen = calibrated(learner.scores_of, data.held_back, labels)
    SpanSettings(
        types=labels.codes,
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
        name=basis.name,
        base=basis.base_name,
        labels=labels.name,
        strategy="span",
        layers=settings.layers,
        two_way_from=settings.first_layer,
    )
    about = {
        "soft_labels": named_hashes(order.soft_labels),
        "fold_left_out": _fold(order),
        "sentences": len(data.complete) + len(data.partial),
        "sentences_seen": run.samples,
    }
    score = f"held back: {chosen.n} sentences, strict micro F1 {chosen.f1:.4f}, the threshold chosen on them"
    return Finished(card, about, (score,))


def _data(order: SpanOrder, base: Path, labels: LabelSet, *, split: bool) -> SpanData:
    # None: the tokens that entities of the training data cut.
    tokens = None if split else ()
    start = _same_task(order.start, labels)
    return span_data(
        load_tokenizer(base),
        order.files,
        labels,
        partial=order.partial,
        exclude=order.exclude,
        most_partial=order.most_partial,
        fold=order.fold,
        soft=read_soft_labels(order.soft_labels, labels),
        split=tokens if start is None else start.split_tokens,
        options=order.options,
    )


def _fold(order: SpanOrder) -> str | None:
    return None if order.fold is None else f"{order.fold.number}/{order.fold.of}"


def _splits(order: SpanOrder) -> bool:
    """Whether tokens are split: as the order says, else as the run did that is continued."""
    kept = RunFolder(order.out).config()
    if kept is None:
        return order.split is not False
    # Runs of version 0.1.0 read whole tokens and do not tell it.
    before = bool(kept.get("task", {}).get("split_tokens", False))
    if order.split not in {None, before}:
        raise UserError(f"{order.out} holds a run with other settings (split_tokens); choose another --out")
    return before


def _same_types(folder: Path, labels: LabelSet, settings: TaggerTraining) -> bool:
    """Whether a tagger to start from has the same types. UserError when it looks both ways in other layers."""
    found = read_settings(folder)
    if found.two_way_from != settings.first_layer:
        raise UserError(f"{folder}: trained from layer {found.two_way_from}; give --first-layer {found.two_way_from}")
    if found.layers != settings.layers:
        way = f"give --layers {found.layers}" if found.layers else "leave --layers out"
        raise UserError(f"{folder}: trained on {found.layers or 'all'} layers; {way}")
    return found.types == labels.codes


def _same_task(folder: Path | None, labels: LabelSet) -> SpanSettings | None:
    """The settings of a tagger to start from if it has the same types: only then its tokens and its head go on."""
    found = None if folder is None else read_settings(folder)
    return None if found is None or found.types != labels.codes else found
