"""The jobs of a medner server in the form that commands know them from Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from medner.core.choices import JudgeFollow, Priority, TracePolicy
from medner.core.records import AnnotatedDocument
from medner.service.client import jobs as requests
from medner.service.client.connection import AsyncConnection
from medner.service.client.messages import JobMessage
from medner.store.jobs import DeadLetter, JobCounts, JobSpec, JobState, JobView, WorkerView

#: What a server tells of a worker.
_OF_WORKERS = ("id", "version", "doing", "reason", "sentences")
_OF_LETTERS = ("document", "sentence", "kind", "error", "attempts", "worker", "at_s")


class RemoteJobs:
    """The jobs of a server, with the methods of :class:`medner.store.jobs.Jobs` that commands use."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def all(self) -> list[JobView]:
        """All jobs, the newest first."""
        return [_view(one) for one in await self.connection.run(requests.newest(None))]

    async def find(self, name: str) -> str:
        """The id of a job from its id, a beginning of it that only one has, its name, or ``last``."""
        return await self.connection.run(requests.find(name))

    async def show(self, job: str) -> JobView:
        """A job as it is now."""
        return _view(await self.connection.run(requests.show(job)))

    async def watch(self, job: str, *, every_s: float = 0.5) -> AsyncIterator[JobView]:
        """The job now and then, until it has ended; the last view is the end."""
        async with aclosing(self.connection.iterate(requests.watch(job, every_s))) as views:
            async for view in views:
                yield _view(view)

    async def results(self, job: str) -> AsyncIterator[AnnotatedDocument]:
        """The documents with what is known of them, in order."""
        async with aclosing(self.connection.lines(requests.results(job))) as documents:
            async for document in documents:
                yield document

    async def cancel(self, job: str) -> JobView:
        """Ends a job."""
        return _view(await self.connection.run(requests.cancel(job)))

    async def replay(self, job: str) -> int:
        """Does again what failed and what was never done; how many sentences."""
        return await self.connection.run(requests.replay(job))

    async def dead(self, job: str) -> list[DeadLetter]:
        """The sentences that were given up, in order."""
        return [
            DeadLetter(
                one.document, one.sentence, 0, 0, one.kind, one.error, one.attempts, one.worker, one.at.timestamp()
            )
            for one in await self.connection.run(requests.dead(job))
        ]

    async def delete(self, job: str) -> None:
        """Forgets an ended job and its results."""
        await self.connection.run(requests.delete(job))

    async def workers(self) -> list[WorkerView]:
        """The workers that were heard of lately; what the server does not tell of them is empty."""
        return [
            WorkerView(one.id, "", 0, one.version, one.doing, one.reason, 0, one.sentences, 0.0, 0.0)
            for one in await self.connection.run(requests.workers())
        ]

    @staticmethod
    def as_data(record: JobView | WorkerView | DeadLetter) -> dict[str, Any]:
        """A record as plain data: the keys that the server tells, as those of Redis have them."""
        data = asdict(record) if not isinstance(record, JobView) else {}
        if isinstance(record, WorkerView):
            return {name: data[name] for name in _OF_WORKERS}
        if isinstance(record, DeadLetter):
            return {name: data[name] for name in _OF_LETTERS}
        spec = None if record.spec is None else record.spec.model_dump(mode="json", exclude_unset=True)
        if spec is not None:
            del spec["results"]
        found = {field.name: getattr(record, field.name) for field in fields(record) if field.name != "format"}
        return {**found, "counts": asdict(record.counts), "state": record.state.value, "spec": spec}


def _view(message: JobMessage) -> JobView:
    counts = JobCounts(**{field.name: getattr(message.counts, field.name) for field in fields(JobCounts)})
    return JobView(
        id=message.id,
        format=0,
        state=JobState(message.state),
        counts=counts,
        submitted_s=message.submitted.timestamp(),
        spec=_spec(message),
        name=message.name,
        started_s=_seconds(message.started),
        finished_s=_seconds(message.finished),
        reason=message.reason,
        refusals=dict(message.refusals),
    )


def _spec(message: JobMessage) -> JobSpec | None:
    """What the server tells of how a job is done: no paths, no addresses."""
    if message.fingerprint is None:
        return None
    told: dict[str, Any] = {
        "name": message.name,
        "configuration": {"labels": message.labels},
        "fingerprint": message.fingerprint,
        "results": "on the server",
    }
    for key, kind in (("priority", Priority), ("trace", TracePolicy), ("judge_follow", JudgeFollow)):
        value = getattr(message, key)
        if value is not None:
            told[key] = kind(value)
    return JobSpec.model_construct(_fields_set=set(told), **told)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
