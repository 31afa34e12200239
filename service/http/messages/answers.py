"""What goes out as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from medner.core.choices import JudgeFollow, TracePolicy
from medner.core.labels import LabelSet
from medner.service.http.messages.annotated import DocumentAnswer
from medner.service.http.messages.strict import Strict
from medner.service.http.scopes import Scope
from medner.store.jobs import JobCounts, JobState, JobView, Priority, WorkerView


class SubmitAnswer(Strict):
    """A job that was submitted. ``created`` False: the idempotency key had led to it before."""

    id: str
    created: bool
    state: JobState
    documents: int
    sentences: int


class CountsAnswer(Strict):
    """How much of a job there is, and what became of it. ``dead`` sentences were given up."""

    documents: int
    sentences: int
    done: int
    dead: int
    left: int
    entities: int
    conflicts: int
    partial: int
    judge_calls: int
    fallbacks: int

    @classmethod
    def of(cls, counts: JobCounts) -> CountsAnswer:
        """The counts of a job."""
        return cls(**{name: getattr(counts, name) for name in cls.model_fields})


class JobAnswer(Strict):
    """A job as it is now. ``refusals`` are workers that cannot do it, with why."""

    id: str
    name: str
    state: JobState
    reason: str
    submitted: datetime
    started: datetime | None
    finished: datetime | None
    counts: CountsAnswer
    labels: str | None
    priority: Priority | None
    trace: TracePolicy | None
    judge_follow: JudgeFollow | None
    fingerprint: str | None
    refusals: dict[str, str]

    @classmethod
    def of(cls, view: JobView) -> JobAnswer:
        """The job of a view."""
        spec = view.spec
        return cls(
            id=view.id,
            name=view.name,
            state=view.state,
            reason=view.reason,
            submitted=moment(view.submitted_s),
            started=None if view.started_s is None else moment(view.started_s),
            finished=None if view.finished_s is None else moment(view.finished_s),
            counts=CountsAnswer.of(view.counts),
            labels=None if spec is None else _label_set(str(spec.configuration.get("labels", ""))),
            priority=None if spec is None else spec.priority,
            trace=None if spec is None else spec.trace,
            judge_follow=None if spec is None else spec.judge_follow,
            fingerprint=None if spec is None else spec.fingerprint,
            refusals=view.refusals,
        )


class WorkerAnswer(Strict):
    """A worker that was heard of lately."""

    id: str
    doing: str
    reason: str
    sentences: int
    version: str

    @classmethod
    def of(cls, view: WorkerView) -> WorkerAnswer:
        """The worker of a view."""
        return cls(**{name: getattr(view, name) for name in cls.model_fields})


class JobsAnswer(Strict):
    """Jobs, the newest first, how many there are in all, and the workers; ``next`` is the cursor of the next page."""

    jobs: tuple[JobAnswer, ...]
    total: int
    next: str | None
    workers: tuple[WorkerAnswer, ...]


class ReplayAnswer(Strict):
    """How many sentences a replay does again, and the job."""

    sentences: int
    job: JobAnswer


class DeadAnswer(Strict):
    """A sentence that was given up: where it is, why, after how many attempts."""

    document: str
    sentence: str
    kind: str
    error: str
    attempts: int
    worker: str
    at: datetime


class DeadLettersAnswer(Strict):
    """The sentences of a job that were given up."""

    dead: tuple[DeadAnswer, ...]


class EntityAnswer(Strict):
    """An entity: 0-based, end-exclusive code points of the document's text."""

    start: int
    end: int
    label: str
    text: str


class ResultLine(Strict):
    """A document's entities: a line of the results in the form ``entities``."""

    id: str
    entities: tuple[EntityAnswer, ...]


class ProgressEvent(Strict):
    """Where a job is: the data of the events ``progress`` and ``end``. Seconds left: None where nobody knows."""

    id: str
    state: JobState
    reason: str
    counts: CountsAnswer
    sentences_per_s: float | None
    seconds_left: float | None
    remarks: tuple[str, ...]


class DocumentsAnswer(Strict):
    """Documents of a job in order; ``next`` is the cursor of the next page, which may be less than full."""

    documents: tuple[DocumentAnswer, ...]
    next: str | None


class AnnotatedAnswer(Strict):
    """Texts that were annotated at once, and their job, under which results and traces stay for a day."""

    job: str
    documents: tuple[DocumentAnswer, ...]


class WaitingAnswer(Strict):
    """A job that goes on: how many pieces of work wait before it, and why it waits, where that is known."""

    job: str
    position: int
    remarks: tuple[str, ...]


class TypeAnswer(Strict):
    """An entity type."""

    code: str
    name: str
    definition: str


class LabelsAnswer(Strict):
    """A label set, with the taggers and filters there are for it and what is used by default."""

    name: str
    title: str
    nested: bool
    types: tuple[TypeAnswer, ...]
    taggers: tuple[str, ...]
    filters: tuple[str, ...]
    default_taggers: tuple[str, ...]
    default_judge: str
    notice: str | None

    @staticmethod
    def types_of(labels: LabelSet) -> tuple[TypeAnswer, ...]:
        """The types of a label set."""
        return tuple(TypeAnswer(code=one.code, name=one.name, definition=one.definition) for one in labels.types)


class LabelSetsAnswer(Strict):
    """The label sets there are; ``default`` is the one that is used where none is named."""

    default: str
    labels: tuple[LabelsAnswer, ...]


class HealthAnswer(Strict):
    """Whether the server can do its work."""

    status: Literal["ok"]
    version: str
    workers: int


class SessionAnswer(Strict):
    """Whether the server asks for a key, whose is used ("" where none is needed, None for nobody's), what it may do."""

    key_needed: bool
    name: str | None
    scopes: tuple[Scope, ...]


class ProblemAnswer(BaseModel):
    """What went wrong, and the way out; some kinds name a ``line`` or a ``key``."""

    type: str
    title: str
    status: int
    detail: str


def _label_set(name: str) -> str:
    """A label set without the folder of its file."""
    return Path(name).name.removesuffix(".toml")


def moment(seconds: float) -> datetime:
    """Seconds since the epoch as a time."""
    return datetime.fromtimestamp(seconds, UTC)
