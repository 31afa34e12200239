"""A person's decision over a judge's: it wins in the result, stays in the trace, and teaches the next judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from langsmith import tracing_context

from medner.agents.judges.judge import HardVote
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Annotation, Conflict, Entity, Overruled, Verdict, in_order
from medner.graph import Deps
from medner.graph.tracing import Tracer
from medner.service.traces.forking import UnaskedTagger
from medner.store.traces import RunRecord, Trace, TraceBackend, TracePolicy
from medner.store.traces.records import now

_Change = Callable[[Verdict], Verdict]


class NotOverruledError(UserError):
    """There is no person's decision to take back."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person decides about one conflict: the numbers of the candidates that stay, and who says so, and why.

    ``add`` are entities that no tagger proposed, in offsets of the sentence.
    """

    conflict_id: str
    keep: tuple[int, ...]
    by: str
    why: str
    add: tuple[Entity, ...] = ()

    def __post_init__(self) -> None:
        if not self.by.strip() or not self.why.strip():
            raise UserError("an overruling needs who decides (--by) and why (--why)")


async def overrule(backend: TraceBackend, run: RunRecord, trace: Trace, ruling: Ruling) -> Annotation:
    """The sentence with the person's decision in place of the judge's; written to its trace as further checkpoints.

    UserError when there is no such conflict or candidate, or when a flat label set forbids what is to stay.
    """
    conflict = conflict_named(trace, ruling.conflict_id)
    kept = _chosen(conflict, ruling.keep)
    kept, added = _with_added(trace, run.labels.label_set(), conflict, kept, ruling.add)
    _check_apart(run, conflict, (*kept, *added))
    return await _amended(
        backend, run, trace, conflict, lambda verdict: _ruled(verdict, conflict, (kept, added), ruling)
    )


async def take_back(backend: TraceBackend, run: RunRecord, trace: Trace, conflict_id: str) -> Annotation:
    """The sentence with the judge's verdict in force again; what the person decided stays in the trace's history.

    NotOverruledError where nobody overruled it, UserError when there is no such conflict.
    """
    conflict = conflict_named(trace, conflict_id)
    if all(one.overruled is None for one in trace.annotation.verdicts if one.conflict_id == conflict.id):
        raise NotOverruledError(f"trace {trace.id}: nobody overruled conflict {conflict.id}")
    return await _amended(backend, run, trace, conflict, lambda verdict: _judged(verdict, conflict))


def conflict_named(trace: Trace, conflict_id: str) -> Conflict:
    """A conflict of a trace. UserError when there is none of this id."""
    conflicts = trace.annotation.conflicts
    found = next((one for one in conflicts if one.id == conflict_id), None)
    if found is None:
        known = ", ".join(one.id for one in conflicts) or "none"
        raise UserError(f"trace {trace.id}: there is no conflict {conflict_id!r}; there are {known}")
    return found


async def _amended(
    backend: TraceBackend, run: RunRecord, trace: Trace, conflict: Conflict, change: _Change
) -> Annotation:
    before = trace.annotation
    verdicts = [change(one) if one.conflict_id == conflict.id else one for one in before.verdicts]
    written: list[Trace] = []
    tracer = Tracer(run.run, TracePolicy.ALL, written.append)
    deps = Deps(run.labels.label_set(), tuple(UnaskedTagger(one.tagger) for one in before.outputs), HardVote())
    with tracing_context(enabled=False):
        annotation = await tracer.amend(trace, deps, {"verdicts": verdicts})
    backend.write(written)
    return annotation


def _chosen(conflict: Conflict, numbers: Sequence[int]) -> tuple[Entity, ...]:
    most = len(conflict.candidates)
    wrong = [number for number in numbers if not 1 <= number <= most]
    if wrong:
        raise UserError(f"conflict {conflict.id} has candidates 1 to {most}; there is no {wrong[0]}")
    return tuple(one.entity for number, one in enumerate(conflict.candidates, 1) if number in numbers)


def _with_added(
    trace: Trace, labels: LabelSet, conflict: Conflict, kept: tuple[Entity, ...], add: Sequence[Entity]
) -> tuple[tuple[Entity, ...], tuple[Entity, ...]]:
    """What stays and what is added; a candidate that is added stays. UserError for what no sentence can hold."""
    text = trace.annotation.sentence.text
    for one in add:
        if one.end > len(text):
            raise UserError(f"[{one.start}, {one.end}) lies outside the sentence, which has {len(text)} characters")
        if one.label not in labels:
            raise UserError(f"label set {labels.name} has no type {one.label!r}; there are {', '.join(labels.codes)}")
    candidates = [one.entity for one in conflict.candidates]
    stays = tuple(one for one in candidates if one in kept or one in add)
    agreed = {one.entity for one in trace.annotation.entities if one.conflict_id is None}
    return stays, in_order(one for one in add if one not in candidates and one not in agreed)


def _check_apart(run: RunRecord, conflict: Conflict, kept: Sequence[Entity]) -> None:
    if run.labels.nested:
        return
    for place, entity in enumerate(kept):
        if any(entity.span.overlaps(other.span) for other in (*kept[:place], *conflict.context)):
            raise UserError(f"label set {run.labels.name} is flat: entities that overlap cannot stay side by side")


def _ruled(
    verdict: Verdict, conflict: Conflict, decided: tuple[tuple[Entity, ...], tuple[Entity, ...]], ruling: Ruling
) -> Verdict:
    # The first decision is the judge's, however often people change their minds.
    first = verdict.overruled
    judged = (verdict.kept, verdict.added) if first is None else (first.kept, first.added)
    kept, added = decided
    return replace(
        verdict,
        kept=kept,
        dropped=_others(conflict, kept),
        added=added,
        overruled=Overruled(ruling.by.strip(), now().isoformat(), ruling.why.strip(), *judged),
    )


def _judged(verdict: Verdict, conflict: Conflict) -> Verdict:
    person = verdict.overruled
    if person is None:
        return verdict
    return replace(
        verdict, kept=person.kept, dropped=_others(conflict, person.kept), added=person.added, overruled=None
    )


def _others(conflict: Conflict, kept: Sequence[Entity]) -> tuple[Entity, ...]:
    return tuple(one.entity for one in conflict.candidates if one.entity not in kept)
