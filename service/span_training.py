"""One run of `medner train span`, from its order to an adapter with head, settings and card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial as bound
from pathlib import Path
from typing import Any

from medner.agents.engines.local.loading import quiet
from medner.agents.spans.settings import SETTINGS, SpanSettings, read_settings
from medner.service.adapters import CARD
from medner.service.config import DEFAULT_MODEL
from medner.service.training_card import licence_note
from medner.store.corpora import NO_OPTIONS, ReadOptions, write_documents
from medner.store.corpora.atomic import replacing_file
from medner.store.errors import UserError
from medner.store.labels import LabelSet, load_label_set
from medner.store.models import base_model_folder, base_model_name
from medner.store.records import Document
from medner.training.adapted import WEIGHTS, load_tokenizer
from medner.training.build import card_text, named_hash, named_start
from medner.training.loop import Progress, Run, refuse_another
from medner.training.memory import check_memory_without_answers
from medner.training.plot import loss_svg
from medner.training.run import RunFacts, RunFolder
from medner.training.settings import TaggerTraining
from medner.training.spans.build import Fold, SpanData, span_data
from medner.training.spans.calibration import Calibration, calibrated
from medner.training.spans.learner import SpanLearner, passes, span_settings
from medner.training.spans.soft_labels import read_soft_labels

Say = Callable[[str], None]
#: The sentences held back, with their gold, in the run folder.
HELD_BACK = "held_back.jsonl"


@dataclass(frozen=True, slots=True)
class SpanOrder:
    """What is to be trained, on what, and where it goes; ``settings`` replace the defaults.

    ``start`` is a span tagger's folder to go on from. Sentences that files of ``soft_labels`` know are learnt with
    those labels; texts of ``fold`` are left out. ``split`` tells whether tokens that entities cut are read character by
    character (a tagger to go on from has its own such tokens).
    """

    files: tuple[Path, ...]
    out: Path
    partial: tuple[Path, ...] = ()
    most_partial: int | None = None
    labels: str = "cmeee-v2"
    base: str = DEFAULT_MODEL
    exclude: tuple[Path, ...] = ()
    start: Path | None = None
    soft_labels: tuple[Path, ...] = ()
    fold: Fold | None = None
    split: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str = "span"
    data_note: str = ""
    command: str = ""
    options: ReadOptions = NO_OPTIONS
    force: bool = False

    @property
    def folder(self) -> Path:
        """The base model's folder. UserError when it is not on this machine."""
        return base_model_folder(self.base)

    @property
    def base_name(self) -> str:
        """What the card calls the base model: its name in the store, else its folder's without the way there."""
        return base_model_name(self.folder)


def train_span_tagger(
    order: SpanOrder,
    say: Say,
    *,
    on_step: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Carries an order out; False when it was stopped, and the same order goes on from there."""
    labels = load_label_set(order.labels)
    if order.start is not None:
        _check_start(order.start, labels, span_settings(**order.settings))
    data = _data(order, labels)
    say(
        f"{len(data.complete):,} sentences completely and {len(data.partial):,} partly annotated, "
        f"{len(data.held_back):,} held back, of {data.documents:,} texts ({data.excluded:,} excluded, "
        f"{data.lost_entities:,} entities in no one sentence)"
    )
    settings, facts = span_settings(**order.settings), RunFacts(_task(order, labels))
    refuse_another(order.out, settings, facts)
    if not order.force:
        check_memory_without_answers(order.folder, settings, passes(data.complete, data.partial, settings, 0))
    with quiet():
        learner = SpanLearner(order.folder, settings, types=len(labels.codes), start=order.start)
    run = Run(
        learner,
        bound(passes, data.complete, data.partial, settings),
        order.out,
        settings,
        facts=facts,
        last=[CARD, SETTINGS],
    )
    if not run.train(on_step, stop=stop):
        return False
    chosen = calibrated(learner.scores_of, data.held_back, labels)
    say(
        f"held back: {chosen.n} sentences, strict micro F1 {chosen.f1:.4f} at threshold {chosen.threshold:g}, "
        f"temperature {chosen.temperature:g}"
    )
    SpanSettings(
        types=labels.codes,
        two_way_from=settings.first_layer,
        layers=settings.layers,
        temperature=chosen.temperature,
        threshold=chosen.threshold,
        split_tokens=data.split_tokens,
    ).save(run.output)
    _write(order, labels, data, run, chosen)
    held = _unlike(document for document, _ in data.held_back)
    write_documents(held, order.out / HELD_BACK, format="jsonl")
    return True


def _unlike(documents: Iterable[Document]) -> list[Document]:
    """The documents with ids of their own: sentences of different files may share theirs."""
    return [replace(one, id=f"held-{number}") for number, one in enumerate(documents, 1)]


def _check_start(folder: Path, labels: LabelSet, settings: TaggerTraining) -> None:
    """UserError when a tagger to go on from was trained for other types, or looks both ways in other layers."""
    found = read_settings(folder)
    if found.types != labels.codes:
        raise UserError(
            f"{folder}: this span tagger knows the types {', '.join(found.types)}, "
            f"the label set {labels.name!r} has {', '.join(labels.codes)}"
        )
    if found.two_way_from != settings.first_layer:
        raise UserError(f"{folder}: trained from layer {found.two_way_from}; give --first-layer {found.two_way_from}")
    if found.layers != settings.layers:
        way = f"give --layers {found.layers}" if found.layers else "leave --layers out"
        raise UserError(f"{folder}: trained on {found.layers or 'all'} layers; {way}")


def _data(order: SpanOrder, labels: LabelSet) -> SpanData:
    return span_data(
        load_tokenizer(order.folder),
        order.files,
        labels,
        partial=order.partial,
        exclude=order.exclude,
        most_partial=order.most_partial,
        fold=order.fold,
        soft=read_soft_labels(order.soft_labels, labels),
        split=_split(order),
        options=order.options,
    )


def _split(order: SpanOrder) -> tuple[str, ...] | None:
    """The tokens to read character by character; None: those that entities of the training data cut."""
    if order.start is not None:
        return read_settings(order.start).split_tokens
    return None if order.split else ()


def _task(order: SpanOrder, labels: LabelSet) -> dict[str, Any]:
    """What two parts of one run must have in common."""
    return {
        "kind": "span",
        "base": order.base_name,
        "labels": labels.name,
        "data": [named_hash(file) for file in _sources(order)],
        "partial": len(order.partial),
        "most_partial": order.most_partial,
        "exclude": [named_hash(file) for file in order.exclude],
        **({} if order.start is None else {"start": named_hash(order.start / WEIGHTS)}),
        **({} if order.fold is None else {"fold": f"{order.fold.number}/{order.fold.of}"}),
        **({} if not order.soft_labels else {"soft_labels": [named_hash(file) for file in order.soft_labels]}),
        "split_tokens": order.split,
    }


def _sources(order: SpanOrder) -> tuple[Path, ...]:
    return (*order.files, *order.partial)


def _write(order: SpanOrder, labels: LabelSet, data: SpanData, run: Run[Any], chosen: Calibration) -> None:
    """The card and the loss curve's plot."""
    settings = span_settings(**order.settings)
    fields = {
        "name": order.name,
        "base": order.base_name,
        "labels": labels.name,
        "strategy": "span",
        "data": [named_hash(file) for file in _sources(order)],
        "start": "" if order.start is None else named_start(order.start),
        "soft_labels": [named_hash(file) for file in order.soft_labels],
        "fold_left_out": "" if order.fold is None else f"{order.fold.number}/{order.fold.of}",
        "excluded": [named_hash(file) for file in order.exclude],
        "sentences": len(data.complete) + len(data.partial),
        "sentences_seen": run.samples,
        "tokens": run.tokens,
        "seconds": round(run.seconds),
        "rank": settings.rank,
        "layers": settings.layers or "",
        "two_way_from": settings.first_layer,
        "products": settings.products,
        "learning_rate": settings.learning_rate,
        "seed": settings.seed,
        "command": order.command,
        "licence_note": licence_note(order.base_name, order.data_note),
        "scores": [f"held back: {chosen.n} sentences, strict micro F1 {chosen.f1:.4f}, the threshold chosen on them"],
    }
    known = {key: value for key, value in fields.items() if value not in ("", [])}
    with replacing_file(run.output / "card.toml") as out:
        out.write(card_text(known))
    points = [(float(step.batch), step.loss) for step in RunFolder(order.out).curve()]
    with replacing_file(order.out / "loss.svg") as out:
        out.write(loss_svg(points, title=f"{order.name}: {order.base_name}, {labels.name}, span"))
