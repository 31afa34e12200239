"""Where taggers disagree, and how a judge settled it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from medner.core.records.text import Entity, Span


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """An entity in question: which taggers proposed it (sorted), and the filter's probability that it is right.

    ``taggers`` is empty for an entity that no tagger proposed, but that their scores make likely enough to ask about.
    """

    entity: Entity
    taggers: tuple[str, ...]
    score: float | None = None


class ConflictKind(StrEnum):
    """The paper's classes of disagreement (§3.2, §3.3), and two that no votes show.

    ``DOUBTFUL``: all taggers gave the entities, with a low probability. ``MAYBE``: no tagger gave them, but their
    probability is not low enough to pass them over.
    """

    SAME_SPAN_OTHER_TYPE = "same_span_other_type"
    OVERLAP_SAME_TYPE = "overlap_same_type"
    OVERLAP_OTHER_TYPE = "overlap_other_type"
    NO_OVERLAP = "no_overlap"
    DOUBTFUL = "doubtful"
    MAYBE = "maybe"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A region where taggers disagree: a connected group of disputed candidates (§3.3, step 1).

    Where the configuration asks, doubtful and likely entities are disputed too. ``context`` are agreed entities inside
    or around the region; they are not in question.
    """

    id: str
    region: Span
    kind: ConflictKind
    candidates: tuple[Candidate, ...]
    context: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A typical entity of a type, in its context, shown to the judge (§3.3, step 3)."""

    text: str
    label: str
    context: str = ""
    distance: float | None = None


class Fallback(StrEnum):
    """Which stated rule decided when the judge could not."""

    MAJORITY = "majority"
    FILTER_SCORE = "filter_score"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A judge of a chain that was asked before the one that decided, and why it could not. ``answer`` is raw."""

    judge: str
    judge_version: str
    reason: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Overruled:
    """A person's decision over a judge's: who, when (ISO 8601), why, and what the judge had kept and added."""

    by: str
    at: str
    why: str
    kept: tuple[Entity, ...]
    added: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a conflict was settled: what was kept, dropped and added, by which judge, from which prompt and answer.

    ``answer`` is raw, with whatever a model thought aloud. ``scores`` are the candidates' probabilities, in their
    order, where the judge gives any. ``tried`` are the judges of a chain that could not decide before this one.
    ``abstained``: the judge leaves the conflict to a person, and what stands until then is the fallback rule's.
    """

    conflict_id: str
    kept: tuple[Entity, ...]
    dropped: tuple[Entity, ...]
    judge: str
    judge_version: str
    mode: str
    added: tuple[Entity, ...] = ()
    prompt: str = ""
    answer: str = ""
    seconds: float = 0.0
    exemplars: tuple[Exemplar, ...] = ()
    fallback: Fallback | None = None
    fallback_reason: str = ""
    scores: tuple[float, ...] = ()
    tried: tuple[Attempt, ...] = ()
    abstained: bool = False
    overruled: Overruled | None = None
