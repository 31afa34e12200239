"""Lists in messages, which show a few of many names."""

from __future__ import annotations

from collections.abc import Iterable


def first_few(names: Iterable[str], most: int) -> str:
    """The first ``most`` names with commas between them, and an ellipsis where there are more."""
    known = list(names)
    return ", ".join(known[:most]) + (" ..." if len(known) > most else "")
