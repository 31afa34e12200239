"""Where a job's chunks wait and its results go: in Redis, or in a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from medner.core.records import Annotation
from medner.store.jobs.chunks import Chunk, Piece, load_chunk
from medner.store.jobs.payload import load_annotation, pack, unpack
from medner.store.redis.client import Client

Results = tuple[Annotation | None, ...]


class Spool(Protocol):
    """The bulk of a job: chunks as they were submitted, results as they will be read.

    ``where`` is the part of the job's bookkeeping that holds what :meth:`keep` gives, by chunk.
    """

    where: str

    async def prepare(self) -> None:
        """Makes the place. UserError where it cannot be used."""
        ...

    async def discard(self) -> None:
        """Removes what was put, because the submit broke off."""
        ...

    async def put(self, number: int, chunk: bytes) -> bytes:
        """Keeps a chunk; gives what goes into the bookkeeping, empty where all of it lies elsewhere."""
        ...

    async def get(self, number: int) -> Chunk:
        """A chunk as it was put."""
        ...

    async def keep(self, number: int, token: int, chunk: Chunk, results: Sequence[Annotation | None]) -> bytes:
        """Writes a chunk's results; gives what goes into the bookkeeping and makes them count."""
        ...

    async def known(self, number: int) -> Results | None:
        """The results of a chunk that was done before, None where it was not."""
        ...

    async def settled(self, number: int, *, whole: bool) -> None:
        """Clears away what a counted result makes superfluous; ``whole``: no sentence of the chunk is left to do."""
        ...

    async def withdraw(self, kept: bytes) -> None:
        """Takes back what :meth:`keep` wrote, because it does not count."""
        ...

    def read(self, first: int = 0) -> AsyncIterator[tuple[Piece, tuple[Annotation | None, ...]]]:
        """All pieces from a chunk on, in order, with the annotations there are."""
        ...

    async def tidy(self, *, done: bool) -> None:
        """Puts the place in order after the job's end; ``done``: every chunk of it was done."""
        ...


class RedisSpool:
    """Chunks and results in the job's own hashes."""

    where = "res"

    def __init__(self, redis: Client, key: str) -> None:
        self._redis = redis
        self._key = key

    async def prepare(self) -> None:
        """Nothing to make."""

    async def discard(self) -> None:
        """Nothing lies elsewhere."""

    async def tidy(self, *, done: bool) -> None:
        """Nothing lies about."""

    async def put(self, number: int, chunk: bytes) -> bytes:  # noqa: ARG002  the bookkeeping is where it lies
        """The chunk itself."""
        return chunk

    async def get(self, number: int) -> Chunk:
        """A chunk as it was put."""
        data = await self._redis.hget(f"{self._key}:in", str(number))
        if data is None:
            raise KeyError(number)
        return load_chunk(data)

    async def keep(
        self,
        number: int,  # noqa: ARG002  the bookkeeping is where it lies
        token: int,  # noqa: ARG002
        chunk: Chunk,  # noqa: ARG002
        results: Sequence[Annotation | None],
    ) -> bytes:
        """All results in one value."""
        return pack(results)

    async def known(self, number: int) -> Results | None:
        """The results of a chunk that was done before."""
        data = await self._redis.hget(f"{self._key}:res", str(number))
        return None if data is None else unpack(data)

    async def settled(self, number: int, *, whole: bool) -> None:
        """Nothing lies elsewhere."""

    async def withdraw(self, kept: bytes) -> None:
        """Nothing lies elsewhere."""

    async def read(self, first: int = 0) -> AsyncIterator[tuple[Piece, tuple[Annotation | None, ...]]]:
        """All pieces in order, with the annotations there are, those of unfinished chunks included."""
        chunks = int(await self._redis.hget(self._key, "chunks") or 0)
        for number in range(first, chunks):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hget(f"{self._key}:in", str(number))
                pipe.hget(f"{self._key}:res", str(number))
                pipe.hgetall(f"{self._key}:part:{number}")
                chunk_data, done, part = await pipe.execute()
            if chunk_data is None:
                continue
            chunk = load_chunk(chunk_data)
            found = {int(index): load_annotation(data) for index, data in part.items()}
            results = unpack(done) if done is not None else ()
            at = 0
            for piece in chunk:
                annotations = tuple(
                    found.get(index) or (results[index] if index < len(results) else None)
                    for index in range(at, at + len(piece.places))
                )
                at += len(piece.places)
                yield piece, annotations
