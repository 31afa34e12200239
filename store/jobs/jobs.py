"""Jobs as everybody but a worker sees them: submit, look, watch, cancel, read results, replay, delete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter

from medner.core.errors import UserError
from medner.core.records import AnnotatedDocument, Document
from medner.store.jobs.chunks import joined
from medner.store.jobs.index import JobIndex, JobsPage, no_job
from medner.store.jobs.keys import QUEUES, UNTIDY, WORKERS, job_key, worker_key
from medner.store.jobs.lua import Scripts
from medner.store.jobs.records import DeadLetter, JobSpec, JobView, QueueView, WorkerView
from medner.store.jobs.spool import Spool
from medner.store.jobs.states import TERMINAL, JobState
from medner.store.jobs.submitting import SubmitCallbacks, Submitted, Submitter, is_abandoned
from medner.store.jobs.views import known_spec, read_view, remove, spool_of
from medner.store.judges import JudgeRegistry
from medner.store.redis.client import Client

_LETTER = TypeAdapter(DeadLetter)
_WORKER = TypeAdapter(WorkerView)
#: So many messages are looked through for a job's place.
_LOOKED_AT = 1_000


class Jobs:
    """The jobs of one Redis."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._index = JobIndex(redis, self._scripts)

    async def submit(
        self,
        spec: JobSpec,
        documents: Iterable[Document],
        *,
        key: str | None = None,
        progress: SubmitCallbacks | None = None,
    ) -> Submitted:
        """Makes a job of the documents, which are read one by one; workers begin when all are there.

        With ``key`` there is one job however often it is submitted: another submit gives the job there is, and only
        where its submitter died does it begin anew. When reading raises, no job stays. While Redis is full it waits.
        """
        return await Submitter(self._redis, spec, progress or SubmitCallbacks()).submit(documents, key)

    @property
    def judges(self) -> JudgeRegistry:
        """The judges of the same Redis."""
        return JudgeRegistry(self._redis)

    async def all(self) -> list[JobView]:
        """All jobs, the newest first."""
        return (await self.newest(None))[0]

    async def newest(self, limit: int | None) -> tuple[list[JobView], int]:
        """The newest ``limit`` jobs, the newest first, and how many there are in all."""
        return await self._index.newest(limit)

    async def page(
        self, limit: int, *, after: str | None = None, state: JobState | None = None, name: str = ""
    ) -> JobsPage:
        """Some jobs, the newest first: those behind a place, of a state, with a name that begins so. UserError for a
        place that is none."""
        return await self._index.page(limit, after=after, state=state, name=name)

    async def position(self, job: str) -> int:
        """How many chunks of its priority wait before the first of a job that waits; 0 where none of it waits."""
        view = await self.show(job)
        if view.spec is None:
            return 0
        waiting = await self._redis.xrange(QUEUES[view.spec.priority], count=_LOOKED_AT)
        places = (place for place, (_, message) in enumerate(waiting) if message.get(b"job") == job.encode())
        return next(places, 0)

    async def states(self, jobs: Sequence[str]) -> list[JobState | None]:
        """The states of several jobs with one question; None for those there are none of."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.hget(job_key(job), "state")
            answers = await pipe.execute()
        return [None if one is None else JobState(one.decode()) for one in answers]

    async def show(self, job: str) -> JobView:
        """A job as it is now. UserError where there is none of this id."""
        view = await read_view(self._redis, job)
        if view is None:
            raise no_job(job)
        return view

    async def find(self, name: str) -> str:
        """The id of a job from its id, a beginning of it that only one has, its name, or ``last``. UserError else."""
        return await self._index.find(name)

    async def reindex(self) -> None:
        """Makes the indexes of all jobs again from the jobs; at most once an hour."""
        await self._index.rebuild()

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
            raise no_job(job)
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
        """The chunk in which the document before ``offset`` ends, and how many documents end before that chunk.

        A document begins at the earliest where the one before it ends.
        """
        if offset == 0:
            return 0, 0
        place = await self._scripts("seek", job_key(job), spool.where, offset)
        # A job of version 0.1.0 has no such numbers: it is read from its beginning.
        return (int(place[0]), int(place[1])) if place else (0, 0)

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
        numbers = await self._index.numbers()
        ages = [max(0.0, now - int(first.partition("-")[0]) / 1000) if first else 0.0 for first in numbers.oldest]
        names = [priority.value for priority in QUEUES]
        return QueueView(
            dict(zip(names, numbers.lengths, strict=True)),
            dict(zip(names, ages, strict=True)),
            numbers.jobs,
            numbers.sentences_left,
        )

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
