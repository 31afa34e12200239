"""Adapters that shipped with 0.1.0 and no longer do, each with the one to take in its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from medner.core.errors import UserError

#: The successor of each, by label set and name.
SUCCESSORS: Final[Mapping[str, Mapping[str, str]]] = {
    "cmeee-v2": {"span": "span-12", "span-gold": "span-8", "span-silver": "span-12"},
    "ccks2019": {"span": "span-8", "span-12": "span-8"},
}


def retired_note(labels: str, name: object) -> str | None:
    """What a user of a retired tagger's name can do; None for any other name."""
    successor = SUCCESSORS.get(labels, {}).get(str(name))
    if successor is None:
        return None
    return f"{name} of {labels} no longer ships; take {successor} (models/README.md says how to get {name})"


def refuse_retired(folder: Path) -> None:
    """UserError for the folder of a retired adapter, in the package or a checkout; one that is there is fine."""
    place = folder.absolute()
    note = retired_note(place.parent.name, place.name)
    if note is not None and not folder.is_dir():
        raise UserError(f"{folder}: {note}")
