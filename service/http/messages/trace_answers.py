"""Traces as they go out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

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


class ChangeAnswer(Strict):
    """A sentence whose result differs: the entities that only one of the runs has."""

    sentence: str
    text: str
    only_a: tuple[PlainEntity, ...]
    only_b: tuple[PlainEntity, ...]


class KindChanges(Strict):
    """Conflicts of a kind that both runs settled alike, and otherwise."""

    alike: int
    otherwise: int


class ScoresAnswer(Strict):
    """Precision, recall and F1; None where nothing was there to count."""

    precision: float | None
    recall: float | None
    f1: float | None


class GoldAnswer(Strict):
    """Both runs against gold on the sentences they share, and F1 of B minus A with its interval (paired bootstrap)."""

    sentences: int
    gold_entities: int
    a: ScoresAnswer
    b: ScoresAnswer
    f1_difference: float | None
    interval: tuple[float | None, float | None]
    level: float
    p: float | None
    seed: int
    resamples: int


class DiffAnswer(Strict):
    """What differs between two runs over the same sentences; A is the first that was named."""

    a: str
    b: str
    sentences: int
    only_in_a: int
    only_in_b: int
    conflicts: int
    changed_conflicts: int
    changed_sentences: int
    by_kind: dict[str, KindChanges]
    gained: dict[str, int]
    lost: dict[str, int]
    fallbacks: tuple[int, int]
    judging_seconds: tuple[float, float]
    changes: tuple[ChangeAnswer, ...]
    score: GoldAnswer | None


class AgreementPair(Strict):
    """Of the entities that either of two taggers gave, those that both gave."""

    taggers: tuple[str, str]
    both: int
    either: int


class WinsAnswer(Strict):
    """Of a tagger's disputed candidates, those that were kept."""

    kept: int
    disputed: int


class TypeWins(WinsAnswer):
    """The same by type."""

    tagger: str
    type: str


class ContestedAnswer(WinsAnswer):
    """A disputed text with its type."""

    text: str
    type: str


class AgreementAnswer(Strict):
    """Who disagrees with whom about what, and whose word the judge takes."""

    sentences: int
    in_dispute: int
    conflicts: int
    pairs: tuple[AgreementPair, ...]
    kinds: dict[str, int]
    wins: dict[str, WinsAnswer]
    wins_by_type: tuple[TypeWins, ...]
    contested: tuple[ContestedAnswer, ...]
    judges: dict[str, int]
    fallbacks: int
    abstained: int
    overruled: int

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """The counts of :meth:`medner.evaluation.measures.disputes.Disputes.as_data`."""
        return cls.model_validate(data)


class RemovedAnswer(Strict):
    """How many traces were removed, and the forks that still hold the same sentences."""

    removed: int
    forks: tuple[str, ...]


class DecisionLine(Strict):
    """A line of an export: with ``decisions`` a decided conflict as `medner train judge --decisions` reads it,
    else a sentence as `medner annotate -o` writes a document (docs/formats.md)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    text: str
