"""A Valkey for the tests of a session, and the registry of judges in it."""

from __future__ import annotations

from tests.store.judges.test_registry import registry
from tests.valkey_fixtures import address, redis

__all__ = ["address", "redis", "registry"]
