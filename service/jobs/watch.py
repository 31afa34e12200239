"""A job as people watch it: its progress, why it waits, how it ended."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from rich.console import Console

from medner.service.annotate.counts import RunCounts, duration
from medner.service.annotate.progress import showing
from medner.store.jobs import JobCounts, JobState, JobView, WorkerView

#: What a command ends with when the job it looks at has ended so.
EXIT_CODES = {
    JobState.COMPLETED: 0,
    JobState.COMPLETED_WITH_ERRORS: 1,
    JobState.FAILED: 3,
    JobState.CANCELLED: 5,
}


class WatchedJobs(Protocol):
    """Jobs that can be watched: those of a Redis, and those of a server."""

    async def show(self, job: str) -> JobView:
        """A job as it is now."""
        ...

    def watch(self, job: str) -> AsyncIterator[JobView]:
        """The job now and then, until it has ended."""
        ...

    async def workers(self) -> list[WorkerView]:
        """The workers that were heard of lately."""
        ...


async def watch(jobs: WatchedJobs, job: str, console: Console) -> JobView:
    """Shows a job's progress until it has ended; its last view."""
    view = await jobs.show(job)
    tally = RunCounts(view.counts.sentences, done=view.counts.done, reused=view.counts.done)
    shown: set[str] = set()
    with showing(tally, console) as on_progress:
        async for view in jobs.watch(job):
            counts = view.counts
            tally.total, tally.done = counts.sentences, counts.done
            tally.conflicts, tally.failed = counts.conflicts, counts.dead
            on_progress()
            for remark in await remarks(jobs, view):
                if remark not in shown:
                    shown.add(remark)
                    console.print(remark, markup=False)
    return view


async def remarks(jobs: WatchedJobs, view: JobView) -> list[str]:
    """Why a job does not go on, where it does not."""
    if view.state not in (JobState.QUEUED, JobState.RUNNING):
        return []
    workers = await jobs.workers()
    if not workers:
        return ["no worker is running; start one: medner worker"]
    if view.reason:
        return [view.reason, *_waiting(view, workers)]
    return _waiting(view, workers)


def _waiting(view: JobView, workers: Sequence[WorkerView]) -> list[str]:
    paused = [f"worker {one.id} waits: {one.reason}" for one in workers if one.doing == "paused" and one.reason]
    return [*paused, *(f"worker {name} cannot do it: {reason}" for name, reason in view.refusals.items())]


def end_in_words(view: JobView) -> str:
    """What became of a job, in a line."""
    counts = view.counts
    words = {
        JobState.COMPLETED: f"completed: {counts.done:,} sentences, {counts.entities:,} entities",
        JobState.COMPLETED_WITH_ERRORS: (
            f"completed with errors: {counts.done:,} sentences have a result, {counts.dead:,} were given up"
            f"{f', the first with {view.reason}' if view.reason else ''} "
            f"(medner jobs dead {view.id}; after a fix: medner jobs replay {view.id})"
        ),
        JobState.CANCELLED: (
            f"cancelled: {counts.done:,} of {counts.sentences:,} sentences are done and stay "
            f"(to go on: medner jobs replay {view.id})"
        ),
        JobState.FAILED: f"failed: {view.reason}",
    }
    return words.get(view.state, f"{view.state.value}: {counts.done:,} of {counts.sentences:,} sentences")


def described(view: JobView) -> list[tuple[str, str]]:
    """What is known of a job, as names and values for people."""
    counts: JobCounts = view.counts
    rows = [("job", view.id), ("name", view.name), ("state", view.state.value), ("reason", view.reason)]
    rows += [
        ("sentences", f"{counts.done:,} done, {counts.dead:,} given up, {counts.left:,} left of {counts.sentences:,}"),
        ("documents", f"{counts.documents:,}" + (f" in {counts.chunks:,} chunks" if counts.chunks else "")),
        ("found", f"{counts.entities:,} entities, {counts.conflicts:,} conflicts"),
        ("partial", f"{counts.partial:,} sentences lack an agent's answer" if counts.partial else ""),
        ("judge", f"{counts.judge_calls:,} calls, {counts.fallbacks:,} fallbacks" if counts.judge_calls else ""),
        ("submitted", _when(view.submitted_s)),
        ("started", _when(view.started_s)),
        ("ended", _when(view.finished_s)),
    ]
    if view.started_s and view.finished_s:
        rows.append(("took", duration(view.finished_s - view.started_s)))
    spec = view.spec
    if spec is not None:
        rows += [
            ("results", spec.results or "in Redis"),
            ("priority", spec.priority.value),
            ("trace", spec.trace),
            ("judge follows", spec.judge_follow),
            ("fingerprint", spec.fingerprint),
        ]
    rows += [("refused by", f"{worker}: {reason}") for worker, reason in view.refusals.items()]
    return [(name, value) for name, value in rows if value]


def _when(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
