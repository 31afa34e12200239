"""What the server answers, as far as the client uses it."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from medner.service.client.calls import Message


class CountsMessage(Message):
    """How much of a job there is, and what became of it."""

    documents: int
    sentences: int
    done: int
    dead: int
    entities: int = 0
    conflicts: int = 0
    partial: int = 0
    judge_calls: int = 0
    fallbacks: int = 0
    chunks: int = 0
    chunks_done: int = 0


class JobMessage(Message):
    """A job as it is now."""

    id: str
    name: str = ""
    state: str
    reason: str = ""
    submitted: datetime
    started: datetime | None = None
    finished: datetime | None = None
    counts: CountsMessage
    labels: str | None = None
    priority: str | None = None
    trace: str | None = None
    judge_follow: str | None = None
    fingerprint: str | None = None
    refusals: dict[str, str] = Field(default_factory=dict)


class WorkerMessage(Message):
    """A worker that was heard of lately."""

    id: str
    doing: str = ""
    reason: str = ""
    sentences: int = 0
    version: str = ""


class JobsMessage(Message):
    """A page of jobs, the newest first, and the workers."""

    jobs: tuple[JobMessage, ...]
    workers: tuple[WorkerMessage, ...] = ()
    next: str | None = None


class SubmittedMessage(Message):
    """A job that was submitted. ``created`` False: its key had led to it before."""

    id: str
    created: bool = True


class ReplayMessage(Message):
    """How many sentences a replay does again."""

    sentences: int


class DeadMessage(Message):
    """A sentence that was given up."""

    document: str
    sentence: str
    kind: str
    error: str
    attempts: int
    worker: str
    at: datetime


class DeadLettersMessage(Message):
    """The sentences of a job that were given up."""

    dead: tuple[DeadMessage, ...]
    next: str | None = None


class TypeMessage(Message):
    """An entity type."""

    code: str
    name: str
    definition: str = ""


class LabelSetMessage(Message):
    """A label set."""

    name: str
    title: str = ""
    nested: bool = True
    types: tuple[TypeMessage, ...]


class LabelSetsMessage(Message):
    """The label sets that the server knows."""

    default: str = ""
    labels: tuple[LabelSetMessage, ...]
