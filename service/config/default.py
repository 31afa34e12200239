"""The configuration without a file: the taggers, filter and judge that ship for a label set and a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import UserError
from medner.service.config.cards import AdapterCard
from medner.service.config.configuration import Configuration, ConflictsConfig, with_own_bases
from medner.service.config.filters import FILTERS, FilterConfig
from medner.service.config.judges import JUDGES
from medner.service.config.shelf import Preset, ShippedAdapter, shipped_adapters, shipped_filters, shipped_plan
from medner.service.config.taggers import TAGGERS, TaggerConfig, WritingTaggerConfig

#: The default's taggers where no adapter ships.
_UNTUNED = (
    WritingTaggerConfig(name="html-full", strategy="html", style="full", shots=3),
    WritingTaggerConfig(name="json-plain", strategy="json", style="plain", shots=3),
)
_DEFAULT_COUNT = 2


def default_configuration(
    labels: str = DEFAULT_LABELS,
    *,
    model: str = DEFAULT_MODEL,
    preset: str | None = None,
    adapters: tuple[ShippedAdapter, ...] | None = None,
    root: Path | None = None,
) -> Configuration:
    """The configuration without a file: what ships for the label set and this model, else untuned taggers.

    Which of the shipped taggers, filters and judges that are is said by the shelf's ``default.toml``, or by one of its
    presets; without one all taggers, no filter, and a judge that follows the first. There are at least two taggers.
    ``adapters`` None: those in the package, or in ``root``. UserError when there is no such preset.
    """
    shelf = shipped_plan(labels, root) if adapters is None else None
    if shelf is None and preset is not None:
        raise UserError(f"--preset: the label set {labels} has no presets; leave it out")
    plan = None if shelf is None else shelf.named(preset)
    shipped = shipped_adapters(labels, root) if adapters is None else adapters
    tuned = tuned_taggers(labels, model, shipped)
    by_name = {one.name: one for one in (*tuned_taggers(labels, None, shipped), *tuned)}
    if plan is not None and by_name.keys() >= set(plan.taggers) and plan.taggers[0] in {one.name for one in tuned}:
        return with_own_bases(
            Configuration(
                labels=labels,
                model=model,
                taggers=tuple(by_name[name] for name in plan.taggers),
                filter=_planned_filter(plan, labels, model, root),
                judge=JUDGES.read(plan.judge).placed(labels),
                conflicts=None if plan.conflicts is None else ConflictsConfig.model_validate(plan.conflicts),
            )
        )
    if preset is not None:
        raise UserError(
            f"--preset: the taggers of {preset} have another base model than {model}; leave one of the two options out"
        )
    taggers = (*tuned, *_partners(tuned)[: max(0, _DEFAULT_COUNT - len(tuned))])
    return Configuration(labels=labels, model=model, taggers=taggers)


def _planned_filter(plan: Preset, labels: str, model: str, root: Path | None) -> FilterConfig | None:
    """The filter that a plan names: a table, a kind that needs no folder, or one of the shelf."""
    if isinstance(plan.filter, dict):
        return FILTERS.read(plan.filter)
    kind = FILTERS.row(plan.filter)
    if kind is not None and kind.is_of_span_taggers:
        return FILTERS.read({"kind": plan.filter})
    for shipped in shipped_filters(labels, root):
        card = shipped.card
        # An encoder of its own suits every base model.
        if card.name == plan.filter and (card.base == model or not FILTERS.rows[card.kind].fits_one_base):
            return FILTERS.read({"kind": card.kind, "adapter": shipped.folder})
    return None


def tuned_taggers(
    labels: str, model: str | None, shipped: Sequence[ShippedAdapter] | None = None
) -> list[TaggerConfig]:
    """The shipped taggers of a label set for a model (None: for any), by name.

    ``shipped`` None: those in the package.
    """
    return [
        tagger_of_card(one.card, one.folder)
        for one in (shipped_adapters(labels) if shipped is None else shipped)
        if model in (None, one.card.base) and one.card.labels == labels
    ]


def tagger_of_card(card: AdapterCard, folder: Path) -> TaggerConfig:
    """The tagger of an adapter, as its card says."""
    data = {"name": card.name, "strategy": card.strategy, "style": card.style, "adapter": folder}
    row = TAGGERS.rows[card.strategy]
    return TAGGERS.read({key: value for key, value in data.items() if key in row.model_fields})


def _partners(tuned: list[TaggerConfig]) -> list[TaggerConfig]:
    """Who joins too few tuned taggers: one of them under another prompt, where there is one, else untuned ones."""
    prompted = [one for one in tuned if one.writes]
    return [one.model_copy(update={"name": f"{one.name}-full", "style": "full"}) for one in prompted] or list(_UNTUNED)
