"""A person's decision over a judge's: it wins in the result, stays in the trace, and teaches the next judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from langsmith import tracing_context

from medner.agents.judges.judge import HardVote
from medner.core.errors import UserError
from medner.core.records import Annotation, Conflict, Entity, Overruled, Verdict
from medner.graph import Deps
from medner.graph.tracing import Tracer
from medner.service.traces.forking import UnaskedTagger
from medner.store.traces import RunRecord, Trace, TraceBackend, TracePolicy
from medner.store.traces.records import now


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person decides about one conflict: the numbers of the candidates that stay, and who says so, and why."""

    conflict_id: str
    keep: tuple[int, ...]
    by: str
    why: str

    def __post_init__(self) -> None:
        if not self.by.strip() or not self.why.strip():
            raise UserError("an overruling needs who decides (--by) and why (--why)")


async def overrule(backend: TraceBackend, run: RunRecord, trace: Trace, ruling: Ruling) -> Annotation:
    """The sentence with the person's decision in place of the judge's; written to its trace as further checkpoints.

    UserError when there is no such conflict or candidate, or when a flat label set forbids what is to stay.
    """
    before = trace.annotation
    conflict = next((one for one in before.conflicts if one.id == ruling.conflict_id), None)
    if conflict is None:
        known = ", ".join(one.id for one in before.conflicts) or "none"
        raise UserError(f"trace {trace.id}: there is no conflict {ruling.conflict_id!r}; there are {known}")
    kept = _chosen(conflict, ruling.keep)
    _check_apart(run, conflict, kept)
    verdicts = [
        _ruled(one, conflict, kept, ruling) if one.conflict_id == conflict.id else one for one in before.verdicts
    ]
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


def _check_apart(run: RunRecord, conflict: Conflict, kept: Sequence[Entity]) -> None:
    if run.labels.nested:
        return
    for place, entity in enumerate(kept):
        if any(entity.span.overlaps(other.span) for other in (*kept[:place], *conflict.context)):
            raise UserError(f"label set {run.labels.name} is flat: entities that overlap cannot stay side by side")


def _ruled(verdict: Verdict, conflict: Conflict, kept: tuple[Entity, ...], ruling: Ruling) -> Verdict:
    # The first decision is the judge's, however often people change their minds.
    first = verdict.overruled
    judged = (verdict.kept, verdict.added) if first is None else (first.kept, first.added)
    entities = [one.entity for one in conflict.candidates]
    return replace(
        verdict,
        kept=kept,
        dropped=tuple(one for one in entities if one not in kept),
        added=(),
        overruled=Overruled(ruling.by.strip(), now().isoformat(), ruling.why.strip(), *judged),
    )
