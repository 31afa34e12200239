"""The jobs of a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import Any, Literal, Unpack

from medner._client.label_sets import LabelSets
from medner._client.settings import ServerSettings, server_options
from medner._documents import Document, RunFacts, from_annotated
from medner._jobs import FailedSentence, Job
from medner._texts import Text, as_given
from medner.core.errors import UserError
from medner.service.client import jobs as requests
from medner.service.client.calls import Steps, last_of
from medner.service.client.connection import AsyncConnection, Connection
from medner.service.client.messages import JobMessage

Priority = Literal["high", "normal", "low"]
Trace = Literal["all", "conflicts", "none"]

# The classes below have a method `list`, which hides the type of that name.
_JobList = list[Job]
_FailureList = list[FailedSentence]
_NameList = list[str]


class AsyncServerJobs:
    """The jobs of a server: ``server.jobs``. A job is named by its id, the beginning of it, its name, or ``"last"``."""

    def __init__(self, connection: AsyncConnection, labels: LabelSets) -> None:
        self._connection = connection
        self._labels = labels

    async def submit(  # noqa: PLR0913  what a job is
        self,
        texts: Iterable[Text],
        labels: str | None = None,
        *,
        name: str = "",
        key: str | None = None,
        priority: Priority = "normal",
        trace: Trace = "conflicts",
        follow_judge: bool = False,
        keep_days: float = 7,
        **settings: Unpack[ServerSettings],
    ) -> Job:
        """Makes a job of texts or documents, which are read and sent one by one; workers do it.

        ``key``: one job for this key, however often it is submitted. The server keeps the results for ``keep_days``.
        ``follow_judge``: go along when another judge is put in place. The settings are :class:`medner.ServerSettings`.
        """
        order = _order(name, priority, trace, keep_days, follow_judge=follow_judge)
        return await self._connection.run(_submit(texts, labels, key, order, settings))

    async def list(self, limit: int | None = None) -> _JobList:
        """The jobs, the newest first; ``limit`` None: all."""
        return await self._connection.run(_list(limit))

    async def show(self, job: str | Job = "last") -> Job:
        """A job as it is now."""
        return await self._connection.run(_show(job))

    async def watch(self, job: str | Job = "last", *, every_s: float = 0.5) -> AsyncIterator[Job]:
        """The job now and then, until it has ended; the last one is the end."""
        id_ = await self._connection.run(_id(job))
        async with aclosing(self._connection.iterate(requests.watch(id_, every_s))) as views:
            async for view in views:
                yield _job(view)

    async def wait(self, job: str | Job = "last") -> Job:
        """The job when it has ended."""
        return await self._connection.run(_wait(job))

    async def results(self, job: str | Job = "last") -> AsyncIterator[Document]:
        """The documents with what is known of them, in order; of a job that runs, what there is."""
        id_, facts = await self._connection.run(_facts(job, self._labels))
        async with aclosing(self._connection.lines(requests.results(id_))) as lines:
            async for annotated in lines:
                yield from_annotated(annotated, facts)

    async def export(self, job: str | Job, form: str) -> AsyncIterator[str]:
        """The lines of the results in a format of `medner convert`: ``entities``, ``bio``, ``cmeee`` ..."""
        id_ = await self._connection.run(_id(job))
        async with aclosing(self._connection.lines(requests.exported(id_, form))) as lines:
            async for line in lines:
                yield line

    async def agreement(self, job: str | Job = "last", *, most: int = 20) -> dict[str, Any]:
        """How far the taggers agree and whose candidates are kept, as `medner traces agreement --json` prints it."""
        return await self._connection.run(_agreement(job, most))

    async def cancel(self, job: str | Job) -> Job:
        """Ends a job: what is under way ends, what is done stays. Nothing for one that has ended."""
        return await self._connection.run(_cancel(job))

    async def replay(self, job: str | Job) -> int:
        """Does again what failed and what was never done; gives how many sentences that are."""
        return await self._connection.run(_replay(job))

    async def failures(self, job: str | Job = "last") -> _FailureList:
        """The sentences that were given up, in order."""
        return await self._connection.run(_failures(job))

    async def delete(self, job: str | Job) -> None:
        """Forgets an ended job and its results."""
        await self._connection.run(_delete(job))

    async def workers(self) -> _NameList:
        """The names of the workers that run."""
        return await self._connection.run(_workers())


class ServerJobs:
    """The synchronous twin of :class:`AsyncServerJobs`."""

    def __init__(self, connection: Connection, labels: LabelSets) -> None:
        self._connection = connection
        self._labels = labels

    def submit(  # noqa: PLR0913  what a job is
        self,
        texts: Iterable[Text],
        labels: str | None = None,
        *,
        name: str = "",
        key: str | None = None,
        priority: Priority = "normal",
        trace: Trace = "conflicts",
        follow_judge: bool = False,
        keep_days: float = 7,
        **settings: Unpack[ServerSettings],
    ) -> Job:
        """Makes a job of texts or documents, which are read and sent one by one: :meth:`AsyncServerJobs.submit`."""
        order = _order(name, priority, trace, keep_days, follow_judge=follow_judge)
        return self._connection.run(_submit(texts, labels, key, order, settings))

    def list(self, limit: int | None = None) -> _JobList:
        """The jobs, the newest first; ``limit`` None: all."""
        return self._connection.run(_list(limit))

    def show(self, job: str | Job = "last") -> Job:
        """A job as it is now."""
        return self._connection.run(_show(job))

    def watch(self, job: str | Job = "last", *, every_s: float = 0.5) -> Iterator[Job]:
        """The job now and then, until it has ended; the last one is the end."""
        id_ = self._connection.run(_id(job))
        return map(_job, self._connection.iterate(requests.watch(id_, every_s)))

    def wait(self, job: str | Job = "last") -> Job:
        """The job when it has ended."""
        return self._connection.run(_wait(job))

    def results(self, job: str | Job = "last") -> Iterator[Document]:
        """The documents with what is known of them, in order; of a job that runs, what there is."""
        id_, facts = self._connection.run(_facts(job, self._labels))
        for annotated in self._connection.lines(requests.results(id_)):
            yield from_annotated(annotated, facts)

    def export(self, job: str | Job, form: str) -> Iterator[str]:
        """The lines of the results in a format of `medner convert`: ``entities``, ``bio``, ``cmeee`` ..."""
        return self._connection.lines(requests.exported(self._connection.run(_id(job)), form))

    def agreement(self, job: str | Job = "last", *, most: int = 20) -> dict[str, Any]:
        """How far the taggers agree and whose candidates are kept, as `medner traces agreement --json` prints it."""
        return self._connection.run(_agreement(job, most))

    def cancel(self, job: str | Job) -> Job:
        """Ends a job: what is under way ends, what is done stays. Nothing for one that has ended."""
        return self._connection.run(_cancel(job))

    def replay(self, job: str | Job) -> int:
        """Does again what failed and what was never done; gives how many sentences that are."""
        return self._connection.run(_replay(job))

    def failures(self, job: str | Job = "last") -> _FailureList:
        """The sentences that were given up, in order."""
        return self._connection.run(_failures(job))

    def delete(self, job: str | Job) -> None:
        """Forgets an ended job and its results."""
        self._connection.run(_delete(job))

    def workers(self) -> _NameList:
        """The names of the workers that run."""
        return self._connection.run(_workers())


def _order(name: str, priority: str, trace: str, keep_days: float, *, follow_judge: bool) -> dict[str, object]:
    return {
        "name": name,
        "priority": priority,
        "trace": trace,
        "keep_days": keep_days,
        "judge_follow": "latest" if follow_judge else "pinned",
    }


def _submit(
    texts: Iterable[Text],
    labels: str | None,
    key: str | None,
    order: Mapping[str, object],
    settings: Mapping[str, Any],
) -> Steps[Job]:
    if isinstance(texts, str | Document):
        raise UserError("submit takes a list or another iterable of texts; [text] for one")
    options = {**order, **server_options(labels, settings)}
    documents = (as_given(text, f"text-{number}") for number, text in enumerate(texts, 1))
    submitted = yield from requests.submit(documents, options, key=key)
    return _job((yield from requests.show(submitted.id)))


def _list(limit: int | None) -> Steps[_JobList]:
    return [_job(one) for one in (yield from requests.newest(limit))]


def _id(job: str | Job) -> Steps[str]:
    return job.id if isinstance(job, Job) else (yield from requests.find(job))


def _show(job: str | Job) -> Steps[Job]:
    return _job((yield from requests.show((yield from _id(job)))))


def _wait(job: str | Job) -> Steps[Job]:
    return _job((yield from last_of(requests.watch((yield from _id(job)), 0.5))))


def _facts(job: str | Job, labels: LabelSets) -> Steps[tuple[str, RunFacts]]:
    view = yield from requests.show((yield from _id(job)))
    return view.id, (yield from labels.facts(view.labels))


def _agreement(job: str | Job, most: int) -> Steps[dict[str, Any]]:
    return (yield from requests.agreement((yield from _id(job)), most))


def _cancel(job: str | Job) -> Steps[Job]:
    return _job((yield from requests.cancel((yield from _id(job)))))


def _replay(job: str | Job) -> Steps[int]:
    return (yield from requests.replay((yield from _id(job))))


def _failures(job: str | Job) -> Steps[_FailureList]:
    dead = yield from requests.dead((yield from _id(job)))
    return [FailedSentence(one.document, one.sentence, one.kind, one.error, one.attempts, one.worker) for one in dead]


def _delete(job: str | Job) -> Steps[None]:
    yield from requests.delete((yield from _id(job)))


def _workers() -> Steps[_NameList]:
    return [one.id for one in (yield from requests.workers())]


def _job(view: JobMessage) -> Job:
    counts = view.counts
    return Job(
        view.id,
        view.name,
        view.state,
        counts.documents,
        counts.sentences,
        counts.done,
        counts.dead,
        counts.entities,
        counts.conflicts,
        view.reason,
        view.submitted.timestamp(),
        None if view.started is None else view.started.timestamp(),
        None if view.finished is None else view.finished.timestamp(),
    )
