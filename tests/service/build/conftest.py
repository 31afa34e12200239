"""Shared by the tests of how runs are built: two base models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny_model import save_tiny_adapter, save_tiny_model


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny models of different width, ``one`` and ``two``, an adapter of each, with a card."""
    root = tmp_path_factory.mktemp("bases")
    save_tiny_model(root / "one", seed=1, hidden=64)
    save_tiny_model(root / "two", seed=2, hidden=96, layers=3)
    for base in ("one", "two"):
        folder = save_tiny_adapter(root / base, root / f"on-{base}", seed=3)
        card = f'base = "{base}"\nlabels = "cmeee-v2"\nstrategy = "symbol"\n'
        (folder / "card.toml").write_text(card, encoding="utf-8")
    return root
