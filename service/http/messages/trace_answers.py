"""Traces as they go out."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import ConfigDict

from medner.core.choices import TracePolicy
from medner.service.http.messages.annotated import FailureAnswer, FoundEntity, FullConflictAnswer, PlainEntity
from medner.service.http.messages.strict import Strict
from medner.store.traces import RunRecord, TraceSummary


class RunAnswer(Strict):
    """A run of traces. ``origin`` is the run that a fork was made of; a job's run has the job's id as its name."""

    run: str
    kind: str
    started: datetime
    sentences: int
    judge: str
    labels: str
    policy: TracePolicy
    origin: str | None
    keep_days: int | None

    @classmethod
    def of(cls, run: RunRecord, sentences: int) -> Self:
        """The run of a record."""
        return cls(
            run=run.run,
            kind=run.kind,
            started=run.created,
            sentences=sentences,
            judge=run.judge,
            labels=run.labels.name,
            policy=run.policy,
            origin=run.parent,
            keep_days=run.keep_days,
        )


class RunsAnswer(Strict):
    """Runs, the newest first; ``next`` is the cursor of the next page."""

    runs: tuple[RunAnswer, ...]
    next: str | None


class RunDetailAnswer(RunAnswer):
    """A run with its counts, and the forks that were made of it."""

    conflicts: int
    fallbacks: int
    abstained: int
    overruled: int
    forks: tuple[str, ...]


class SummaryAnswer(Strict):
    """A sentence in a list: what happened in it, without its text."""

    sentence: str
    number: int
    conflicts: int
    kinds: tuple[str, ...]
    judges: tuple[str, ...]
    fallbacks: int
    abstained: int
    overruled: int
    seconds: float

    @classmethod
    def of(cls, number: int, one: TraceSummary) -> Self:
        """The line of a summary; ``number`` counts from 1."""
        return cls(
            sentence=one.sentence_id,
            number=number,
            conflicts=one.conflicts,
            kinds=one.kinds,
            judges=one.judges,
            fallbacks=one.fallbacks,
            abstained=one.abstained,
            overruled=one.overruled,
            seconds=one.seconds,
        )


class SentencesAnswer(Strict):
    """Sentences of a run in the order they began; ``next`` is the cursor of the next page."""

    sentences: tuple[SummaryAnswer, ...]
    next: str | None


class StepAnswer(Strict):
    """A step through the graph: the node, its milliseconds where it was timed, how much it wrote of what.

    ``at`` is when the state after it was kept, None where the run's policy keeps none.
    """

    node: str
    at: datetime | None
    milliseconds: float | None
    writes: dict[str, int]


class CheckpointAnswer(Strict):
    """A state that is kept: its id, the one before it, what comes next, and what it holds."""

    id: str
    parent: str | None
    next: str | None
    channels: tuple[str, ...]


class RejectedAnswer(Strict):
    """A piece of an answer that did not become an entity."""

    reason: str
    raw: str
    detail: str


class TaggerAnswer(Strict):
    """A tagger's answer: as it was written, what was read of it, what was refused, what it took."""

    tagger: str
    raw: str
    entities: tuple[PlainEntity, ...]
    rejected: tuple[RejectedAnswer, ...]
    seconds: float
    tokens: int


class ScoredCandidate(PlainEntity):
    """A candidate, with the filter's score where there is one, and whether the filter dropped it."""

    taggers: tuple[str, ...]
    score: float | None
    dropped: bool


class PathAnswer(Strict):
    """A sentence's whole path. Offsets are of the sentence, which begins at ``offset`` of its document."""

    run: str
    sentence: str
    document: str
    text: str
    offset: int
    judge: str
    steps: tuple[StepAnswer, ...]
    checkpoints: tuple[CheckpointAnswer, ...]
    answers: tuple[TaggerAnswer, ...]
    candidates: tuple[ScoredCandidate, ...]
    conflicts: tuple[FullConflictAnswer, ...]
    entities: tuple[FoundEntity, ...]
    failures: tuple[FailureAnswer, ...]
    origin: str | None
    forks: tuple[str, ...]


class ForkAnswer(Strict):
    """A fork: its run, how many sentences were decided again, how many conflicts ended otherwise."""

    run: str
    decided: int
    changed: int


class RemovedAnswer(Strict):
    """How many traces were removed, and the forks that still hold the same sentences."""

    removed: int
    forks: tuple[str, ...]


class DecisionLine(Strict):
    """A line of an export: with ``decisions`` a decided conflict as `medner train judge --decisions` reads it,
    else a sentence as `medner annotate -o` writes a document (docs/formats.md)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    text: str
