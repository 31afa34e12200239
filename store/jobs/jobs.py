"""Jobs as everybody but a worker sees them: submit, look, watch, cancel, read results, replay, delete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from medner.core.errors import UserError
from medner.core.records import AnnotatedDocument, Document
from medner.store.jobs.keys import INDEX, QUEUES, UNTIDY, WORKERS, job_key, worker_key
from medner.store.jobs.pieces import joined
from medner.store.jobs.records import DeadLetter, JobSpec, JobView, QueueView, WorkerView
from medner.store.jobs.scripts import Scripts
from medner.store.jobs.spool import Spool
from medner.store.jobs.states import ACTIVE, TERMINAL, JobState
from medner.store.jobs.submitting import SubmitCallbacks, Submitted, Submitter, is_abandoned
from medner.store.jobs.views import known_spec, read_fields, read_view, read_views, remove, spool_of
from medner.store.judges import JudgeRegistry
from medner.store.redis.client import Client

_LETTER = TypeAdapter(DeadLetter)
_WORKER = TypeAdapter(WorkerView)


@dataclass(frozen=True, slots=True)
class _JobSummary:
    """What the queue needs of a job: its state, and how many of its sentences have no end yet."""

    state: JobState
    left: int


class Jobs:
    """The jobs of one Redis."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)

    async def submit(
        self,
        spec: JobSpec,
        documents: Iterable[Document],
        *,
        key: str | None = None,
        told: SubmitCallbacks | None = None,
    ) -> Submitted:
        """Makes a job of the documents, which are read one by one; workers begin when all are there.

        With ``key`` there is one job however often it is submitted: another submit gives the job there is, and only
        where its submitter died does it begin anew. When reading raises, no job stays. While Redis is full it waits.
        """
        return await Submitter(self._redis, spec, told or SubmitCallbacks()).submit(documents, key)

    @property
    def judges(self) -> JudgeRegistry:
        """The judges of the same Redis."""
        return JudgeRegistry(self._redis)

    async def all(self) -> list[JobView]:
        """All jobs, the newest first."""
        return (await self.newest(None))[0]

    async def newest(self, limit: int | None) -> tuple[list[JobView], int]:
        """The newest ``limit`` jobs, the newest first, and how many there are in all."""
        names = list(await self._summaries())
        found = await read_views(self._redis, names[:limit])
        return [view for view in found if view is not None], len(names)

    async def show(self, job: str) -> JobView:
        """A job as it is now. UserError where there is none of this id."""
        view = await read_view(self._redis, job)
        if view is None:
            raise UserError(f"no job {job!r}; medner jobs list shows those there are (results are kept for a time)")
        return view

    async def find(self, name: str) -> str:
        """The id of a job from its id, a beginning of it that only one has, its name, or ``last``. UserError else."""
        names: list[str] = [one.decode() for one in await self._redis.zrevrange(INDEX, 0, -1)]
        if name == "last" and names:
            return names[0]
        if name in names:
            return name
        begin = [one for one in names if name and one.startswith(name)]
        called = [
            one for one, (called_so,) in (await read_fields(self._redis, names, "name")).items() if called_so == name
        ]
        found = called or begin
        if len(found) == 1:
            return found[0]
        if not found:
            raise UserError(f"no job {name!r}; medner jobs list shows those there are (results are kept for a time)")
        raise UserError(f"{len(found)} jobs are meant by {name!r}: {', '.join(found[:4])}; give the whole id")

    async def watch(self, job: str, *, every_s: float = 0.5) -> AsyncIterator[JobView]:
        """The job now and then, until it has ended; the last view is the end."""
        while True:
            view = await self.show(job)
            yield view
            if view.state in TERMINAL:
                return
            await asyncio.sleep(every_s)

    async def cancel(self, job: str) -> JobView:
        """Ends a job: no new sentence begins, what is under way ends, what is done stays. Nothing for an ended job."""
        said = await self._said("cancel", job)
        if said == "gone":
            raise UserError(f"no job {job!r}; medner jobs list shows those there are")
        return await self.show(job)

    async def replay(self, job: str) -> int:
        """Does again what failed and what was never done; gives how many sentences that are.

        UserError for a job that has not ended, or whose documents never all came.
        """
        said, count = await self._scripts("replay", job_key(job))
        if said == b"ok":
            return int(count)
        view = await self.show(job)
        if said == b"unsealed":
            raise UserError(f"{job}: its submit was not finished; submit it again")
        raise UserError(f"{job} is {view.state.value}: only what has ended can be replayed")

    async def results(self, job: str, *, offset: int = 0) -> AsyncIterator[AnnotatedDocument]:
        """The documents with what is known of them, in order; sentences without a result are not among theirs.

        The first ``offset`` documents that are there are left out, and the chunks that hold nothing else are not read.
        """
        spool = self.spool_of(job, known_spec(await self.show(job)))
        first, number = await self._chunk_of(job, spool, offset)
        held: list[tuple[Any, Any]] = []
        async for piece, found in spool.read(first):
            held.append((piece, tuple(one for one in found if one is not None)))
            if piece.last:
                if number >= offset:
                    for document in joined(held):
                        yield document
                held, number = [], number + 1

    async def _chunk_of(self, job: str, spool: Spool, offset: int) -> tuple[int, int]:
        """The first chunk that may hold some of document ``offset``, and how many documents end before it.

        A document begins at the earliest where the one before it ends.
        """
        if offset == 0:
            return 0, 0
        raw = await self._redis.hgetall(f"{job_key(job)}:sizes")
        sizes = {int(chunk): int(size) for chunk, size in raw.items()}
        readable = await spool.readable()
        before = 0
        for chunk, size in sorted(sizes.items()):
            if readable is not None and chunk not in readable:
                continue
            if before + size >= offset:
                return chunk, before
            before += size
        # A job without these numbers is read from its beginning; behind the last document there is nothing to read.
        return (len(sizes), before) if sizes else (0, 0)

    async def dead(self, job: str) -> list[DeadLetter]:
        """The sentences that were given up, in order."""
        letters = await self._redis.hvals(f"{job_key(job)}:dead")
        found = [_LETTER.validate_json(data) for data in letters]
        return sorted(found, key=lambda letter: (letter.chunk, letter.index))

    async def delete(self, job: str) -> None:
        """Forgets a job and its results in Redis; a result folder stays. UserError for one that has not ended."""
        view = await self.show(job)
        if view.state not in TERMINAL and not await is_abandoned(self._redis, view):
            raise UserError(f"{job} is {view.state.value}; cancel it first: medner jobs cancel {job}")
        await remove(self._redis, job)

    async def workers(self) -> list[WorkerView]:
        """The workers that were heard of lately."""
        names = [name.decode() for name in await self._redis.zrange(WORKERS, 0, -1)]
        if not names:
            return []
        heartbeats = await self._redis.mget([worker_key(name) for name in names])
        silent = [name for name, data in zip(names, heartbeats, strict=True) if data is None]
        if silent:
            await self._redis.zrem(WORKERS, *silent)
        return [_WORKER.validate_json(data) for data in heartbeats if data is not None]

    async def queue(self) -> QueueView:
        """How much there is to do."""
        now = time.time()
        chunks: dict[str, int] = {}
        oldest_s: dict[str, float] = {}
        async with self._redis.pipeline(transaction=False) as pipe:
            for stream in QUEUES.values():
                pipe.xlen(stream)
                pipe.xrange(stream, count=1)
            answers = await pipe.execute()
        for at, priority in enumerate(QUEUES):
            length, first = answers[2 * at : 2 * at + 2]
            chunks[priority.value] = int(length)
            oldest_s[priority.value] = max(0.0, now - int(first[0][0].split(b"-")[0]) / 1000) if first else 0.0
        jobs = (await self._summaries()).values()
        return QueueView(
            chunks,
            oldest_s,
            {state.value: sum(one.state is state for one in jobs) for state in JobState},
            sum(one.left for one in jobs if one.state in ACTIVE),
        )

    async def _summaries(self) -> dict[str, _JobSummary]:
        """Every job's state and sentences left, the newest first; jobs that are gone leave the index."""
        names = [name.decode() for name in await self._redis.zrevrange(INDEX, 0, -1)]
        found = await read_fields(self._redis, names, "state", "sentences", "done", "dead")
        gone = [name for name, (state, *_) in found.items() if not state]
        if gone:
            await self._redis.zrem(INDEX, *gone)
        return {
            name: _JobSummary(JobState(state), int(sentences or 0) - int(done or 0) - int(dead or 0))
            for name, (state, sentences, done, dead) in found.items()
            if state
        }

    async def tidy(self) -> None:
        """Puts the result folders of ended jobs in order. What cannot be reached now is left for later."""
        for name in await self._redis.srandmember(UNTIDY, 4):
            view = await read_view(self._redis, name.decode())
            if view is not None and view.spec is not None:
                counts = view.counts
                try:
                    spool = self.spool_of(view.id, view.spec)
                    await spool.tidy(done=counts.chunks_done == counts.chunks and counts.dead == 0)
                except (OSError, UserError):
                    continue
            await self._redis.srem(UNTIDY, name)

    async def find_view(self, job: str) -> JobView | None:
        """A job as it is now, None where there is none."""
        return await read_view(self._redis, job)

    def spool_of(self, job: str, spec: JobSpec) -> Spool:
        """Where the bulk of a job is."""
        return spool_of(self._redis, job, spec)

    async def _said(self, script: str, job: str, *arguments: Any) -> str:
        return str((await self._scripts(script, job_key(job), *arguments)).decode())
