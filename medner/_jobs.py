"""Batch work for workers in the background: the job books in Redis, asynchronous and synchronous."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Unpack

from medner._documents import Document, RunFacts, from_annotated
from medner._settings import Settings, configuration_of, overrides_of
from medner._texts import Text, as_given
from medner._twins import RedisUser, SynchronousTwin
from medner.core.errors import UserError

if TYPE_CHECKING:
    from medner.store.jobs import Jobs as JobBooks
    from medner.store.jobs import JobView

ENDED = ("completed", "completed_with_errors", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was when it was looked at.

    ``state`` is ``submitting``, ``queued``, ``running``, ``completed``, ``completed_with_errors``, ``failed`` or
    ``cancelled``. Of its ``sentences``, ``done`` have a result and ``failed`` were given up; ``reason`` says why it
    failed, or the first thing that went wrong. Times are seconds since the epoch.
    """

    id: str
    name: str
    state: str
    documents: int
    sentences: int
    done: int
    failed: int
    entities: int
    conflicts: int
    reason: str = ""
    submitted_s: float = 0.0
    started_s: float | None = None
    finished_s: float | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class FailedSentence:
    """A sentence of a job that was given up, after how many attempts and why. Its text is not here."""

    document: str
    sentence: str
    kind: str
    error: str
    attempts: int
    worker: str


# The classes below have a method `list`, which hides the type of that name.
_JobList = list[Job]
_FailureList = list[FailedSentence]
_NameList = list[str]


class AsyncJobs(RedisUser["JobBooks"]):
    """The jobs of a Redis: use it with ``async with``. ``redis`` None: ``MEDNER_REDIS_URL``, else the embedded one.

    A job is named by its id, the beginning of it, its name, or ``"last"``. Workers do the work: `medner worker`.
    """

    def _books_on(self, client: Any) -> JobBooks:
        from medner.store.jobs import Jobs as JobBooks

        return JobBooks(client)

    async def submit(  # noqa: PLR0913  what a job is
        self,
        texts: Iterable[Text],
        labels: str | os.PathLike[str] | None = None,
        *,
        name: str = "",
        key: str | None = None,
        priority: Literal["high", "normal", "low"] = "normal",
        trace: Literal["all", "conflicts", "none"] = "conflicts",
        follow_judge: bool = False,
        results: str | os.PathLike[str] | None = None,
        keep_days: float = 7,
        **settings: Unpack[Settings],
    ) -> Job:
        """Makes a job of texts or documents, which are read one by one, and gives it at once; workers do it.

        ``key``: one job for this key, however often it is submitted. ``results``: a new folder or fsspec URL for the
        results, else Redis keeps them for ``keep_days``. ``follow_judge``: go along when another judge is put in place.
        The settings are those of :func:`medner.load`.
        """
        from medner.service.config.registered_judges import with_registered_judge
        from medner.service.jobs.submit import spec_of
        from medner.store.jobs.result_folder import absolute

        if isinstance(texts, str | Document):
            raise UserError("submit takes a list or another iterable of texts; [text] for one")
        books = self._books
        overrides = overrides_of(labels, settings)
        resolved = await with_registered_judge(overrides, books.judges, follow=follow_judge)
        spec = spec_of(
            configuration_of(resolved),
            name=name,
            priority=priority,
            trace=trace,
            judge_follow="latest" if follow_judge else "pinned",
            results=None if results is None else absolute(os.fspath(results)),
            keep_s=int(keep_days * 86_400),
        )
        documents = (as_given(text, f"text-{number}") for number, text in enumerate(texts, 1))
        submitted = await books.submit(spec, documents, key=key)
        return _job(await books.show(submitted.id))

    async def list(self, limit: int | None = None) -> _JobList:
        """The jobs, the newest first; ``limit`` None: all."""
        return [_job(view) for view in (await self._books.newest(limit))[0]]

    async def show(self, job: str | Job = "last") -> Job:
        """A job as it is now."""
        return _job(await self._books.show(await self._id(job)))

    async def watch(self, job: str | Job = "last", *, every_s: float = 0.5) -> AsyncIterator[Job]:
        """The job now and then, until it has ended; the last one is the end."""
        async for view in self._books.watch(await self._id(job), every_s=every_s):
            yield _job(view)

    async def wait(self, job: str | Job = "last") -> Job:
        """The job when it has ended."""
        last = await self.show(job)
        async for view in self.watch(job):
            last = view
        return last

    async def results(self, job: str | Job = "last") -> AsyncIterator[Document]:
        """The documents with what is known of them, in order; of a job that runs, what there is."""
        id_ = await self._id(job)
        facts = _facts(await self._books.show(id_))
        async for annotated in self._books.results(id_):
            yield from_annotated(annotated, facts)

    async def cancel(self, job: str | Job) -> Job:
        """Ends a job: what is under way ends, what is done stays. Nothing for one that has ended."""
        return _job(await self._books.cancel(await self._id(job)))

    async def replay(self, job: str | Job) -> int:
        """Does again what failed and what was never done; gives how many sentences that are."""
        return await self._books.replay(await self._id(job))

    async def failures(self, job: str | Job = "last") -> _FailureList:
        """The sentences that were given up, in order."""
        letters = await self._books.dead(await self._id(job))
        return [
            FailedSentence(one.document, one.sentence, one.kind, one.error, one.attempts, one.worker) for one in letters
        ]

    async def delete(self, job: str | Job) -> None:
        """Forgets an ended job and its results in Redis; a result folder stays."""
        await self._books.delete(await self._id(job))

    async def workers(self) -> _NameList:
        """The names of the workers that run."""
        return [one.id for one in await self._books.workers()]

    async def _id(self, job: str | Job) -> str:
        return job.id if isinstance(job, Job) else await self._books.find(job)


class Jobs(SynchronousTwin[AsyncJobs]):
    """The synchronous twin of :class:`AsyncJobs`: use it with ``with``, or close it."""

    def __init__(self, redis: str | None = None) -> None:
        super().__init__(AsyncJobs(redis), "medner-jobs")

    def submit(  # noqa: PLR0913  what a job is
        self,
        texts: Iterable[Text],
        labels: str | os.PathLike[str] | None = None,
        *,
        name: str = "",
        key: str | None = None,
        priority: Literal["high", "normal", "low"] = "normal",
        trace: Literal["all", "conflicts", "none"] = "conflicts",
        follow_judge: bool = False,
        results: str | os.PathLike[str] | None = None,
        keep_days: float = 7,
        **settings: Unpack[Settings],
    ) -> Job:
        """Makes a job of texts or documents and gives it at once: :meth:`AsyncJobs.submit`."""
        order: dict[str, Any] = {
            "name": name,
            "key": key,
            "priority": priority,
            "trace": trace,
            "follow_judge": follow_judge,
            "results": results,
            "keep_days": keep_days,
        }
        return self._loop.run(self._async.submit(texts, labels, **order, **settings))

    def list(self, limit: int | None = None) -> _JobList:
        """The jobs, the newest first; ``limit`` None: all."""
        return self._loop.run(self._async.list(limit))

    def show(self, job: str | Job = "last") -> Job:
        """A job as it is now."""
        return self._loop.run(self._async.show(job))

    def watch(self, job: str | Job = "last", *, every_s: float = 0.5) -> Iterator[Job]:
        """The job now and then, until it has ended; the last one is the end."""
        return self._loop.iterate(self._async.watch(job, every_s=every_s))

    def wait(self, job: str | Job = "last") -> Job:
        """The job when it has ended."""
        return self._loop.run(self._async.wait(job))

    def results(self, job: str | Job = "last") -> Iterator[Document]:
        """The documents with what is known of them, in order; of a job that runs, what there is."""
        return self._loop.iterate(self._async.results(job))

    def cancel(self, job: str | Job) -> Job:
        """Ends a job: what is under way ends, what is done stays. Nothing for one that has ended."""
        return self._loop.run(self._async.cancel(job))

    def replay(self, job: str | Job) -> int:
        """Does again what failed and what was never done; gives how many sentences that are."""
        return self._loop.run(self._async.replay(job))

    def failures(self, job: str | Job = "last") -> _FailureList:
        """The sentences that were given up, in order."""
        return self._loop.run(self._async.failures(job))

    def delete(self, job: str | Job) -> None:
        """Forgets an ended job and its results in Redis; a result folder stays."""
        self._loop.run(self._async.delete(job))

    def workers(self) -> _NameList:
        """The names of the workers that run."""
        return self._loop.run(self._async.workers())


def _job(view: JobView) -> Job:
    counts = view.counts
    return Job(
        view.id,
        view.name,
        view.state.value,
        counts.documents,
        counts.sentences,
        counts.done,
        counts.dead,
        counts.entities,
        counts.conflicts,
        view.reason,
        view.submitted_s,
        view.started_s,
        view.finished_s,
    )


def _facts(view: JobView) -> RunFacts:
    """The label set of a job, where it is still to be had."""
    from medner.service.config.frozen import thaw

    if view.spec is None:
        return RunFacts()
    try:
        configuration = thaw(view.spec.configuration)
        return RunFacts(configuration.label_set, configuration.described())
    except UserError:
        return RunFacts()
