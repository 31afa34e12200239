"""A dictionary instead of a model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import medner
from medner.testing import annotator

WORDS = {"胸痛": "sym", "高血压": "dis", "心电图": "pro", "咳嗽": "sym"}
#: What one tagger alone finds, so that there is something to dispute.
ONLY = {"json": ["心电图"]}


@pytest.fixture
def nlp() -> Iterator[medner.Annotator]:
    """Two taggers that differ about one word, and a vote."""
    with annotator(WORDS, only=ONLY) as loaded:
        yield loaded
