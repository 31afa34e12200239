"""A Valkey, and a seat that follows its registry."""

from tests.store.judges.test_registry import address, redis, registry

__all__ = ["address", "redis", "registry"]
