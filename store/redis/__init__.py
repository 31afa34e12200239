"""The Redis or Valkey that jobs live in: a given one, or an embedded one in the data folder."""

from medner.store.redis.address import RedisAddress, redis_address
from medner.store.redis.connection import open_redis, told_plainly

__all__ = ["RedisAddress", "open_redis", "redis_address", "told_plainly"]
