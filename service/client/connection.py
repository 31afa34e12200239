"""The two transports: each carries out the same programs, one with asyncio and one without."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import closing
from typing import Any, Generic, TypeVar

import httpx

from medner.core.errors import MednerError, UserError
from medner.service.client.address import ServerAddress
from medner.service.client.attempts import Attempts
from medner.service.client.calls import Answer, Call, Item, Items, LineCall, Pause, Steps

T = TypeVar("T")

_CONNECT_S = 5.0


class _Walk(Generic[T]):
    """A program on its way: ``move`` is what it asks for now, None at its end."""

    def __init__(self, steps: Steps[T] | Items[Any]) -> None:
        self._steps: Any = steps
        self.move: Any = None
        self.result: Any = None
        self._go(steps.send, None)

    def answer(self, value: object) -> None:
        """Gives the program what it asked for."""
        self._go(self._steps.send, value)

    def fail(self, error: MednerError) -> None:
        """Raises an error where the program waits: it may have another way."""
        self._go(self._steps.throw, error)

    def _go(self, on: Any, value: object) -> None:
        try:
            self.move = on(value)
        except StopIteration as end:
            self.move, self.result = None, end.value


class Connection:
    """A server, asked synchronously. It may be used from several threads."""

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self._client = httpx.Client(**_settings(address))

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def run(self, steps: Steps[T]) -> T:
        """The result of a program."""
        walk: _Walk[T] = _Walk(steps)
        while walk.move is not None:
            self._take(walk)
        result: T = walk.result
        return result

    def iterate(self, steps: Items[T]) -> Generator[T, None, None]:
        """What an iterating program gives."""
        with closing(steps):
            walk: _Walk[T] = _Walk(steps)
            while walk.move is not None:
                if isinstance(walk.move, Item):
                    yield walk.move.value
                    walk.answer(None)
                else:
                    self._take(walk)

    def lines(self, call: LineCall[T]) -> Generator[T, None, None]:
        """The lines of an answer, each read when it is there. Nothing is asked before the first is wanted."""
        attempts = Attempts(self.address, call.request(), call.what)
        while True:
            try:
                with self._client.stream(**attempts.request()) as response:
                    if response.is_success:
                        for piece in response.iter_bytes():
                            for line in attempts.split(piece):
                                yield call.read(line)
                        for line in attempts.rest():
                            yield call.read(line)
                        return
                    response.read()
                    wait_s = attempts.refused(_answer(response))
            except httpx.RequestError as error:
                wait_s = attempts.failed(error)
            time.sleep(wait_s)

    def _take(self, walk: _Walk[Any]) -> None:
        try:
            found = self._do(walk.move)
        except MednerError as error:
            walk.fail(error)
        else:
            walk.answer(found)

    def _do(self, move: Call[Any] | Pause) -> Any:
        if isinstance(move, Pause):
            return time.sleep(move.seconds)
        attempts = Attempts(self.address, move)
        while True:
            try:
                response = self._client.request(**attempts.request())
            except httpx.RequestError as error:
                wait_s = attempts.failed(error)
            else:
                if response.is_success:
                    return move.read(_answer(response))
                wait_s = attempts.refused(_answer(response))
            time.sleep(wait_s)


class AsyncConnection:
    """A server, asked asynchronously. It belongs to the event loop that first uses it."""

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self._client = httpx.AsyncClient(**_settings(address))

    async def close(self) -> None:
        """Ends the connections."""
        await self._client.aclose()

    async def run(self, steps: Steps[T]) -> T:
        """The result of a program."""
        walk: _Walk[T] = _Walk(steps)
        while walk.move is not None:
            await self._take(walk)
        result: T = walk.result
        return result

    async def iterate(self, steps: Items[T]) -> AsyncGenerator[T, None]:
        """What an iterating program gives."""
        with closing(steps):
            walk: _Walk[T] = _Walk(steps)
            while walk.move is not None:
                if isinstance(walk.move, Item):
                    yield walk.move.value
                    walk.answer(None)
                else:
                    await self._take(walk)

    async def lines(self, call: LineCall[T]) -> AsyncGenerator[T, None]:
        """The lines of an answer, each read when it is there. Nothing is asked before the first is wanted."""
        attempts = Attempts(self.address, call.request(), call.what)
        while True:
            try:
                async with self._client.stream(**attempts.request()) as response:
                    if response.is_success:
                        async for piece in response.aiter_bytes():
                            for line in attempts.split(piece):
                                yield call.read(line)
                        for line in attempts.rest():
                            yield call.read(line)
                        return
                    await response.aread()
                    wait_s = attempts.refused(_answer(response))
            except httpx.RequestError as error:
                wait_s = attempts.failed(error)
            await asyncio.sleep(wait_s)

    async def _take(self, walk: _Walk[Any]) -> None:
        try:
            found = await self._do(walk.move)
        except MednerError as error:
            walk.fail(error)
        else:
            walk.answer(found)

    async def _do(self, move: Call[Any] | Pause) -> Any:
        if isinstance(move, Pause):
            return await asyncio.sleep(move.seconds)
        attempts = Attempts(self.address, move)
        while True:
            request = attempts.request()
            if move.upload is not None:
                request["content"] = _in_thread(move.upload)
            try:
                response = await self._client.request(**request)
            except httpx.RequestError as error:
                wait_s = attempts.failed(error)
            else:
                if response.is_success:
                    return move.read(_answer(response))
                wait_s = attempts.refused(_answer(response))
            await asyncio.sleep(wait_s)


async def _in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces of a body, made in a thread: they may be read from files."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _settings(address: ServerAddress) -> dict[str, Any]:
    """How both clients are made. Proxies of the environment and redirects would take texts and key elsewhere."""
    headers = {"Accept": "application/json, application/x-ndjson, application/problem+json"}
    if address.key is not None:
        headers["Authorization"] = f"Bearer {address.key}"
    if not address.timeout_s > 0:
        raise UserError(f"timeout_s must be more than 0, got {address.timeout_s!r}")
    return {
        "headers": headers,
        "timeout": httpx.Timeout(address.timeout_s, connect=min(_CONNECT_S, address.timeout_s), pool=None),
        "verify": address.tls(),
        "trust_env": False,
        "follow_redirects": False,
    }


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, response.content, response.headers)
