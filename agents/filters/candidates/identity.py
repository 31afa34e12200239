"""Which filter it is: a few bytes that a server sends with each answer, so that no other one goes unnoticed."""

from __future__ import annotations

from pathlib import Path

from medner.agents.filters.classifier import HEAD_FILE
from medner.agents.taggers.spans.served.identity import digest


def identity(folder: Path, base: str, two_way_from: int | None) -> bytes:
    """The beginning of a hash over adapter, classification layer, two-way layers and the base model's name.

    Temperature and threshold are not in it: the client applies them. UserError when a file is missing.
    """
    lines = [f"base {base}", f"two_way_from {two_way_from}"]
    return digest(lines, folder, HEAD_FILE, "an LLM-CLS filter")
