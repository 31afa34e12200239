"""Everything known about a sentence and a document: the result, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from medner.core.records.answers import TaggerOutput
from medner.core.records.conflicts import Candidate, Conflict, Verdict
from medner.core.records.text import Document, Entity, Sentence, in_order


class Decision(StrEnum):
    """Why an entity is in the result."""

    AGREED = "agreed"
    JUDGED = "judged"
    FALLBACK = "fallback"
    HUMAN = "human"


@dataclass(frozen=True, slots=True)
class AnnotatedEntity:
    """An entity of the result with its provenance.

    ``score`` is the probability that it is right: the judge's where it gave one, else the filter's.
    """

    entity: Entity
    decision: Decision
    taggers: tuple[str, ...] = ()
    score: float | None = None
    conflict_id: str | None = None


@dataclass(frozen=True, slots=True)
class FilterDrop:
    """A candidate the filter threw out, with its score and the threshold it missed."""

    candidate: Candidate
    filter: str
    threshold: float


#: The kind of the failure of a whole sentence: it has no result, whatever single taggers answered.
TOO_FEW_TAGGERS = "too_few_taggers"


@dataclass(frozen=True, slots=True)
class Failure:
    """An agent that could not do its part of a sentence. ``raw`` is a model's answer, where there was one.

    ``kind`` is the error's class, or :data:`TOO_FEW_TAGGERS`.
    """

    stage: str
    agent: str
    kind: str
    message: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """Everything known about one sentence: the result, and how it came about.

    Offsets count from the start of ``sentence.text``. ``timings`` are seconds of wall time a graph node. ``left_out``
    counts, by kind of conflict, the entities that were not questioned because there were too many.
    """

    sentence: Sentence
    entities: tuple[AnnotatedEntity, ...] = ()
    outputs: tuple[TaggerOutput, ...] = ()
    dropped: tuple[FilterDrop, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    failures: tuple[Failure, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether enough taggers answered; without that the sentence has no result, which is not an empty one."""
        return bool(self.outputs) and all(failure.kind != TOO_FEW_TAGGERS for failure in self.failures)


@dataclass(frozen=True, slots=True)
class AnnotatedDocument:
    """A document with the annotations of its sentences, in order."""

    document: Document
    annotations: tuple[Annotation, ...]

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The result in offsets of the whole document, in order."""
        return in_order(
            annotated.entity.shifted(annotation.sentence.offset)
            for annotation in self.annotations
            for annotated in annotation.entities
        )
