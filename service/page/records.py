"""What the page of annotations knows about its documents: marks, sentences and conflicts, numbered for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from medner.core.characters import is_blank, without_blank_edges
from medner.core.records import (
    AnnotatedDocument,
    Annotation,
    Candidate,
    Conflict,
    ConflictKind,
    Decision,
    Entity,
    Rejection,
    Verdict,
)
from medner.service.page.layout import MarkedStretch, assign_tracks, cut_segments

KEPT_STATES = ("agreed", "judged", "fallback", "human")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """An entity as the page shows it; offsets count from the start of the sentence.

    ``state`` is a decision's value, or ``dropped`` (by a judge) or ``filtered``. ``sole`` marks are dropped
    candidates of a conflict of which nothing was kept: they are always shown, or the conflict would have no place.
    """

    number: int
    entity: Entity
    state: str
    taggers: tuple[str, ...] = ()
    score: float | None = None
    conflict: int | None = None
    filter: str | None = None
    threshold: float | None = None
    sole: bool = False
    track: int = 0

    @property
    def kept(self) -> bool:
        """Whether the entity is in the result."""
        return self.state in KEPT_STATES

    @property
    def shown(self) -> bool:
        """Whether the mark is drawn before the reader asks for dropped candidates."""
        return self.kept or self.sole


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence with its marks, or the text between two sentences (``annotation`` None)."""

    start: int
    text: str
    segments: tuple[MarkedStretch, ...]
    marks: tuple[Mark, ...] = ()
    annotation: Annotation | None = None
    number: int | None = None

    @property
    def depth(self) -> int:
        """Tracks under the text while dropped candidates are hidden."""
        return max((mark.track + 1 for mark in self.marks if mark.shown), default=0)

    @property
    def full_depth(self) -> int:
        """Tracks under the text with all marks shown."""
        return max((mark.track + 1 for mark in self.marks), default=0)

    @property
    def flag(self) -> str | None:
        """What is wrong with the passage, worst first: ``unanswered``, ``failed``, ``truncated``, ``missing``."""
        if self.annotation is None:
            return None if is_blank(self.text) else "missing"
        if not self.annotation.complete:
            return "unanswered"
        if self.annotation.failures:
            return "failed"
        truncated = any(
            rejected.reason is Rejection.TRUNCATED
            for output in self.annotation.outputs
            for rejected in output.decoded.rejected
        )
        return "truncated" if truncated else None


@dataclass(slots=True)
class Numbering:
    """Collects what the page's details are made of; a thing's number is its place in its list."""

    marks: list[Json] = field(default_factory=list)
    sentences: list[Json] = field(default_factory=list)
    conflicts: list[Json] = field(default_factory=list)

    def passages(self, index: int, annotated: AnnotatedDocument) -> tuple[Passage, ...]:
        """The document's whole text in passages; ValueError when a sentence is not where it says it is."""
        text, at = annotated.document.text, 0
        passages: list[Passage] = []
        for annotation in sorted(annotated.annotations, key=lambda one: one.sentence.offset):
            sentence = annotation.sentence
            end = sentence.offset + len(sentence.text)
            if sentence.offset < at or text[sentence.offset : end] != sentence.text:
                raise ValueError(f"document {annotated.document.id!r}: sentence {sentence.id!r} is not at its offset")
            if at < sentence.offset:
                passages += _between(text, at, sentence.offset)
            if sentence.text:
                passages.append(self._sentence(index, annotation))
            at = end
        if at < len(text):
            passages += _between(text, at, len(text))
        return tuple(passages)

    def _sentence(self, document: int, annotation: Annotation) -> Passage:
        sentence, number = annotation.sentence, len(self.sentences)
        self.sentences.append({"document": document, "offset": sentence.offset, **_sentence_json(annotation)})
        verdicts = {verdict.conflict_id: verdict for verdict in annotation.verdicts}
        conflicts = {}
        for conflict in annotation.conflicts:
            conflicts[conflict.id] = len(self.conflicts)
            verdict = verdicts.get(conflict.id)
            self.conflicts.append({"sentence": number, **_conflict_json(conflict, verdict, sentence.text)})
        marks = _with_tracks(_marks_of(annotation, conflicts, first=len(self.marks)))
        for mark in marks:
            self.marks.append({"sentence": number, **_mark_json(mark, sentence.text)})
        segments = cut_segments(sentence.text, [mark.entity.span for mark in marks])
        return Passage(sentence.offset, sentence.text, segments, marks, annotation, number)


def _between(text: str, start: int, end: int) -> list[Passage]:
    # What is blank at the edges stands apart, so that only words can be said to be missing.
    first, last = without_blank_edges(text, start, end)
    edges = [one for one in ((start, first), (first, last), (last, end)) if one[0] < one[1]]
    return [Passage(left, text[left:right], (MarkedStretch(0, right - left, ()),)) for left, right in edges]


def _marks_of(annotation: Annotation, conflicts: Mapping[str, int], *, first: int) -> list[Mark]:
    found: dict[Entity, dict[str, Any]] = {}
    everyone = {output.tagger for output in annotation.outputs}
    doubtful = {one.id for one in annotation.conflicts if one.kind is ConflictKind.DOUBTFUL}
    for one in annotation.entities:
        conflict = None if one.conflict_id is None else conflicts.get(one.conflict_id)
        # What all taggers gave and the judge kept is drawn as agreed; its conflict is a click away.
        confirmed = one.decision is Decision.JUDGED and one.conflict_id in doubtful and everyone <= set(one.taggers)
        found[one.entity] = {
            "state": Decision.AGREED.value if confirmed else one.decision.value,
            "taggers": one.taggers,
            "score": one.score,
            "conflict": conflict,
        }
    for disputed in annotation.conflicts:
        number = conflicts[disputed.id]
        sole = not any(facts["conflict"] == number for facts in found.values())
        for candidate in disputed.candidates:
            facts = {"state": "dropped", "taggers": candidate.taggers, "score": candidate.score, "conflict": number}
            found.setdefault(candidate.entity, {**facts, "sole": sole})
    for drop in annotation.dropped:
        candidate = drop.candidate
        facts = {"state": "filtered", "taggers": candidate.taggers, "score": candidate.score}
        found.setdefault(candidate.entity, {**facts, "filter": drop.filter, "threshold": drop.threshold})
    entities = sorted(found, key=lambda entity: (entity.start, -entity.end, entity.label))
    return [Mark(first + place, entity, **found[entity]) for place, entity in enumerate(entities)]


def _with_tracks(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    tracks = assign_tracks([mark.entity.span for mark in marks], [not mark.shown for mark in marks])
    return tuple(replace(mark, track=track) for mark, track in zip(marks, tracks, strict=True))


def _entity_json(entity: Entity, text: str) -> Json:
    return {"start": entity.start, "end": entity.end, "label": entity.label, "text": entity.text_in(text)}


def _mark_json(mark: Mark, text: str) -> Json:
    names = ("state", "taggers", "score", "conflict", "filter", "threshold", "sole")
    return _entity_json(mark.entity, text) | {name: getattr(mark, name) for name in names}


def _sentence_json(annotation: Annotation) -> Json:
    failed = {failure.agent: failure for failure in annotation.failures}
    outputs = [
        {
            "tagger": output.tagger,
            "answer": output.answer,
            "rejected": [
                {"reason": one.reason.value, "raw": one.raw, "detail": one.detail} for one in output.decoded.rejected
            ],
        }
        for output in annotation.outputs
    ]
    answered = {output.tagger for output in annotation.outputs}
    named = {tagger for conflict in annotation.conflicts for one in conflict.candidates for tagger in one.taggers}
    failures = [
        {"stage": one.stage, "agent": one.agent, "kind": one.kind, "message": one.message, "raw": one.raw}
        for one in annotation.failures
    ]
    tagging = {name for name, failure in failed.items() if failure.stage == "tag"} - answered
    return {
        "id": annotation.sentence.id,
        "outputs": outputs,
        "failures": failures,
        "taggers": sorted(answered | named | tagging),
        "silent": sorted(tagging),
        "left_out": dict(annotation.left_out),
    }


def _conflict_json(conflict: Conflict, verdict: Verdict | None, text: str) -> Json:
    def rows(entities: Sequence[Entity]) -> list[Json]:
        return [_entity_json(entity, text) for entity in entities]

    def candidate_json(candidate: Candidate) -> Json:
        return _entity_json(candidate.entity, text) | {"taggers": candidate.taggers, "score": candidate.score}

    settled: Json | None = None
    if verdict is not None:
        names = ("judge", "judge_version", "mode", "prompt", "answer", "seconds", "fallback", "fallback_reason")
        settled = {name: getattr(verdict, name) for name in names}
        settled |= {"kept": rows(verdict.kept), "dropped": rows(verdict.dropped), "added": rows(verdict.added)}
        said = verdict.overruled
        settled["overruled"] = None if said is None else {name: getattr(said, name) for name in ("by", "at", "why")}
        settled["abstained"] = verdict.abstained
        settled["tried"] = [[one.judge, one.judge_version, one.reason] for one in verdict.tried]
        settled["exemplars"] = [[one.label, one.text, one.context] for one in verdict.exemplars]
    return {
        "kind": conflict.kind.value,
        "start": conflict.region.start,
        "end": conflict.region.end,
        "candidates": [candidate_json(candidate) for candidate in conflict.candidates],
        "context": rows(conflict.context),
        "verdict": settled,
    }
