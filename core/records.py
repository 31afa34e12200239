"""What flows through medner, as frozen records.

Offsets are 0-based, end-exclusive Unicode code points everywhere. In a :class:`Sentence`'s annotation they count
from the start of the sentence; in a :class:`Document` from the start of the original document text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of text: ``text[start:end]``, never empty."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span needs 0 <= start < end, got [{self.start}, {self.end})")

    def __len__(self) -> int:
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """Whether the two share a character."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Span) -> bool:
        """Whether ``other`` lies inside this span (equal spans contain one another)."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A labelled span. ``label`` is a type's code in the label set in use (``dis``, ``sym`` ...)."""

    start: int
    end: int
    label: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"an entity needs 0 <= start < end, got [{self.start}, {self.end})")
        if not self.label:
            raise ValueError("an entity needs a label")

    @property
    def span(self) -> Span:
        """The entity's place, without its label."""
        return Span(self.start, self.end)

    def text_in(self, source: str) -> str:
        """The entity's text, taken from ``source``; ValueError when the span does not lie inside it."""
        if self.end > len(source):
            raise ValueError(f"[{self.start}, {self.end}) lies outside a text of {len(source)} characters")
        return source[self.start : self.end]

    def shifted(self, offset: int) -> Entity:
        """The same entity, ``offset`` code points further on."""
        return Entity(self.start + offset, self.end + offset, self.label)


@dataclass(frozen=True, slots=True)
class Document:
    """A text with an id and, where known, its entities (gold or predicted), in order and without repeats."""

    id: str
    text: str
    entities: tuple[Entity, ...] = ()

    def __post_init__(self) -> None:
        for entity in self.entities:
            if entity.end > len(self.text):
                raise ValueError(
                    f"document {self.id!r}: [{entity.start}, {entity.end}) lies outside its {len(self.text)} characters"
                )
        object.__setattr__(self, "entities", in_order(self.entities))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A piece of a document: ``document.text[offset:offset + len(text)] == text``."""

    id: str
    text: str
    offset: int = 0
    document_id: str = ""


class Rejection(StrEnum):
    """Why a piece of a model's answer did not become an entity."""

    NOT_IN_TEXT = "not_in_text"
    UNFAITHFUL_COPY = "unfaithful_copy"
    UNKNOWN_LABEL = "unknown_label"
    MALFORMED = "malformed"
    UNBALANCED = "unbalanced"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    TRUNCATED = "truncated"
    ONLY_EDGES = "only_edges"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A refused piece of an answer, with the reason. ``raw`` is the piece as the model wrote it."""

    reason: Rejection
    raw: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a codec read out of an answer.

    ``offsets_exact`` and ``offsets_repaired`` count the entities of an offset-bearing strategy whose stated
    offsets were right, and those whose offsets were found by searching the text; both stay 0 for strategies that
    state no offsets.
    """

    entities: tuple[Entity, ...]
    rejected: tuple[Rejected, ...] = ()
    offsets_exact: int = 0
    offsets_repaired: int = 0


@dataclass(frozen=True, slots=True)
class DecodingCost:
    """What an answer cost: forward passes of the model it took part in, tokens, seconds of wall time."""

    passes: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    drafted_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TaggerOutput:
    """One tagger's answer on one sentence, whole: what it wrote, what was read, what was refused."""

    tagger: str
    answer: str
    decoded: Decoded
    cost: DecodingCost = DecodingCost()


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """An entity somebody proposed: by which taggers (sorted), and the filter's probability that it is right."""

    entity: Entity
    taggers: tuple[str, ...]
    score: float | None = None


class ConflictKind(StrEnum):
    """The paper's classes of disagreement (§3.2, §3.3)."""

    SAME_SPAN_OTHER_TYPE = "same_span_other_type"
    OVERLAP_SAME_TYPE = "overlap_same_type"
    OVERLAP_OTHER_TYPE = "overlap_other_type"
    NO_OVERLAP = "no_overlap"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A region where taggers disagree: a connected group of disputed candidates (§3.3, step 1).

    ``context`` are agreed entities inside or around the region; they are not in question.
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


class Decision(StrEnum):
    """Why an entity is in the result."""

    AGREED = "agreed"
    JUDGED = "judged"
    FALLBACK = "fallback"
    HUMAN = "human"


@dataclass(frozen=True, slots=True)
class AnnotatedEntity:
    """An entity of the result with its provenance."""

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

    Offsets count from the start of ``sentence.text``. ``timings`` are seconds of wall time a graph node.
    """

    sentence: Sentence
    entities: tuple[AnnotatedEntity, ...] = ()
    outputs: tuple[TaggerOutput, ...] = ()
    dropped: tuple[FilterDrop, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    failures: tuple[Failure, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)

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


def in_order(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """The entities without repeats: by start, longer first, then label, so that an outer entity precedes its inner."""
    return tuple(sorted(set(entities), key=lambda entity: (entity.start, -entity.end, entity.label)))
