"""Which base model each tagger and judge stands on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from medner.core.errors import BadInputError
from medner.core.files.names import CARD
from medner.service.config.cards import card_data
from medner.store.models import ModelStore, looks_like_path, shipped_catalogue

if TYPE_CHECKING:
    from medner.service.config.agent import AgentConfig

Agent = TypeVar("Agent", bound="AgentConfig")


def settled_base(agent: Agent, model: str) -> Agent:
    """The agent with its own base model, where that is another than the run's ``model``.

    That is what its configuration names, or the card of its adapter where that is a model by name.
    """
    named = agent.own_base or _of_card(agent.folder, model)
    base = None if named is None or _same(named, model) else named
    return agent if base == agent.own_base else agent.model_copy(update={"base": base})


def _same(base: str, other: str) -> bool:
    """Whether two names or paths are of one model."""
    paths = looks_like_path(base) and looks_like_path(other)
    return os.path.abspath(base) == os.path.abspath(other) if paths else base == other


def _of_card(folder: Path | None, model: str) -> str | None:
    """The base that an adapter's card names; None where it cannot be another one by its name."""
    # What a path is called says nothing of what lies there.
    if folder is None or looks_like_path(model) or not (folder / CARD).is_file():
        return None
    try:
        named = card_data(folder / CARD).get("base")
    except BadInputError:
        return None  # whoever reads the whole card says what is wrong with it
    known = isinstance(named, str) and (
        named in {entry.name for entry in shipped_catalogue()} or ModelStore().has(named)
    )
    return named if known else None


def base_name(base: str) -> str:
    """What a base model is called: its name, or its folder's."""
    return Path(base).name
