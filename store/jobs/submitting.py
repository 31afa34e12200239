"""Making a job of documents, once for a key, however submitters fail."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from redis.exceptions import OutOfMemoryError, WatchError

from medner.core.errors import ExternalError, UserError
from medner.core.records import Document
from medner.store.jobs.chunks import Chunk, chunks_of, dump_chunk
from medner.store.jobs.keys import job_key, submit_key
from medner.store.jobs.lua import Scripts
from medner.store.jobs.records import FORMAT, JobSpec, JobView
from medner.store.jobs.states import JobState
from medner.store.jobs.views import read_view, remove, spool_of
from medner.store.redis.client import Client

_LEASE_MS = 60_000
_FULL_WAIT_S = 2.0
#: Chunks are sent together until one of these is reached.
_BATCH_CHUNKS = 16
_BATCH_BYTES = 256 * 1024
_BATCH_S = 0.5


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job's id, and whether this submit made it or another with the same key had."""

    id: str
    created: bool


@dataclass(frozen=True, slots=True)
class SubmitCallbacks:
    """Calls that a submit makes on its way: with the job's id, documents and sentences so far, why it waits."""

    opened: Callable[[str], None] = lambda _: None
    read: Callable[[int, int], None] = lambda _, __: None
    waiting: Callable[[str], None] = lambda _: None


class Submitter:
    """One submit. What it sends carries its own word, so that one that is late cannot add to a job begun anew."""

    def __init__(self, redis: Client, spec: JobSpec, progress: SubmitCallbacks) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._spec = spec
        self._progress = progress
        self._word = secrets.token_hex(8)

    async def submit(self, documents: Iterable[Document], key: str | None) -> Submitted:
        """The job of the documents. What reading them raises is raised, and no job stays."""
        job, created = await self._open(key)
        if not created:
            return Submitted(job, False)
        self._progress.opened(job)
        try:
            await self._fill(job, documents)
        except BaseException:
            await asyncio.shield(remove(self._redis, job))
            raise
        return Submitted(job, True)

    async def _open(self, key: str | None) -> tuple[str, bool]:
        """The id of a fresh, empty job, or of the one that has this key."""
        now_ms = await _now_ms(self._redis)
        record = {
            "format": FORMAT,
            "spec": self._spec.model_dump_json(),
            "name": self._spec.name,
            "priority": self._spec.priority.value,
            "state": JobState.SUBMITTING.value,
            "submitted": now_ms,
            "submitter": self._word,
            "submit_until": now_ms + _LEASE_MS,
            "keep_s": self._spec.keep_s,
            "key": key or "",
        }
        # Before the key leads to it: who finds a key must find its job.
        job = await self._enter(record)
        while key is not None and not await self._redis.set(submit_key(key), job, nx=True):
            known = str((await self._redis.get(submit_key(key)) or b"").decode())
            view = await read_view(self._redis, known) if known else None
            if view is not None and not await is_abandoned(self._redis, view):
                await self._redis.unlink(job_key(job))
                return known, False
            await self._scripts("forget", submit_key(key), known)
            if view is not None:
                await remove(self._redis, known)
        await self._scripts("register", job_key(job))
        return job, True

    async def _enter(self, record: dict[str, Any]) -> str:
        """Writes the record under a fresh id, which no other job has: hundreds may be submitted in a second."""
        while True:
            job = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
            async with self._redis.pipeline(transaction=True) as pipe:
                await pipe.watch(job_key(job))
                if await pipe.exists(job_key(job)):
                    continue
                pipe.multi()
                pipe.hset(job_key(job), mapping={"id": job, **record})
                try:
                    await pipe.execute()
                except WatchError:
                    continue
            return job

    async def _fill(self, job: str, documents: Iterable[Document]) -> None:
        spec = self._spec
        spool = spool_of(self._redis, job, spec)
        await spool.prepare()
        chunks = chunks_of(documents, size=spec.chunk_sentences, max_chars=spec.max_chars, join_lines=spec.join_lines)
        number = seen = sentences = 0
        # Reading and splitting a large file would hold up the loop.
        while batch := await asyncio.to_thread(_batch_of, chunks):
            words: list[object] = []
            for at, chunk in enumerate(batch):
                payload = await spool.put(number + at, chunk.data)
                words += [chunk.sentences, chunk.documents, payload]
                seen, sentences = seen + chunk.documents, sentences + chunk.sentences
            await self._step("add", job, _LEASE_MS, number, *words)
            number += len(batch)
            self._progress.read(seen, sentences)
        if seen == 0:
            raise UserError("nothing to annotate: no document could be read")
        await self._step("seal", job)

    async def _step(self, script: str, job: str, *arguments: Any) -> None:
        """A step of this submit; while Redis is full it waits."""
        while True:
            try:
                said = (await self._scripts(script, job_key(job), self._word, *arguments)).decode()
            except OutOfMemoryError:
                self._progress.waiting("the memory of Redis is full")
                await asyncio.sleep(_FULL_WAIT_S)
                continue
            if said != "ok":
                raise ExternalError(f"{job}: is {said}; the submit ends here")
            return


@dataclass(frozen=True, slots=True)
class _ChunkData:
    """A chunk as it is kept, with how many sentences are in it and how many documents end in it."""

    data: bytes
    sentences: int
    documents: int


def _batch_of(chunks: Iterator[Chunk]) -> list[_ChunkData]:
    """The next chunks: few, small and soon, so that neither memory nor the submit's lease is at risk."""
    batch: list[_ChunkData] = []
    began = time.monotonic()
    for chunk in chunks:
        data = dump_chunk(chunk)
        batch.append(_ChunkData(data, sum(len(piece.places) for piece in chunk), sum(piece.last for piece in chunk)))
        size = sum(len(one.data) for one in batch)
        if len(batch) == _BATCH_CHUNKS or size > _BATCH_BYTES or time.monotonic() - began > _BATCH_S:
            break
    return batch


async def is_abandoned(redis: Client, view: JobView) -> bool:
    """Whether a job's submitter died before all documents were there."""
    until = int(await redis.hget(job_key(view.id), "submit_until") or 0)
    return view.state is JobState.SUBMITTING and until < await _now_ms(redis)


async def _now_ms(redis: Client) -> int:
    """The time by Redis' own clock: those of two machines may differ by more than a lease."""
    seconds, microseconds = await redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000
