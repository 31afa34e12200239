"""The Redis or Valkey that jobs live in: a given one, or an embedded one in the data folder."""

from medner.store.redis.address import RedisAddress, redis_address
from medner.store.redis.connection import open_redis, plain_redis_errors

__all__ = ["RedisAddress", "open_redis", "plain_redis_errors", "redis_address"]
