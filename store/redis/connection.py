"""Clients of the Redis that is meant, and their errors in plain words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from medner.core.errors import ExternalError, UserError
from medner.store.redis.address import RedisAddress, redis_address

if TYPE_CHECKING:
    from redis.asyncio import Redis

_OLDEST = 7
_TIMEOUT_S = 20.0


@asynccontextmanager
async def open_redis(address: RedisAddress | None = None) -> AsyncIterator[Redis]:
    """A client of the server, which is started where it is the embedded one; answers are bytes.

    UserError where the server cannot be used as it is, ExternalError when it does not answer; the block's own errors
    of Redis become the same (:func:`plain_redis_errors`).
    """
    address = address or redis_address()
    await asyncio.to_thread(make_ready, address)
    client = new_client(address)
    try:
        with plain_redis_errors(address):
            await _check(client, address)
            yield client
    finally:
        await client.aclose()


def make_ready(address: RedisAddress) -> None:
    """Starts the server where it is the embedded one and does not run."""
    require_redis()
    if address.embedded is not None:
        address.embedded.ensure()


def new_client(address: RedisAddress, **settings: Any) -> Redis:
    """A client that tries a broken connection again a few times. Opens no connection yet."""
    from redis.asyncio import Redis  # noqa: PLC0415  an optional dependency
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import ExponentialBackoff  # noqa: PLC0415

    usual: dict[str, Any] = {
        "socket_timeout": _TIMEOUT_S,
        "socket_connect_timeout": 5.0,
        "health_check_interval": 30,
        "retry": Retry(ExponentialBackoff(cap=1.0, base=0.05), 5),
        "protocol": 2,  # one form of answers, whatever the version of client and server
    }
    return Redis.from_url(address.url, **{**usual, **settings})


@contextmanager
def plain_redis_errors(address: RedisAddress) -> Iterator[None]:
    """Turns the client library's errors into medner's: what the user can fix, and what may be tried again."""
    from redis import exceptions as errors  # noqa: PLC0415  an optional dependency

    try:
        yield
    except errors.NoPermissionError as error:
        raise UserError(f"{address.shown}: this user may not do what jobs need; allow it all commands") from error
    except errors.OutOfMemoryError as error:
        raise ExternalError(f"{address.shown}: its memory is full; give it more, or delete finished jobs") from error
    except (errors.ConnectionError, errors.TimeoutError) as error:
        # The asynchronous client wraps what the server said while connecting.
        if isinstance(error, errors.AuthenticationError) or isinstance(error.__cause__, errors.AuthenticationError):
            raise UserError(f"{address.shown}: refuses user or password; correct MEDNER_REDIS_URL") from error
        raise ExternalError(
            f"{address.shown}: does not answer ({type(error).__name__}); start it, or correct MEDNER_REDIS_URL"
        ) from error
    except errors.ResponseError as error:
        raise ExternalError(f"{address.shown}: refuses a command: {error}") from error


def require_redis(*others: str) -> None:
    """UserError with the way out where the client library, or one of the others, is not installed."""
    for name in ("redis", *others):
        try:
            import_module(name)
        except ImportError as error:
            raise UserError(f"{name} is missing: jobs need pip install 'medner[jobs]'") from error


async def _check(client: Redis, address: RedisAddress) -> None:
    facts = await client.info("server")
    number = str(facts.get("redis_version", ""))
    major = number.partition(".")[0]
    if major.isdigit() and int(major) < _OLDEST:
        raise UserError(f"{address.shown}: is version {number}; jobs need Redis {_OLDEST} or newer, or Valkey")
