"""A Valkey, empty before each test."""

from __future__ import annotations

from tests.valkey_fixtures import address, jobs, redis

__all__ = ["address", "jobs", "redis"]
