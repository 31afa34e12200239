"""One Valkey for the tests of a session, empty before each."""

from __future__ import annotations

from tests.valkey_fixtures import address, redis

__all__ = ["address", "redis"]
