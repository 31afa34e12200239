"""What a job is, and what is known of it: records at the boundary to Redis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from medner.core.choices import JudgeFollow, PartFormat, Priority, TracePolicy
from medner.store.jobs.states import JobState

#: Grows when a worker of an older version could not do a newer job right.
FORMAT = 1


class JobSpec(BaseModel):
    """What a job is: frozen when it is submitted.

    ``configuration`` is what the layer above annotates by; here it is only kept. ``results`` None: in Redis, for
    ``keep_s`` after the job's end; else the URL of a folder that gets parts. A sentence gets ``attempts``, each of
    ``sentence_timeout_s`` at most; between them ``backoff_s`` that triples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = ""
    configuration: dict[str, Any]
    fingerprint: str
    medner: str
    max_chars: int = Field(default=256, ge=8, le=8_192)
    join_lines: bool = False
    priority: Priority = Priority.NORMAL
    trace: TracePolicy = TracePolicy.CONFLICTS
    judge_follow: JudgeFollow = JudgeFollow.PINNED
    results: str | None = None
    part_format: PartFormat = PartFormat.JSONL
    keep_s: int = Field(default=7 * 86_400, ge=60, le=3_650 * 86_400)
    chunk_sentences: int = Field(default=32, ge=1, le=4_096)
    attempts: int = Field(default=3, ge=1, le=100)
    backoff_s: float = Field(default=2.0, ge=0, le=86_400)
    sentence_timeout_s: float = Field(default=300.0, gt=0, le=7 * 86_400)


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How much of a job there is and what became of it; ``done`` are sentences with a result, ``dead`` without.

    ``partial`` ones have a result that lacks an agent's answer.
    """

    documents: int = 0
    sentences: int = 0
    chunks: int = 0
    chunks_done: int = 0
    done: int = 0
    dead: int = 0
    entities: int = 0
    conflicts: int = 0
    partial: int = 0
    judge_calls: int = 0
    fallbacks: int = 0

    @property
    def left(self) -> int:
        """Sentences that are neither done nor dead letters."""
        return self.sentences - self.done - self.dead


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it is now. Times are seconds since the epoch, None while they have not come.

    ``spec`` None: it was written by a newer version of medner. ``reason`` is why it failed, or the first thing that
    went wrong in it. ``refusals`` are workers that cannot do it, with why.
    """

    id: str
    format: int
    state: JobState
    counts: JobCounts
    submitted_s: float
    spec: JobSpec | None = None
    name: str = ""
    started_s: float | None = None
    finished_s: float | None = None
    reason: str = ""
    refusals: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A sentence that was given up: where it is, why, after how many attempts, by whom and when (epoch seconds)."""

    document: str
    sentence: str
    chunk: int
    index: int
    kind: str
    error: str
    attempts: int
    worker: str
    at_s: float


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as it last told: what it does (``idle``, ``working``, ``paused``, ``stopping``) and why it waits."""

    id: str
    host: str
    process: int
    version: str
    doing: str
    reason: str
    chunks: int
    sentences: int
    since_s: float
    seen_s: float


@dataclass(frozen=True, slots=True)
class QueueView:
    """How much there is to do: messages and the age of the oldest by priority, jobs by state, sentences left."""

    chunks: dict[str, int]
    oldest_s: dict[str, float]
    jobs: dict[str, int]
    sentences_left: int
