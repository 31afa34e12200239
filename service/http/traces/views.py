"""A trace as it goes out: the path through the graph, and at every step who said what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from medner.core.records import Annotation, Candidate
from medner.service.http.messages.annotated import (
    FailureAnswer,
    PlainEntity,
    entities_of,
    full_conflict,
)
from medner.service.http.messages.trace_answers import (
    CheckpointAnswer,
    PathAnswer,
    RejectedAnswer,
    ScoredCandidate,
    StepAnswer,
    TaggerAnswer,
)
from medner.store.traces import RunRecord, Trace

#: The node that comes after each, by which the state after it is found.
_NEXT = {"filter": "detect_conflicts", "detect_conflicts": "judge", "judge": "merge"}


def path_of(run: RunRecord, trace: Trace, forks: Sequence[str]) -> PathAnswer:
    """The whole path of a sentence."""
    annotation = trace.annotation
    sentence = annotation.sentence
    return PathAnswer(
        run=run.run,
        sentence=trace.sentence_id,
        document=sentence.document_id,
        text=sentence.text,
        offset=sentence.offset,
        judge=run.judge,
        steps=tuple(_steps(trace, annotation)),
        checkpoints=tuple(
            CheckpointAnswer(id=one.id, parent=one.parent, next=one.next_node, channels=tuple(sorted(one.values)))
            for one in trace.snapshots
        ),
        answers=tuple(_answers(annotation)),
        candidates=tuple(_candidates(annotation)),
        conflicts=tuple(full_conflict(annotation, one) for one in annotation.conflicts),
        entities=tuple(entities_of(annotation, offset=0)),
        failures=tuple(FailureAnswer.of(one, sentence.id) for one in annotation.failures),
        origin=run.parent,
        forks=tuple(forks),
    )


def _steps(trace: Trace, annotation: Annotation) -> Iterator[StepAnswer]:
    kept = {one.next_node: _moment(one.checkpoint.get("ts")) for one in reversed(trace.snapshots)}
    end = _moment(trace.snapshots[-1].checkpoint.get("ts"))
    taggers = {output.tagger: len(output.decoded.entities) for output in annotation.outputs}
    failed = [one.agent for one in annotation.failures if one.stage == "tag" and one.agent not in taggers]
    for name in (*taggers, *failed):
        yield _step(annotation, f"tag:{name}", kept.get("filter"), {"entities": taggers.get(name, 0)})
    scored = sum(one.score is not None for one in _candidates(annotation))
    yield _step(annotation, "filter", kept.get(_NEXT["filter"]), {"scores": scored, "dropped": len(annotation.dropped)})
    agreed = sum(one.conflict_id is None for one in annotation.entities)
    found = {"agreed": agreed, "conflicts": len(annotation.conflicts)}
    yield _step(annotation, "detect_conflicts", kept.get(_NEXT["detect_conflicts"]), found)
    if annotation.conflicts:
        yield _step(annotation, "judge", kept.get(_NEXT["judge"]), {"verdicts": len(annotation.verdicts)})
    yield _step(annotation, "merge", end, {"entities": len(annotation.entities)})


def _step(annotation: Annotation, node: str, at: datetime | None, writes: dict[str, int]) -> StepAnswer:
    seconds = annotation.timings.get(node)
    return StepAnswer(
        node=node, at=at, milliseconds=None if seconds is None else round(seconds * 1_000, 3), writes=writes
    )


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None


def _answers(annotation: Annotation) -> Iterator[TaggerAnswer]:
    text = annotation.sentence.text
    for one in annotation.outputs:
        yield TaggerAnswer(
            tagger=one.tagger,
            raw=one.answer,
            entities=tuple(PlainEntity.of(each, text, 0) for each in one.decoded.entities),
            rejected=tuple(
                RejectedAnswer(reason=each.reason.value, raw=each.raw, detail=each.detail)
                for each in one.decoded.rejected
            ),
            seconds=round(one.cost.seconds, 4),
            tokens=one.cost.answer_tokens,
        )


def _candidates(annotation: Annotation) -> Iterator[ScoredCandidate]:
    """Every candidate: the agreed ones, the disputed ones, the dropped ones."""
    text = annotation.sentence.text
    agreed = [Candidate(one.entity, one.taggers, one.score) for one in annotation.entities if one.conflict_id is None]
    disputed = [one for conflict in annotation.conflicts for one in conflict.candidates]
    dropped = [one.candidate for one in annotation.dropped]
    for one in sorted({*agreed, *disputed, *dropped}, key=lambda one: (one.entity.start, -one.entity.end)):
        yield ScoredCandidate(
            **PlainEntity.of(one.entity, text, 0).model_dump(),
            taggers=one.taggers,
            score=one.score,
            dropped=one in dropped,
        )
