"""Requests over connections that stay open, made and read by hand: a client library would cost more than the server."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of requests, one after another, and requests a second of several at a time."""

    milliseconds: tuple[float, ...]
    per_second: float = 0.0

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.milliseconds)

    @property
    def p95(self) -> float:
        """Nineteen of twenty are faster."""
        return sorted(self.milliseconds)[int(0.95 * (len(self.milliseconds) - 1))]


class Connection:
    """A connection to a server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80

    async def __aenter__(self) -> Connection:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """The status and the body of an answer."""
        kind = "Content-Type: application/json\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        status = int((await self._reader.readline()).split()[1])
        length, chunked = 0, False
        while line := (await self._reader.readline()).strip().lower():
            name, _, value = line.partition(b":")
            length = int(value) if name == b"content-length" else length
            chunked = chunked or (name == b"transfer-encoding" and b"chunked" in value)
        return status, await (self._chunks() if chunked else self._reader.readexactly(length))

    async def _chunks(self) -> bytes:
        found = b""
        while size := int(await self._reader.readline(), 16):
            found += await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()
        return found


async def timed(url: str, path: str, count: int) -> Times:
    """A path asked for again and again."""
    found: list[float] = []
    async with Connection(url) as connection:
        for number in range(count + count // 10):
            began = time.perf_counter()
            status, _ = await connection.ask("GET", path)
            assert status == 200, (path, status)
            if number >= count // 10:  # the first ones warm up
                found.append(1_000 * (time.perf_counter() - began))
    return Times(tuple(found))


async def rates(asked: Sequence[tuple[str, str]], count: int, at_a_time: int) -> list[float]:
    """Requests a second of several paths, by turns, so that what else the machine does hits all alike."""
    totals = [0.0] * len(asked)
    rounds = 5
    for _ in range(rounds):
        for place, (url, path) in enumerate(asked):
            totals[place] += await _round(url, path, count // rounds, at_a_time)
    return [rounds * (count // rounds) / seconds for seconds in totals]


async def _round(url: str, path: str, count: int, at_a_time: int) -> float:
    left = iter(range(count))

    async def one() -> None:
        async with Connection(url) as connection:
            for _ in left:
                status, _ = await connection.ask("GET", path)
                assert status == 200, (path, status)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(at_a_time)))
    return time.perf_counter() - began
