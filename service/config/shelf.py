"""The shelf: the tuned adapters that ship with medner, as the package ``medner.models`` holds them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medner.core.errors import BadInputError, UserError
from medner.core.files.names import ADAPTER_WEIGHTS, CARD
from medner.core.validation import complaint
from medner.service.config.cards import (
    AdapterCard,
    FilterCard,
    adapter_card,
    card_data,
    filter_card,
    is_filter,
)

PLAN = "default.toml"


class Preset(BaseModel):
    """Some of the shipped taggers, by name and in order, with a filter, a judge and what goes before it.

    They may have several base models; the first one's is that of the run. ``filter`` is the name of one that ships, a
    kind that needs no folder, or a table.
    """

    model_config = ConfigDict(extra="forbid")
    taggers: tuple[str, ...] = Field(min_length=1)
    filter: str | dict[str, Any] | None = None
    judge: dict[str, Any] = Field(default_factory=dict)
    conflicts: dict[str, Any] | None = None


class ShippedPlan(Preset):
    """``default.toml``: the default of a label set, and other choices by name (``--preset``)."""

    presets: dict[str, Preset] = Field(default_factory=dict)

    def named(self, preset: str | None) -> Preset:
        """A preset; None is the default itself. UserError when there is none of this name."""
        if preset in (None, "default"):
            return self
        if preset not in self.presets:
            raise UserError(f"--preset: no preset {preset!r}; there are {', '.join(['default', *self.presets])}")
        return self.presets[preset]


@dataclass(frozen=True, slots=True)
class ShippedFilter:
    """A filter's folder and its card."""

    folder: Path
    card: FilterCard


@dataclass(frozen=True, slots=True)
class ShippedAdapter:
    """An adapter's folder, in PEFT's format, and its card."""

    folder: Path
    card: AdapterCard


def shipped_adapters(labels: str, root: Any = None) -> tuple[ShippedAdapter, ...]:
    """The adapters for a label set, by tagger name; none where nothing ships. BadInputError for a broken card.

    ``root`` is a folder laid out as ``<labels>/<tagger name>/``; None is the package's own.
    """
    # A tagger's card has no kind.
    folders = [
        one for one in _shelf(labels, root) if (one / ADAPTER_WEIGHTS).is_file() and "kind" not in card_data(one / CARD)
    ]
    return tuple(ShippedAdapter(folder, adapter_card(folder)) for folder in folders)


def shipped_filters(labels: str, root: Any = None) -> tuple[ShippedFilter, ...]:
    """The filters for a label set, by name; they lie beside the taggers' adapters. BadInputError for a broken card."""
    folders = [folder for folder in _shelf(labels, root) if is_filter(folder)]
    return tuple(ShippedFilter(folder, filter_card(folder)) for folder in folders)


def shipped_plan(labels: str, root: Any = None) -> ShippedPlan | None:
    """What the default configuration of a label set is made of; None where nothing says so. BadInputError if broken."""
    found = (root or _package()) if labels else None
    path = None if found is None else Path(str(found / labels / PLAN))
    if path is None or not path.is_file():
        return None
    try:
        return ShippedPlan.model_validate(card_data(path))
    except ValidationError as error:
        reason, key = complaint(error)
        raise BadInputError(reason, path=path, key=key) from error


def shipped_folder(labels: str, name: str) -> Path | None:
    """The folder of a shipped judge of a label set; None where none ships."""
    return next((folder for folder in _shelf(labels, None) if folder.name == name), None)


def _shelf(labels: str, root: Any) -> list[Path]:
    """The folders with a card for a label set, by name."""
    found = (root or _package()) if labels else None
    if found is None or not (shelf := found / labels).is_dir():
        return []
    return sorted(Path(str(entry)) for entry in shelf.iterdir() if (entry / CARD).is_file())


def _package() -> Any:
    try:
        return resources.files("medner.models")
    except ModuleNotFoundError:
        return None
