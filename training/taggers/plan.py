"""What a tagger's run will be: a recipe's settings, and what the user says instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import chosen_settings
from medner.training.recipes import Recipe

#: The longest example in tokens, where nothing else is said: a few longer ones would take most of the time.
MAX_TOKENS = 448


@dataclass(frozen=True, slots=True)
class TaggerPlan:
    """The settings of a run, and the longest example it trains on, in tokens."""

    training: TaggerTraining
    max_tokens: int = MAX_TOKENS


def tagger_plan(recipe: Recipe | None = None, **given: Any) -> TaggerPlan:
    """The plan of a recipe with what is given (and not None) in place of its settings, else the defaults.

    ``given`` has the keys of a recipe's settings, ``checkpoint_minutes`` and ``seed``. A rank that is given without
    an ``alpha`` is scaled by two.
    """
    said = {key: value for key, value in given.items() if value is not None}
    if "rank" in said:
        said.setdefault("alpha", 2 * said["rank"])
    chosen: dict[str, Any] = {"quantise": "auto", "alpha": TaggerTraining().alpha}
    chosen |= {**(recipe.settings if recipe else {}), **said}
    longest = chosen.pop("max_tokens", MAX_TOKENS)
    return TaggerPlan(chosen_settings(TaggerTraining(), chosen), longest)
