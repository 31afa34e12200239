"""What a training was made from and with: files by name and hash, licences, the machine; no folder is named."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.local.formats import pick_device
from medner.core.files.hashing import sha256_of
from medner.core.files.names import ADAPTER_WEIGHTS, CARD
from medner.core.labels import LabelSet
from medner.service.config.cards import card_data
from medner.store.models import shipped_catalogue

_LIBRARIES = ("medner", "torch", "transformers", "peft", "bitsandbytes", "safetensors")


def named_hashes(paths: Iterable[Path]) -> list[str]:
    """Each file's name, without its folder, and its SHA-256, which a pipe has not."""
    return [f"{path.name} sha256:{sha256_of(path)}" if path.is_file() else path.name for path in paths]


def named_start(folder: Path) -> str:
    """The name on the card of the adapter that a run starts from, else its folder's, and its weights' SHA-256."""
    name = card_data(folder / CARD).get("name") if (folder / CARD).is_file() else None
    return f"{name or folder.resolve().name} sha256:{sha256_of(folder / ADAPTER_WEIGHTS)}"


def label_set_hash(labels: LabelSet) -> str:
    """The SHA-256 of a label set's content; not of what it says about nesting, which 0.1.0 did not have."""
    content = json.dumps({key: value for key, value in asdict(labels).items() if key != "outer"}, ensure_ascii=False)
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


def digest(values: Iterable[object]) -> str:
    """The SHA-256 of the values as Python writes them."""
    found = hashlib.sha256()
    for value in values:
        found.update(repr(value).encode("utf-8", "backslashreplace"))
    return found.hexdigest()


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
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
