"""What the commands about jobs do: submit, watch, show."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from medner.core.errors import BadInputError
from medner.core.validation import complaint
from medner.service.annotate.counts import Tally, duration
from medner.service.annotate.progress import showing
from medner.service.config.configuration import Configuration
from medner.service.config.fingerprint import fingerprint
from medner.service.config.frozen import freeze
from medner.service.config.options import Overrides, configured
from medner.service.config.registered_judges import with_registered_judge
from medner.service.inputs.annotation_inputs import Inputs, open_inputs, standard_input
from medner.store.corpora import NO_OPTIONS, ReadOptions
from medner.store.jobs import Hearing, JobCounts, Jobs, JobSpec, JobState, JobView, Submitted, WorkerView
from medner.store.jobs.folder import absolute

#: What a command ends with when the job it looks at has ended so.
EXIT_CODES = {
    JobState.COMPLETED: 0,
    JobState.COMPLETED_WITH_ERRORS: 1,
    JobState.FAILED: 3,
    JobState.CANCELLED: 5,
}


_SAY_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class SubmitOrder:
    """What is to be submitted, and how; ``settings`` are fields of the job's specification."""

    inputs: tuple[str, ...]
    format: str | None = None
    skip_bad: bool = False
    limit: int | None = None
    options: ReadOptions = NO_OPTIONS
    key: str | None = None
    overrides: Overrides = field(default_factory=Overrides)
    settings: dict[str, Any] = field(default_factory=dict)


class _Said:
    """Says now and then how a submit goes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()

    def hearing(self) -> Hearing:
        """What the submit calls."""
        return Hearing(
            opened=lambda job: self._console.print(f"job {job}", markup=False),
            read=lambda documents, sentences: self._now_and_then(f"{documents:,} documents, {sentences:,} sentences"),
            waiting=lambda reason: self._now_and_then(f"waiting: {reason} (Ctrl-C gives up)"),
        )

    def _now_and_then(self, line: str) -> None:
        if time.monotonic() - self._last > _SAY_EVERY_S:
            self._last = time.monotonic()
            self._console.print(line, markup=False)


async def submit(jobs: Jobs, order: SubmitOrder, console: Console) -> tuple[Submitted, int]:
    """Submits the documents of the inputs; the job, and how many inputs and records could not be read."""
    overrides = await with_registered_judge(order.overrides, jobs.judges, follow=_follows(order))
    results = order.settings.get("results")
    settings = {**order.settings, "results": absolute(results) if results else None}
    spec = spec_of(configured(overrides), **settings)
    said = _Said(console)
    tell = partial(console.print, markup=False)
    with open_inputs(order.inputs, None, standard_input(), tell=tell) as sources:
        inputs = Inputs(sources, format=order.format, skip_bad=order.skip_bad, limit=order.limit, options=order.options)
        submitted = await jobs.submit(spec, inputs.documents(count_bad=True), key=order.key, told=said.hearing())
        for line in inputs.guess_lines():
            console.print(line, markup=False)
        for record in list(inputs.bad)[:20]:
            console.print(f"skipped: {record}", markup=False)
        return submitted, len(inputs.bad)


def _follows(order: SubmitOrder) -> bool:
    return order.settings.get("judge_follow") == "latest"


def spec_of(configuration: Configuration, **settings: Any) -> JobSpec:
    """The specification of a job with a configuration; ``settings`` are its other fields.

    BadInputError for a value that no job can have.
    """
    try:
        return JobSpec(
            configuration=freeze(configuration),
            fingerprint=fingerprint(configuration),
            medner=version("medner"),
            max_chars=configuration.max_chars,
            join_lines=configuration.join_lines,
            **settings,
        )
    except ValidationError as error:
        reason, key = complaint(error, JobSpec)
        raise BadInputError(reason, path="job", key=key) from error


async def watch(jobs: Jobs, job: str, console: Console) -> JobView:
    """Shows a job's progress until it has ended; its last view."""
    view = await jobs.show(job)
    tally = Tally(view.counts.sentences, done=view.counts.done, reused=view.counts.done)
    told: set[str] = set()
    with showing(tally, console) as on_progress:
        async for view in jobs.watch(job):
            counts = view.counts
            tally.total, tally.done = counts.sentences, counts.done
            tally.conflicts, tally.failed = counts.conflicts, counts.dead
            on_progress()
            for remark in await remarks(jobs, view):
                if remark not in told:
                    told.add(remark)
                    console.print(remark, markup=False)
    return view


async def remarks(jobs: Jobs, view: JobView) -> list[str]:
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


def told_end(view: JobView) -> str:
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
        ("documents", f"{counts.documents:,} in {counts.chunks:,} chunks"),
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
