"""Cards as text: TOML with one key a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def card_text(fields: Mapping[str, Any]) -> str:
    """A card as TOML; values are strings, numbers or lists of strings."""
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in fields.items())
