"""A job's bulk in a folder, here or on any file system fsspec knows: chunks that wait, and the results as parts.

::

    part-000000.17.jsonl        results of chunk 0, written under claim 17
    _medner/chunks/000001.json  a chunk that is not done
    _medner/job                 the id of the job the folder belongs to
    _medner/manifest.json       the parts that count, in order, once the job has ended

A part appears whole: it is written beside its place and moved there. It counts once the job's bookkeeping names it;
what a worker wrote whose claim was lost is removed.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from io import UnsupportedOperation
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from medner.core.errors import ExternalError, UserError
from medner.core.records import Annotation
from medner.store.jobs.chunks import Chunk, Piece, load_chunk
from medner.store.jobs.records import JobSpec
from medner.store.jobs.result_files import documents_of, part_file, pieces_of
from medner.store.redis.client import Client

#: The records of so many parts are read with one question.
_PARTS_AT_ONCE = 64


class Part(BaseModel):
    """A part in the bookkeeping: its file, the claim it was written under, what it holds.

    ``cut`` are the rows that hold a piece of a document, without its text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    file: str
    token: int
    documents: int
    sentences: int
    cut: dict[int, Piece] = {}


class FolderSpool:
    """Chunks and results as files."""

    where = "parts"

    def __init__(self, redis: Client, key: str, spec: JobSpec) -> None:
        self._redis = redis
        self._key = key
        self._form = part_file(spec.part_format)
        self._files, self._root = _opened(spec.results or "")
        self._replaced: dict[int, Part] = {}

    async def prepare(self) -> None:
        """Makes the folder. UserError where it holds anything already."""
        await asyncio.to_thread(self._prepare)

    async def discard(self) -> None:
        """Removes the chunks of a submit that broke off; nothing where the folder is another job's."""
        await asyncio.to_thread(self._discard)

    async def put(self, number: int, chunk: bytes) -> bytes:
        """Writes the chunk into the folder; the bookkeeping gets nothing."""
        await asyncio.to_thread(self._write, self._chunk_path(number), chunk)
        return b""

    async def get(self, number: int) -> Chunk:
        """A chunk as it was put."""
        return load_chunk(await asyncio.to_thread(self._files.cat_file, self._chunk_path(number)))

    async def keep(self, number: int, token: int, chunk: Chunk, results: Sequence[Annotation | None]) -> bytes:
        """Writes the part; gives its record."""
        before = await self._part(number)
        if before is not None:
            self._replaced[number] = before
        documents = documents_of(chunk, tuple(results))
        part = Part(
            file=f"part-{number:06}.{token}.{self._form.suffix}",
            token=token,
            documents=len(documents),
            sentences=len(results),
            cut={
                row: Piece(piece.document, "", piece.places, piece.start, piece.number, piece.last, piece.given)
                for row, piece in enumerate(chunk)
                if not piece.is_whole
            },
        )

        def write() -> None:
            with self._appearing(f"{self._root}/{part.file}") as out:
                self._form.write(documents, out)

        await asyncio.to_thread(write)
        return part.model_dump_json().encode()

    async def known(self, number: int) -> tuple[Annotation | None, ...] | None:
        """The results of a chunk that was done before."""
        part = await self._part(number)
        if part is None:
            return None
        pieces = await asyncio.to_thread(self._read, part)
        return tuple(annotation for _, annotations in pieces for annotation in annotations)

    async def settled(self, number: int, *, whole: bool) -> None:
        """Removes the part that was replaced, and the chunk where nothing of it is left to do."""
        superfluous = [f"{self._root}/{part.file}" for part in [self._replaced.pop(number, None)] if part is not None]
        if whole:
            superfluous.append(self._chunk_path(number))
        await asyncio.to_thread(self._remove, superfluous)

    async def withdraw(self, kept: bytes) -> None:
        """Removes a part that does not count."""
        part = Part.model_validate_json(kept)
        await asyncio.to_thread(self._remove, [f"{self._root}/{part.file}"])

    async def read(self, first: int = 0) -> AsyncIterator[tuple[Piece, tuple[Annotation | None, ...]]]:
        """All pieces of finished chunks in order."""
        chunks = int(await self._redis.hget(self._key, "chunks") or 0)
        for begin in range(first, chunks, _PARTS_AT_ONCE):
            numbers = range(begin, min(begin + _PARTS_AT_ONCE, chunks))
            records = await self._redis.hmget(f"{self._key}:parts", [str(number) for number in numbers])
            for data in records:
                if data is None:
                    continue
                for piece, found in await asyncio.to_thread(self._read, Part.model_validate_json(data)):
                    yield piece, found

    async def tidy(self, *, done: bool) -> None:
        """After a job's end: removes parts that do not count, writes the manifest, clears away waiting chunks."""
        raw = await self._redis.hgetall(f"{self._key}:parts")
        held = {int(number) for number in await self._redis.hkeys(f"{self._key}:open")}
        parts = {int(number): Part.model_validate_json(data) for number, data in raw.items()}
        await asyncio.to_thread(self._tidy, parts, held, done=done)

    def _prepare(self) -> None:
        try:
            there = [name for name in self._names() if not name.startswith(".")]
            if there:
                raise UserError(
                    f"{self._root}: holds {there[0]!r} already; name a new or an empty folder for --results"
                )
            self._files.makedirs(f"{self._root}/_medner/chunks", exist_ok=True)
            self._write(self._owner_path, self._job.encode())
        except OSError as error:
            raise ExternalError(f"{self._root}: cannot be written: {error.strerror or error}") from error

    def _discard(self) -> None:
        with suppress(OSError):
            if self._files.cat_file(self._owner_path) == self._job.encode():
                self._files.rm(f"{self._root}/_medner", recursive=True)

    def _names(self) -> list[str]:
        self._files.invalidate_cache()
        if not self._files.exists(self._root):
            return []
        return [str(path).rstrip("/").rpartition("/")[2] for path in self._files.ls(self._root, detail=False)]

    def _tidy(self, parts: dict[int, Part], held: set[int], *, done: bool) -> None:
        counting = {part.file for part in parts.values()}
        stray = [
            name
            for name in self._names()
            if name.startswith("part-") and name not in counting and int(name[5:11]) not in held
        ]
        self._remove([f"{self._root}/{name}" for name in stray])
        manifest = {
            "job": self._job,
            "parts": [
                {"file": part.file, "documents": part.documents, "sentences": part.sentences}
                for _, part in sorted(parts.items())
            ],
        }
        self._write(f"{self._root}/_medner/manifest.json", json.dumps(manifest, indent=1).encode())
        if done:
            with suppress(FileNotFoundError):
                self._files.rm(f"{self._root}/_medner/chunks", recursive=True)

    async def _part(self, number: int) -> Part | None:
        data = await self._redis.hget(f"{self._key}:parts", str(number))
        return None if data is None else Part.model_validate_json(data)

    def _read(self, part: Part) -> list[tuple[Piece, tuple[Annotation, ...]]]:
        with self._files.open(f"{self._root}/{part.file}", "rb") as file:
            return list(pieces_of(self._form.read(file), part.cut))

    def _write(self, path: str, data: bytes) -> None:
        with self._appearing(path) as out:
            out.write(data)

    def _appearing(self, path: str) -> _Appearing:
        return _Appearing(self._files, path)

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            with suppress(OSError):
                self._files.rm_file(path)

    @property
    def _job(self) -> str:
        return self._key.rpartition(":")[2]

    @property
    def _owner_path(self) -> str:
        return f"{self._root}/_medner/job"

    def _chunk_path(self, number: int) -> str:
        return f"{self._root}/_medner/chunks/{number:06}.json"


class _Appearing:
    """A file that takes its place when the block ends well; what was half written is removed."""

    def __init__(self, files: Any, path: str) -> None:
        folder, _, name = path.rpartition("/")
        self._files, self._path, self._part = files, path, f"{folder}/.{name}.{secrets.token_hex(4)}.part"

    def __enter__(self) -> Any:
        self._out = self._files.open(self._part, "wb")
        return self._out

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._out.flush()
                # What is written over a network has no file of this system.
                with suppress(AttributeError, UnsupportedOperation):
                    os.fsync(self._out.fileno())
            self._out.close()
            if kind is None:
                self._files.mv(self._part, self._path)
        except BaseException:
            self._drop()
            raise
        if kind is not None:
            self._drop()

    def _drop(self) -> None:
        with suppress(Exception):
            self._out.close()
        with suppress(OSError):
            self._files.rm_file(self._part)


def absolute(place: str) -> str:
    """The result folder as every process finds it: a path from the root, a URL as it is."""
    return place if "://" in place else str(Path(place).expanduser().absolute())


def _opened(place: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        raise UserError("fsspec is missing: a result folder needs pip install 'medner[jobs]'") from error
    try:
        files, root = url_to_fs(place)
    except (ValueError, ImportError) as error:
        raise UserError(f"--results: {place.partition('://')[0]}:// cannot be used: {error}") from error
    return files, str(root).rstrip("/")
