"""The tuned adapters that ship with medner, as the package ``medner.models`` holds them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from medner.store.errors import BadInputError

#: The strategies and prompt styles a configuration may name.
StrategyName = Literal["symbol", "json", "html", "index"]
StyleName = Literal["brief", "full", "plain"]

WEIGHTS = "adapter_model.safetensors"
CARD = "card.toml"


class AdapterCard(BaseModel):
    """What ``card.toml`` says of an adapter: its base model, and how the tagger that uses it is built.

    A card also tells readers what the adapter was trained on and how it scored; those keys are not read here.
    """

    model_config = ConfigDict(extra="ignore")
    name: str
    base: str
    labels: str
    strategy: StrategyName
    style: StyleName = "brief"


@dataclass(frozen=True, slots=True)
class ShippedAdapter:
    """An adapter's folder, in PEFT's format, and its card."""

    folder: Path
    card: AdapterCard


def shipped_adapters(labels: str, root: Any = None) -> tuple[ShippedAdapter, ...]:
    """The adapters for a label set, by tagger name; none where nothing ships. BadInputError for a broken card.

    ``root`` is a folder laid out as ``<labels>/<tagger name>/``; None is the package's own.
    """
    found = (root or _package()) if labels else None
    if found is None or not (shelf := found / labels).is_dir():
        return ()
    folders = sorted(Path(str(entry)) for entry in shelf.iterdir() if (entry / CARD).is_file())
    return tuple(ShippedAdapter(folder, _card(folder / CARD)) for folder in folders if (folder / WEIGHTS).is_file())


def _package() -> Any:
    try:
        return resources.files("medner.models")
    except ModuleNotFoundError:
        return None


def _card(path: Path) -> AdapterCard:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return AdapterCard.model_validate({"name": path.parent.name, **data})
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"not valid TOML: {error}", path=path) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInputError(first["msg"], path=path, key=".".join(map(str, first["loc"]))) from error
