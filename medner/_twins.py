"""What the asynchronous classes share, and what their synchronous twins do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from medner._loop import BackgroundLoop
from medner.core.errors import UserError

if TYPE_CHECKING:
    from medner.store.redis.address import RedisAddress

Books = TypeVar("Books")


def address_of(redis: str | None) -> RedisAddress:
    """The address of a URL; None: of ``MEDNER_REDIS_URL``, else the embedded server's."""
    from medner.store.redis.address import address_of_url, redis_address

    if redis is not None and not redis.strip():
        raise UserError("redis: must be a URL, for example redis://:password@host:6379/0; None is the usual one")
    return redis_address() if redis is None else address_of_url(redis, "redis")


class ClosedByBlock(ABC):
    """Closes where its ``async with`` block ends."""

    @abstractmethod
    async def close(self) -> None:
        """Frees what it holds."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class RedisUser(ClosedByBlock, Generic[Books]):
    """Works on books in a Redis from ``async with`` on until :meth:`close`."""

    def __init__(self, redis: str | None = None) -> None:
        self._address = redis
        self._closing = AsyncExitStack()
        self._open: Books | None = None

    @abstractmethod
    def _books_on(self, client: Any) -> Books:
        """The books behind a connection."""

    async def __aenter__(self) -> Self:
        from medner.store.redis.connection import open_redis, require_redis

        require_redis()
        client = await self._closing.enter_async_context(open_redis(address_of(self._address)))
        self._open = self._books_on(client)
        return self

    async def close(self) -> None:
        """Ends the connection."""
        self._open = None
        await self._closing.aclose()

    @property
    def _books(self) -> Books:
        if self._open is None:
            raise UserError("there is no connection: use it in a with block")
        return self._open


class _Asynchronous(Protocol):
    async def __aenter__(self) -> Any: ...

    async def close(self) -> None: ...


Asynchronous = TypeVar("Asynchronous", bound=_Asynchronous)


class SynchronousTwin(Generic[Asynchronous]):
    """An asynchronous object on a loop of its own, opened with it: use it with ``with``, or close it."""

    def __init__(self, twin: Asynchronous, name: str) -> None:
        self._async = twin
        self._loop = BackgroundLoop(name)
        try:
            self._loop.run(twin.__aenter__())
        except BaseException:
            self._loop.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees what it holds: models, a connection. Nothing for one that is closed."""
        if not self._loop.closed:
            try:
                self._loop.run(self._async.close())
            finally:
                self._loop.close()
