"""Training a filter of any kind."""

from __future__ import annotations

from typing import Any

from medner.agents.taggers.spans.settings import SETTINGS
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.service.config.cards import FilterCard
from medner.service.train.orders import FilterOrder
from medner.service.train.provenance import digest, label_set_hash, named_hashes
from medner.service.train.training import NEW, Basis, Finished, Training, base_of
from medner.training.filters.calibration import FilterCalibration
from medner.training.filters.data import FilterData, Sources, filter_data
from medner.training.filters.kinds import KINDS, TrainingSetup
from medner.training.loop.loop import Run
from medner.training.model.lora import chosen_settings

#: The usual rate of a pretrained encoder, whose weights all learn.
_ENCODER_RATE = {"learning_rate": 3e-5}


def filter_training(order: FilterOrder) -> Training:
    """The training of an order."""
    if order.kind not in KINDS:
        raise UserError(f"--kind: there is no filter {order.kind!r}; there are {', '.join(KINDS)}")
    kind = KINDS[order.kind]
    encodes = kind.has_encoder
    if order.start is not None and encodes:
        raise UserError(f"--start goes on from an adapter; {order.kind} has none")
    two_way, labels = _looks_both_ways(order), load_label_set(order.labels)
    new = (order.base or (NEW if encodes else None)) == NEW
    base = None if new else base_of(order.base)
    defaults = chosen_settings(kind.defaults, _ENCODER_RATE if encodes and base else {})
    basis = Basis(order, chosen_settings(defaults, order.settings), base, labels, order.kind)
    sources = Sources(order.files, order.exclude, order.predictions, order.partial, order.options)
    data = filter_data(sources, labels, samples=order.samples, seed=basis.settings.seed)
    made = kind.prepare(TrainingSetup(base, labels, basis.settings, order.start, two_way), data)
    return Training(
        basis=basis,
        sources=(*order.files, *order.partial),
        excluded=order.exclude,
        summary=_summary(data),
        task={
            "kind": order.kind,
            "label_set": label_set_hash(labels),
            "samples": digest((one.sentence, one.entity, one.right) for one in data.train),
            "two_way": two_way,
        },
        epoch=made.epoch,
        learner=made.learner,
        largest=made.largest,
        finish=lambda run, learner: _finished(basis, order, data, two_way, run, made.calibration(learner)),
    )


def _finished(
    basis: Basis, order: FilterOrder, data: FilterData, two_way: bool, run: Run[Any], chosen: FilterCalibration
) -> Finished:
    card = FilterCard(
        name=basis.name,
        kind=order.kind,
        base=basis.base_name,
        labels=basis.labels.name,
        threshold=chosen.threshold,
        temperature=chosen.temperature,
        two_way_from=basis.settings.first_layer if two_way else None,
    )
    about = {
        "predictions": named_hashes(order.predictions),
        "samples": len(data.train),
        "samples_seen": run.samples,
        # An encoder has no adapter.
        **(dict.fromkeys(("rank", "quantise", "products")) if KINDS[order.kind].has_encoder else {}),
    }
    return Finished(card, about, _score_lines(data, chosen))


def _looks_both_ways(order: FilterOrder) -> bool:
    can = KINDS[order.kind].may_be_two_way
    if order.two_way and not can:
        takers = ", ".join(name for name, kind in KINDS.items() if kind.may_be_two_way)
        raise UserError(f"--two-way is for {takers}; {order.kind} reads as its model does")
    if order.two_way is not None:
        return order.two_way
    # A span tagger's adapter has learnt to look both ways.
    return can and order.start is not None and (order.start / SETTINGS).is_file()


def _summary(data: FilterData) -> str:
    right = sum(one.right for one in data.train)
    held = "predicted entities" if data.held.predicted else "samples"
    unknown = f"; {data.unknown} predicted texts have no gold entities" if data.unknown else ""
    return (
        f"{len(data.train)} candidates to learn from ({right} right), {len(data.held.candidates)} {held} held "
        f"back; {data.documents} texts, {data.read - data.documents} more excluded{unknown}"
    )


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
