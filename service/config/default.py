"""The configuration without a file: the taggers, filter and judge that ship for a label set and a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import UserError
from medner.service.config.configuration import Configuration, FilterConfig, TaggerConfig
from medner.service.config.judges import JudgeConfig
from medner.service.config.shelf import ShippedAdapter, shipped_adapters, shipped_filters, shipped_plan

#: The default's taggers where no adapter ships.
_UNTUNED = (
    TaggerConfig(name="html-full", strategy="html", style="full", shots=3),
    TaggerConfig(name="json-plain", strategy="json", style="plain", shots=3),
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
    if plan is not None and {one.name for one in tuned} >= set(plan.taggers):
        by_name = {one.name: one for one in tuned}
        found = [
            one
            for one in shipped_filters(labels, root)
            # An encoder of its own suits every base model.
            if one.card.name == plan.filter and (one.card.base == model or one.card.kind == "bert-cls")
        ]
        return Configuration(
            labels=labels,
            model=model,
            taggers=tuple(by_name[name] for name in plan.taggers),
            filter=FilterConfig(kind="span")
            if plan.filter == "span"
            else FilterConfig(kind=found[0].card.kind, adapter=found[0].folder)
            if found
            else None,
            judge=JudgeConfig.model_validate(plan.judge),
        )
    if preset is not None:
        raise UserError(
            f"--preset: the taggers of {preset} stand on another base model than {model}; leave one of both out"
        )
    taggers = (*tuned, *_partners(tuned)[: max(0, _DEFAULT_COUNT - len(tuned))])
    return Configuration(labels=labels, model=model, taggers=taggers)


def tuned_taggers(labels: str, model: str, shipped: Sequence[ShippedAdapter] | None = None) -> list[TaggerConfig]:
    """The shipped taggers of a label set for a model, by name; ``shipped`` None: those in the package."""
    return [
        TaggerConfig(name=one.card.name, strategy=one.card.strategy, style=one.card.style, adapter=one.folder)
        for one in (shipped_adapters(labels) if shipped is None else shipped)
        if one.card.base == model and one.card.labels == labels
    ]


def _partners(tuned: list[TaggerConfig]) -> list[TaggerConfig]:
    """Who joins too few tuned taggers: one of them under another prompt, where there is one, else untuned ones."""
    prompted = [one for one in tuned if one.strategy != "span"]
    return [one.model_copy(update={"name": f"{one.name}-full", "style": "full"}) for one in prompted] or list(_UNTUNED)
