"""From a filter's configuration to the filter that runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from medner.agents.engines.engine import Classifier, Encoder, Engine
from medner.agents.filters import (
    CausalFilter,
    ClassifierFilter,
    Filter,
    ServedClassifierFilter,
    load_encoder_filter,
    load_head,
)
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.service.config.cards import export_card, filter_card, names_labels
from medner.service.config.configuration import FilterConfig

#: The least probability of a candidate that stays, where no card says it.
THRESHOLD = 0.5


def engine_adapter(chosen: FilterConfig) -> Path | None:
    """The adapter that the engine must load for a filter; None for a filter without, or on a server of its own."""
    return None if chosen.kind == "bert-cls" or chosen.exported is not None else chosen.adapter


def build_filter(
    chosen: FilterConfig, engine: Engine, labels: LabelSet, adapters: Mapping[Path, str], served: str | None = None
) -> Filter:
    """The filter on an engine that has its adapter loaded, under the name that ``adapters`` says.

    An exported one is asked on servers, where it has the name ``served``.

    UserError when its folder holds no filter of this kind, or one for another label set.
    """
    if chosen.exported is not None and served is not None:
        return _served_filter(chosen, chosen.exported, engine, labels, served)
    folder = chosen.adapter
    if chosen.kind == "span":
        raise UserError("the filter span is made of span taggers")
    if folder is None:
        return CausalFilter(engine, labels, THRESHOLD if chosen.threshold is None else chosen.threshold)
    card = filter_card(folder)
    if card.kind != chosen.kind:
        raise UserError(f"{folder}: this filter is {card.kind}, not {chosen.kind}; set kind to what its card says")
    if not _same_labels(card.labels, labels):
        raise UserError(f"{folder}: this filter knows the label set {card.labels}, not {labels.name}")
    threshold = card.threshold if chosen.threshold is None else chosen.threshold
    if card.kind == "bert-cls":
        return load_encoder_filter(folder, labels, threshold=threshold, temperature=card.temperature, name=card.name)
    adapter, temperature, name = adapters[folder], card.temperature, card.name
    if card.kind == "llm-causal":
        return CausalFilter(engine, labels, threshold, adapter, name, style="brief", temperature=temperature)
    if not isinstance(engine, Encoder):
        raise UserError(f"filter {name!r}: this engine gives no hidden states, which an llm-cls filter needs")
    head, two_way_from = load_head(folder), card.two_way_from
    return ClassifierFilter(engine, labels, head, threshold, temperature, adapter, name, two_way_from)


def _served_filter(chosen: FilterConfig, folder: Path, engine: Engine, labels: LabelSet, served: str) -> Filter:
    card = export_card(folder)
    if not _same_labels(card.labels, labels):
        raise UserError(f"{folder}: this filter knows the label set {card.labels}, not {labels.name}")
    if not isinstance(engine, Classifier):
        raise UserError(f"filter {card.name!r}: this engine has no servers that classify, which an exported one needs")
    threshold = card.threshold if chosen.threshold is None else chosen.threshold
    return ServedClassifierFilter(engine, labels, served, card.bias, threshold, card.temperature, card.name)


def _same_labels(named: str, labels: LabelSet) -> bool:
    return names_labels(named, labels.name)
