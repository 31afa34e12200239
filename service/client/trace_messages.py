"""What the server answers about traces."""

from __future__ import annotations

from datetime import datetime

from medner.core.choices import TracePolicy
from medner.core.records import ConflictKind, Decision
from medner.core.records.answers import Rejection
from medner.core.records.conflicts import Fallback
from medner.service.client.calls import Message


class RunMessage(Message):
    """A run of traces."""

    run: str
    kind: str = ""
    started: datetime
    sentences: int
    judge: str = ""
    labels: str = ""
    policy: TracePolicy = TracePolicy.CONFLICTS
    origin: str | None = None
    keep_days: int | None = None


class RunsMessage(Message):
    """A page of runs, the newest first."""

    runs: tuple[RunMessage, ...]
    next: str | None = None


class SummaryMessage(Message):
    """A sentence in a list."""

    sentence: str
    number: int
    conflicts: int
    kinds: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    fallbacks: int = 0
    abstained: int = 0
    overruled: int = 0
    seconds: float = 0.0


class SentencesMessage(Message):
    """A page of sentences, in the order they began."""

    sentences: tuple[SummaryMessage, ...]
    next: str | None = None


class PlaceMessage(Message):
    """A place with a type."""

    start: int
    end: int
    label: str
    text: str = ""


class EntityMessage(PlaceMessage):
    """An entity with why it is there."""

    score: float | None = None
    decision: Decision
    taggers: tuple[str, ...] = ()
    conflict: str | None = None


class CandidateMessage(PlaceMessage):
    """What taggers proposed; ``dropped``: the filter threw it out."""

    taggers: tuple[str, ...] = ()
    score: float | None = None
    dropped: bool = False


class OverruledMessage(Message):
    """A person's decision."""

    by: str
    at: str
    why: str
    judge_kept: tuple[int, ...] = ()


class TriedMessage(Message):
    """A judge that could not decide before the one that did."""

    judge: str
    version: str
    reason: str


class VerdictMessage(Message):
    """How a conflict was settled: ``kept`` are numbers of candidates, from 1."""

    judge: str
    version: str
    mode: str = ""
    kept: tuple[int, ...]
    added: tuple[PlaceMessage, ...] = ()
    scores: tuple[float, ...] = ()
    seconds: float = 0.0
    fallback: Fallback | None = None
    fallback_reason: str = ""
    abstained: bool = False
    tried: tuple[TriedMessage, ...] = ()
    overruled: OverruledMessage | None = None


class ExemplarMessage(Message):
    """A typical entity that the judge was shown."""

    text: str
    label: str
    context: str = ""


class ConflictMessage(Message):
    """A place where taggers disagree, with all that its judge saw and wrote."""

    id: str
    start: int
    end: int
    text: str = ""
    kind: ConflictKind
    candidates: tuple[CandidateMessage, ...]
    context: tuple[PlaceMessage, ...] = ()
    verdict: VerdictMessage | None = None
    exemplars: tuple[ExemplarMessage, ...] = ()
    prompt: str = ""
    answer: str = ""


class StepMessage(Message):
    """A step through the graph."""

    node: str
    milliseconds: float | None = None


class CheckpointMessage(Message):
    """A state that is kept."""

    id: str
    parent: str | None = None
    next: str | None = None
    channels: tuple[str, ...] = ()


class RejectedMessage(Message):
    """A piece of an answer that did not become an entity."""

    reason: Rejection
    raw: str
    detail: str = ""


class TaggerMessage(Message):
    """A tagger's answer."""

    tagger: str
    raw: str
    entities: tuple[PlaceMessage, ...]
    rejected: tuple[RejectedMessage, ...] = ()
    seconds: float = 0.0
    tokens: int = 0


class FailureMessage(Message):
    """An agent that could not do its part."""

    stage: str
    agent: str
    kind: str
    message: str


class PathMessage(Message):
    """A sentence's whole path, in offsets of the sentence."""

    run: str
    sentence: str
    document: str = ""
    text: str
    offset: int = 0
    judge: str = ""
    steps: tuple[StepMessage, ...] = ()
    checkpoints: tuple[CheckpointMessage, ...] = ()
    answers: tuple[TaggerMessage, ...] = ()
    candidates: tuple[CandidateMessage, ...] = ()
    conflicts: tuple[ConflictMessage, ...] = ()
    entities: tuple[EntityMessage, ...] = ()
    failures: tuple[FailureMessage, ...] = ()


class ForkedMessage(Message):
    """A fork that was made."""

    run: str
    decided: int
    changed: int


class RemovedMessage(Message):
    """How many traces were removed, and the forks that are still there."""

    removed: int
    forks: tuple[str, ...] = ()


class ChangeMessage(Message):
    """A sentence whose result differs."""

    sentence: str
    text: str
    only_a: tuple[PlaceMessage, ...]
    only_b: tuple[PlaceMessage, ...]


class DifferenceMessage(Message):
    """What differs between two runs."""

    sentences: int
    only_in_a: int = 0
    only_in_b: int = 0
    conflicts: int
    changed_conflicts: int
    changed_sentences: int
    by_kind: dict[str, dict[str, int]]
    gained: dict[str, int]
    lost: dict[str, int]
    fallbacks: tuple[int, int] = (0, 0)
    judging_seconds: tuple[float, float] = (0.0, 0.0)
    changes: tuple[ChangeMessage, ...] = ()
    score: dict[str, object] | None = None
