"""What ships of adapters: few, small, each with a card and a row in models/README.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medner.service.config.cards import card_data
from medner.service.config.retired import SUCCESSORS

# The largest stands on a base three times as large as the others.
MOST, MOST_BYTES = 10, 18_000_000
MODELS = Path(__file__).parents[2] / "models"
PAGE = (MODELS / "README.md").read_text(encoding="utf-8")
SHIPPED = sorted(path.relative_to(MODELS).as_posix() for path in MODELS.glob("*/*/") if path.is_dir())


def test_at_most_ten_ship() -> None:
    """Another one takes the place of one."""
    assert 0 < len(SHIPPED) <= MOST


@pytest.mark.parametrize("name", SHIPPED)
def test_an_adapter_is_small_and_has_a_card(name: str) -> None:
    """All files of its folder together; the card says for which label set it is, on what it was trained, and how."""
    folder = MODELS / name
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= MOST_BYTES
    card = card_data(folder / "card.toml")
    assert card["labels"] == folder.parent.name
    assert {"command", "data"} <= card.keys()


def test_the_page_lists_what_ships_and_what_no_longer_does() -> None:
    """Each once, the retired with their successors."""
    ships, retired = PAGE.split("## Adapters that no longer ship")
    rows = [row.split("|") for row in ships.splitlines() if row.startswith("| `")]
    assert sorted(name for row in rows for name in re.findall(r"`([^`]+)`", row[1])) == SHIPPED
    rows = [row.split("|") for row in retired.splitlines() if row.startswith("| `")]
    listed = {row[1].strip(" `"): row[3].strip(" `") for row in rows}
    table = {f"{labels}/{name}": new for labels, names in SUCCESSORS.items() for name, new in names.items()}
    assert listed == table
