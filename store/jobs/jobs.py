"""Jobs as everybody but a worker sees them: submit, look, watch, cancel, read results, replay, delete."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError
from redis.exceptions import OutOfMemoryError

from medner.store.errors import ExternalError, UserError
from medner.store.jobs.folder import FolderSpool
from medner.store.jobs.keys import ACTIVE_JOBS, INDEX, QUEUES, UNTIDY, WORKERS, job_key, submit_key, worker_key
from medner.store.jobs.pieces import chunks_of, dump_chunk, joined
from medner.store.jobs.records import FORMAT, DeadLetter, JobCounts, JobSpec, JobView, QueueView, WorkerView
from medner.store.jobs.scripts import Scripts
from medner.store.jobs.spool import RedisSpool, Spool
from medner.store.jobs.states import ACTIVE, TERMINAL, JobState
from medner.store.judges import JudgeRegistry
from medner.store.records import AnnotatedDocument, Document
from medner.store.redis.client import Client

_SUBMIT_LEASE_MS = 60_000
_FULL_WAIT_S = 2.0
_LETTER = TypeAdapter(DeadLetter)
_PARTS = ("in", "res", "parts", "open", "tries", "dead", "refused")


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job's id, and whether this submit made it or another with the same key had."""

    id: str
    created: bool


@dataclass(frozen=True, slots=True)
class Hearing:
    """Who is told how a submit goes: the job's id, documents and sentences so far, why it waits."""

    opened: Callable[[str], None] = lambda _: None
    read: Callable[[int, int], None] = lambda _, __: None
    waiting: Callable[[str], None] = lambda _: None


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
        told: Hearing = Hearing(),
    ) -> Submitted:
        """Makes a job of the documents, which are read one by one; workers begin when all are there.

        With ``key`` there is one job however often it is submitted: another submit gives the job there is, and only
        where its submitter died does it begin anew. When reading raises, no job stays. While Redis is full it waits.
        """
        submitter = secrets.token_hex(8)
        job, created = await self._open(spec, key, submitter)
        if not created:
            return Submitted(job, False)
        told.opened(job)
        try:
            await self._fill(job, spec, documents, submitter, told)
        except BaseException:
            await asyncio.shield(self._remove(job, key))
            raise
        return Submitted(job, True)

    @property
    def judges(self) -> JudgeRegistry:
        """The judges of the same Redis."""
        return JudgeRegistry(self._redis)

    async def all(self) -> list[JobView]:
        """All jobs, the newest first."""
        names = [name.decode() for name in await self._redis.zrevrange(INDEX, 0, -1)]
        found = [await self._view(name) for name in names]
        gone = [name for name, view in zip(names, found, strict=True) if view is None]
        if gone:
            await self._redis.zrem(INDEX, *gone)
        return [view for view in found if view is not None]

    async def show(self, job: str) -> JobView:
        """A job as it is now. UserError where there is none of this id."""
        view = await self._view(job)
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
        called = [one for one in names if (await self._redis.hget(job_key(one), "name") or b"").decode() == name]
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

    async def results(self, job: str) -> AsyncIterator[AnnotatedDocument]:
        """The documents with what is known of them, in order; sentences without a result are not among theirs."""
        view = await self.show(job)
        spool = self.spool(job, view)
        held: list[tuple[Any, Any]] = []
        async for piece, found in spool.read():
            held.append((piece, tuple(one for one in found if one is not None)))
            if piece.last:
                for document in joined(held):
                    yield document
                held = []

    async def dead(self, job: str) -> list[DeadLetter]:
        """The sentences that were given up, in order."""
        letters = await self._redis.hvals(f"{job_key(job)}:dead")
        found = [_LETTER.validate_json(data) for data in letters]
        return sorted(found, key=lambda letter: (letter.chunk, letter.index))

    async def delete(self, job: str) -> None:
        """Forgets a job and its results in Redis; a result folder stays. UserError for one that has not ended."""
        view = await self.show(job)
        if view.state not in TERMINAL and not await self._is_abandoned(job, view):
            raise UserError(f"{job} is {view.state.value}; cancel it first: medner jobs cancel {job}")
        await self._remove(job, None)

    async def workers(self) -> list[WorkerView]:
        """The workers that were heard of lately."""
        names = [name.decode() for name in await self._redis.zrange(WORKERS, 0, -1)]
        found = []
        for name in names:
            data = await self._redis.get(worker_key(name))
            if data is None:
                await self._redis.zrem(WORKERS, name)
            else:
                found.append(WorkerView(**json.loads(data)))
        return found

    async def queue(self) -> QueueView:
        """How much there is to do."""
        now = time.time()
        chunks: dict[str, int] = {}
        oldest_s: dict[str, float] = {}
        for priority, stream in QUEUES.items():
            chunks[priority.value] = int(await self._redis.xlen(stream))
            first = await self._redis.xrange(stream, count=1)
            oldest_s[priority.value] = max(0.0, now - int(first[0][0].split(b"-")[0]) / 1000) if first else 0.0
        views = await self.all()
        return QueueView(
            chunks,
            oldest_s,
            {state.value: sum(view.state is state for view in views) for state in JobState},
            sum(view.counts.left for view in views if view.state in ACTIVE),
        )

    async def tidy(self) -> None:
        """Puts the result folders of ended jobs in order. What cannot be reached now is left for later."""
        for name in await self._redis.srandmember(UNTIDY, 4):
            view = await self._view(name.decode())
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
        return await self._view(job)

    def spool_of(self, job: str, spec: JobSpec) -> Spool:
        """Where the bulk of a job is."""
        return spool_of(self._redis, job, spec)

    def spool(self, job: str, view: JobView) -> Spool:
        """Where the bulk of a job is. UserError for a job of a newer version."""
        if view.spec is None:
            raise UserError(
                f"{job}: was submitted by a newer medner (job format {view.format}, this one knows {FORMAT})"
            )
        return spool_of(self._redis, job, view.spec)

    async def _open(self, spec: JobSpec, key: str | None, submitter: str) -> tuple[str, bool]:
        """The id of a fresh, empty job, or of the one that has this key."""
        job = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        now_ms = int(time.time() * 1000)
        record = {
            "id": job,
            "format": FORMAT,
            "spec": spec.model_dump_json(),
            "name": spec.name,
            "priority": spec.priority.value,
            "state": JobState.SUBMITTING.value,
            "submitted": now_ms,
            "submitter": submitter,
            "submit_until": now_ms + _SUBMIT_LEASE_MS,
            "keep_s": spec.keep_s,
            "key": key or "",
        }
        # Before the key leads to it: who finds a key must find its job.
        await self._redis.hset(job_key(job), mapping=record)
        while key is not None and not await self._redis.set(submit_key(key), job, nx=True):
            known = str((await self._redis.get(submit_key(key)) or b"").decode())
            view = await self._view(known) if known else None
            if view is not None and not await self._is_abandoned(known, view):
                await self._redis.unlink(job_key(job))
                return known, False
            await self._remove(known, key)
        await self._redis.zadd(INDEX, {job: now_ms / 1000})
        return job, True

    async def _fill(
        self,
        job: str,
        spec: JobSpec,
        documents: Iterable[Document],
        submitter: str,
        told: Hearing,
    ) -> None:
        spool = spool_of(self._redis, job, spec)
        await spool.prepare()
        chunks = chunks_of(documents, size=spec.chunk_sentences, max_chars=spec.max_chars)
        number = seen = sentences = 0
        # Reading and splitting a large file would hold up the loop.
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            payload = await spool.put(number, dump_chunk(chunk))
            new = sum(piece.last for piece in chunk)
            size = sum(len(piece.places) for piece in chunk)
            said = await self._added(told, job, submitter, _SUBMIT_LEASE_MS, number, size, new, payload)
            if said != "ok":
                raise ExternalError(f"{job}: is {said}; the submit ends here")
            number, seen, sentences = number + 1, seen + new, sentences + size
            told.read(seen, sentences)
        if seen == 0:
            raise UserError("nothing to annotate: no document could be read")
        said = await self._said("seal", job, submitter)
        if said != "ok":
            raise ExternalError(f"{job}: is {said}; the submit ends here")

    async def _added(self, told: Hearing, job: str, *arguments: Any) -> str:
        while True:
            try:
                return await self._said("add", job, *arguments)
            except OutOfMemoryError:
                told.waiting("the memory of Redis is full")
                await asyncio.sleep(_FULL_WAIT_S)

    async def _is_abandoned(self, job: str, view: JobView) -> bool:
        """Whether its submitter died before all documents were there."""
        until = int(await self._redis.hget(job_key(job), "submit_until") or 0)
        return view.state is JobState.SUBMITTING and until < time.time() * 1000

    async def _remove(self, job: str, key: str | None) -> None:
        base = job_key(job)
        stored = await self._redis.hget(base, "key")
        key = key or (stored or b"").decode() or None
        unfinished = [name.decode() for name in await self._redis.hkeys(f"{base}:open")]
        names = [base, *(f"{base}:{part}" for part in _PARTS), *(f"{base}:part:{number}" for number in unfinished)]
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.unlink(*names)
            pipe.zrem(INDEX, job)
            pipe.srem(ACTIVE_JOBS, job)
            await pipe.execute()
        if key is not None:
            await self._scripts("forget", submit_key(key), job)

    async def _said(self, script: str, job: str, *arguments: Any) -> str:
        return str((await self._scripts(script, job_key(job), *arguments)).decode())

    async def _view(self, job: str) -> JobView | None:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(job_key(job))
            pipe.hgetall(f"{job_key(job)}:refused")
            raw, refused = await pipe.execute()
        if not raw or b"state" not in raw:
            return None
        facts = {name.decode(): value.decode() for name, value in raw.items()}
        refusals = {name.decode(): reason.decode() for name, reason in refused.items()}
        return view_of(job, facts, refusals)


def spool_of(redis: Client, job: str, spec: JobSpec) -> Spool:
    """Where the bulk of a job is."""
    return RedisSpool(redis, job_key(job)) if spec.results is None else FolderSpool(redis, job_key(job), spec)


def view_of(job: str, facts: dict[str, str], refusals: dict[str, str]) -> JobView:
    """A job out of its hash. What a newer version wrote is shown as far as it is understood."""
    written = int(facts["format"])
    spec: JobSpec | None = None
    if written <= FORMAT:
        try:
            spec = JobSpec.model_validate_json(facts["spec"])
        except ValidationError as error:
            raise ExternalError(
                f"{job}: its record in Redis is damaged; delete it: medner jobs delete {job}"
            ) from error
    counts = JobCounts(**{field.name: int(facts.get(field.name, 0)) for field in fields(JobCounts)})
    return JobView(
        id=job,
        format=written,
        state=JobState(facts["state"]),
        counts=counts,
        submitted_s=int(facts["submitted"]) / 1000,
        spec=spec,
        name=facts.get("name", ""),
        started_s=_seconds(facts.get("started")),
        finished_s=_seconds(facts.get("finished")),
        reason=facts.get("reason", ""),
        refusals=refusals,
    )


def _seconds(milliseconds: str | None) -> float | None:
    return None if milliseconds is None else int(milliseconds) / 1000
