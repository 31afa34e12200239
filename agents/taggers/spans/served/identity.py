"""Which span tagger it is: a few bytes that a server sends with each answer, so that no other one goes unnoticed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from medner.agents.taggers.spans.head import WEIGHTS
from medner.agents.taggers.spans.settings import read_settings
from medner.core.errors import UserError
from medner.core.files.hashing import sha256_of
from medner.core.files.names import ADAPTER_CONFIG, ADAPTER_WEIGHTS

#: As many bytes; a number each in an answer, which every number format holds exactly.
SIZE = 8


def identity(folder: Path, base: str) -> bytes:
    """The beginning of a hash over the adapter, the head, the layers and the base model's name.

    Temperature, threshold and split tokens are not in it: the client applies them. UserError when a file is missing.
    """
    settings = read_settings(folder)
    lines = [f"base {base}", f"layers {settings.layers}", f"two_way_from {settings.two_way_from}"]
    return digest(lines, folder, WEIGHTS, "a span tagger")


def digest(lines: list[str], folder: Path, head: str, what: str) -> bytes:
    """The beginning of a hash over lines, a folder's adapter and the file of its head.

    UserError when a file is missing: then the folder is not ``what``.
    """
    lines = list(lines)
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS, head):
        if not (folder / name).is_file():
            raise UserError(f"{folder} holds no {name}: it is not {what}")
        lines.append(f"{name} {sha256_of(folder / name)}")
    return hashlib.sha256("\n".join(lines).encode()).digest()[:SIZE]
