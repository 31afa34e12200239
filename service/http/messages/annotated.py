"""Annotations as they go out: entities with why they are there, conflicts with everybody's claim and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Conflict,
    Decision,
    Entity,
    Failure,
    Verdict,
)
from medner.service.http.messages.strict import Strict


class FoundEntity(Strict):
    """An entity with why it is there. ``conflict`` and ``sentence`` lead to the dispute that it comes from."""

    start: int
    end: int
    label: str
    text: str
    score: float | None
    decision: Decision
    taggers: tuple[str, ...]
    sentence: str
    conflict: str | None


class PlainEntity(Strict):
    """A place with a type."""

    start: int
    end: int
    label: str
    text: str

    @classmethod
    def of(cls, entity: Entity, text: str, offset: int) -> Self:
        """An entity of a sentence, its offsets moved on by ``offset``."""
        return cls(start=entity.start + offset, end=entity.end + offset, label=entity.label, text=entity.text_in(text))


class CandidateAnswer(PlainEntity):
    """What taggers proposed in a conflict, with the filter's score. Its number is its place in the list, from 1."""

    taggers: tuple[str, ...]
    score: float | None


class OverruledAnswer(Strict):
    """A person's decision; ``judge_kept`` are the numbers of the candidates that the judge had kept."""

    by: str
    at: str
    why: str
    judge_kept: tuple[int, ...]


class TriedAnswer(Strict):
    """A judge that was asked before the one that decided, and why it could not."""

    judge: str
    version: str
    reason: str


class VerdictAnswer(Strict):
    """How a conflict was settled: the numbers of the candidates that stay, and what was added to them."""

    judge: str
    version: str
    mode: str
    kept: tuple[int, ...]
    added: tuple[PlainEntity, ...]
    scores: tuple[float, ...]
    seconds: float
    fallback: str | None
    fallback_reason: str
    abstained: bool
    tried: tuple[TriedAnswer, ...]
    overruled: OverruledAnswer | None

    @classmethod
    def of(cls, verdict: Verdict, conflict: Conflict, text: str, offset: int) -> Self:
        """The verdict about a conflict of a sentence."""
        person = verdict.overruled
        return cls(
            judge=verdict.judge,
            version=verdict.judge_version,
            mode=verdict.mode,
            kept=numbers_of(verdict.kept, conflict),
            added=tuple(PlainEntity.of(one, text, offset) for one in verdict.added),
            scores=verdict.scores,
            seconds=round(verdict.seconds, 4),
            fallback=None if verdict.fallback is None else verdict.fallback.value,
            fallback_reason=verdict.fallback_reason,
            abstained=verdict.abstained,
            tried=tuple(
                TriedAnswer(judge=one.judge, version=one.judge_version, reason=one.reason) for one in verdict.tried
            ),
            overruled=None
            if person is None
            else OverruledAnswer(
                by=person.by, at=person.at, why=person.why, judge_kept=numbers_of(person.kept, conflict)
            ),
        )


class ConflictAnswer(Strict):
    """A place where taggers disagree: who claims what, and how it was settled. ``id`` is the sentence's own."""

    id: str
    sentence: str
    start: int
    end: int
    text: str
    kind: str
    candidates: tuple[CandidateAnswer, ...]
    context: tuple[PlainEntity, ...]
    verdict: VerdictAnswer | None


class ExemplarAnswer(Strict):
    """A typical entity of a type that the judge was shown."""

    text: str
    label: str
    context: str


class FullConflictAnswer(ConflictAnswer):
    """A conflict with all that the judge saw and wrote."""

    exemplars: tuple[ExemplarAnswer, ...]
    prompt: str
    answer: str


class FailureAnswer(Strict):
    """An agent that could not do its part of a sentence."""

    sentence: str
    stage: str
    agent: str
    kind: str
    message: str

    @classmethod
    def of(cls, failure: Failure, sentence: str) -> Self:
        """A failure in a sentence."""
        return cls(
            sentence=sentence, stage=failure.stage, agent=failure.agent, kind=failure.kind, message=failure.message
        )


class DocumentAnswer(Strict):
    """A document with its entities, conflicts and failures; all offsets are of its text."""

    id: str
    text: str
    entities: tuple[FoundEntity, ...]
    conflicts: tuple[ConflictAnswer, ...]
    failures: tuple[FailureAnswer, ...]

    @classmethod
    def of(cls, document: AnnotatedDocument) -> Self:
        """The document of a result."""
        annotations = document.annotations
        found = {(one.start, one.end, one.label): one for each in annotations for one in entities_of(each)}
        return cls(
            id=document.document.id,
            text=document.document.text,
            entities=tuple(found[place] for place in sorted(found, key=lambda at: (at[0], -at[1], at[2]))),
            conflicts=tuple(one for each in annotations for one in conflicts_of(each)),
            failures=tuple(FailureAnswer.of(one, each.sentence.id) for each in annotations for one in each.failures),
        )


def entities_of(annotation: Annotation, *, offset: int | None = None) -> Iterator[FoundEntity]:
    """The entities of a sentence; ``offset`` None: in offsets of its document."""
    by = annotation.sentence.offset if offset is None else offset
    for one in annotation.entities:
        yield _found(one, annotation, by)


def _found(one: AnnotatedEntity, annotation: Annotation, offset: int) -> FoundEntity:
    entity = one.entity
    return FoundEntity(
        start=entity.start + offset,
        end=entity.end + offset,
        label=entity.label,
        text=entity.text_in(annotation.sentence.text),
        score=one.score,
        decision=one.decision,
        taggers=one.taggers,
        sentence=annotation.sentence.id,
        conflict=one.conflict_id,
    )


def conflicts_of(annotation: Annotation, *, offset: int | None = None) -> Iterator[ConflictAnswer]:
    """The conflicts of a sentence; ``offset`` None: in offsets of its document."""
    by = annotation.sentence.offset if offset is None else offset
    for conflict in annotation.conflicts:
        yield ConflictAnswer(**_conflict(conflict, annotation, by))


def full_conflict(annotation: Annotation, conflict: Conflict) -> FullConflictAnswer:
    """A conflict with all that its judge saw and wrote, in offsets of the sentence."""
    verdict = verdict_of(annotation, conflict)
    shown = () if verdict is None else verdict.exemplars
    return FullConflictAnswer(
        **_conflict(conflict, annotation, 0),
        exemplars=tuple(ExemplarAnswer(text=one.text, label=one.label, context=one.context) for one in shown),
        prompt="" if verdict is None else verdict.prompt,
        answer="" if verdict is None else verdict.answer,
    )


def _conflict(conflict: Conflict, annotation: Annotation, offset: int) -> dict[str, object]:
    text, region, verdict = annotation.sentence.text, conflict.region, verdict_of(annotation, conflict)
    return {
        "id": conflict.id,
        "sentence": annotation.sentence.id,
        "start": region.start + offset,
        "end": region.end + offset,
        "text": text[region.start : region.end],
        "kind": conflict.kind.value,
        "candidates": tuple(
            CandidateAnswer(
                **PlainEntity.of(one.entity, text, offset).model_dump(), taggers=one.taggers, score=one.score
            )
            for one in conflict.candidates
        ),
        "context": tuple(PlainEntity.of(one, text, offset) for one in conflict.context),
        "verdict": None if verdict is None else VerdictAnswer.of(verdict, conflict, text, offset),
    }


def verdict_of(annotation: Annotation, conflict: Conflict) -> Verdict | None:
    """The verdict about a conflict, None where there is none."""
    return next((one for one in annotation.verdicts if one.conflict_id == conflict.id), None)


def numbers_of(entities: tuple[Entity, ...], conflict: Conflict) -> tuple[int, ...]:
    """The numbers, from 1, of the candidates that are among the entities."""
    return tuple(number for number, one in enumerate(conflict.candidates, 1) if one.entity in entities)
