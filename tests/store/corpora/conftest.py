"""Shared by the tests of the formats: a file from text, and the research corpora where they are."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file and returns its path."""

    def write(content: str | bytes, name: str = "notes.json") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def corpora() -> Path:
    """The folder of the research corpora; skips where it is absent."""
    folder = Path(os.environ.get("MEDNER_DATA") or Path(__file__).parents[4] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("the research corpora are not here (MEDNER_DATA names their folder)")
    return folder
