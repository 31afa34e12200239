"""The card of a trained adapter: what it is, what it was made from, how it scored. It names files, never folders."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from medner.agents.engines.local.formats import pick_device
from medner.store.models.catalogue import shipped_catalogue
from medner.training.taggers.data import card_text

_LIBRARIES = ("medner", "torch", "transformers", "peft", "bitsandbytes", "safetensors")


@dataclass(frozen=True, slots=True)
class TaggerCard:
    """The fields of card.toml. ``tokens``, ``epochs`` and ``seconds`` are what the training really took."""

    name: str
    base: str
    labels: str
    strategy: str
    style: str
    start: str | None
    data: tuple[str, ...]
    excluded: tuple[str, ...]
    examples: int
    tokens: int
    epochs: float
    seconds: int
    seed: int
    rank: int
    learning_rate: float
    quantise: str
    command: str
    licence_note: str
    scores: tuple[str, ...] = ()

    def scored(self, line: str) -> TaggerCard:
        """The card with one score more."""
        return replace(self, scores=(*self.scores, line))

    def toml(self) -> str:
        """The card as a file; what is empty is left out."""
        return card_text({key: value for key, value in asdict(self).items() if value not in (None, "", (), [])})


def licence_note(base: str, data_note: str) -> str:
    """What the licences of base model and data ask of who uses the adapter, as far as they are known."""
    known = shipped_catalogue().get(base)
    licence = f"The base model is under: {known.licence}." if known else "See the base model's own licence."
    data = data_note or "See the training data's own terms; the adapter holds no text of it."
    return f"{licence} {data}"


def machine_facts() -> dict[str, Any]:
    """What a run was computed with: device, threads, versions of the libraries."""
    device = pick_device()
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU ({platform.machine()})",
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str | None]:
    return {name: _version(name) for name in _LIBRARIES}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
