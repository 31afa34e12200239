"""Traces as they came over HTTP, as the records that they are on the server.

A server does not tell a filter's threshold, a fork's scores of exemplars, or how often a model was called; these are
empty here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from medner.core.errors import ExternalError
from medner.core.records import (
    AnnotatedEntity,
    Annotation,
    Candidate,
    Conflict,
    Entity,
    Failure,
    Sentence,
    Span,
    TaggerOutput,
    Verdict,
)
from medner.core.records.annotations import FilterDrop
from medner.core.records.answers import Decoded, DecodingCost, Rejected
from medner.core.records.conflicts import Attempt, Exemplar, Overruled
from medner.service.client.trace_messages import (
    CandidateMessage,
    ConflictMessage,
    PathMessage,
    PlaceMessage,
    TaggerMessage,
    VerdictMessage,
)


def annotation_of(path: PathMessage) -> Annotation:
    """All that the path of a sentence tells of it. ExternalError where that cannot be."""
    try:
        return _annotation(path)
    except ValueError as error:  # a place without characters
        raise ExternalError(f"the answer cannot be read: {error}; it is no trace of a sentence") from error


def _annotation(path: PathMessage) -> Annotation:
    conflicts = tuple(map(conflict_of, path.conflicts))
    return Annotation(
        sentence=Sentence(path.sentence, path.text, path.offset, path.document),
        entities=tuple(
            AnnotatedEntity(_entity(one), one.decision, one.taggers, one.score, one.conflict) for one in path.entities
        ),
        outputs=tuple(map(_output, path.answers)),
        dropped=tuple(FilterDrop(_candidate(one), "the filter", math.nan) for one in path.candidates if one.dropped),
        conflicts=conflicts,
        verdicts=tuple(_verdicts(path.conflicts, conflicts)),
        failures=tuple(Failure(one.stage, one.agent, one.kind, one.message) for one in path.failures),
        timings={one.node: one.milliseconds / 1_000 for one in path.steps if one.milliseconds is not None},
    )


def conflict_of(message: ConflictMessage) -> Conflict:
    """The conflict of a message."""
    return Conflict(
        message.id,
        Span(message.start, message.end),
        message.kind,
        tuple(map(_candidate, message.candidates)),
        entities_of(message.context),
    )


def entities_of(places: Iterable[PlaceMessage]) -> tuple[Entity, ...]:
    """Places with their types as entities."""
    return tuple(map(_entity, places))


def verdict_of(message: VerdictMessage, conflict: Conflict, asked: ConflictMessage | None = None) -> Verdict:
    """The verdict about a conflict; ``asked`` tells what its judge saw and wrote."""
    kept = chosen(message.kept, conflict)
    person = message.overruled
    return Verdict(
        conflict_id=conflict.id,
        kept=kept,
        dropped=tuple(one.entity for one in conflict.candidates if one.entity not in kept),
        judge=message.judge,
        judge_version=message.version,
        mode=message.mode,
        added=entities_of(message.added),
        prompt="" if asked is None else asked.prompt,
        answer="" if asked is None else asked.answer,
        seconds=message.seconds,
        exemplars=() if asked is None else tuple(Exemplar(one.text, one.label, one.context) for one in asked.exemplars),
        fallback=message.fallback,
        fallback_reason=message.fallback_reason,
        scores=message.scores,
        tried=tuple(Attempt(one.judge, one.version, one.reason) for one in message.tried),
        abstained=message.abstained,
        overruled=None
        if person is None
        else Overruled(person.by, person.at, person.why, chosen(person.judge_kept, conflict)),
    )


def chosen(numbers: Sequence[int], conflict: Conflict) -> tuple[Entity, ...]:
    """The candidates with these numbers, from 1."""
    return tuple(one.entity for number, one in enumerate(conflict.candidates, 1) if number in numbers)


def _verdicts(messages: Sequence[ConflictMessage], conflicts: Sequence[Conflict]) -> Iterator[Verdict]:
    for message, conflict in zip(messages, conflicts, strict=True):
        if message.verdict is not None:
            yield verdict_of(message.verdict, conflict, message)


def _output(message: TaggerMessage) -> TaggerOutput:
    rejected = tuple(Rejected(one.reason, one.raw, one.detail) for one in message.rejected)
    cost = DecodingCost(answer_tokens=message.tokens, seconds=message.seconds)
    return TaggerOutput(message.tagger, message.raw, Decoded(entities_of(message.entities), rejected), cost)


def _candidate(message: CandidateMessage) -> Candidate:
    return Candidate(_entity(message), message.taggers, message.score)


def _entity(message: PlaceMessage) -> Entity:
    return Entity(message.start, message.end, message.label)
