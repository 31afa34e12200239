"""Where taggers disagree (§3.3, step 1): pure logic, no framework."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from medner.core.nesting import ANYWHERE, Nesting
from medner.core.records import Candidate, Conflict, ConflictKind, Entity, Span, TaggerOutput, in_order

#: From the closest disagreement to the loosest; a conflict is of the first kind that any of its pairs shows.
PRECEDENCE = (
    ConflictKind.SAME_SPAN_OTHER_TYPE,
    ConflictKind.OVERLAP_SAME_TYPE,
    ConflictKind.OVERLAP_OTHER_TYPE,
    ConflictKind.NO_OVERLAP,
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What all voters proposed alike, and the conflicts about the rest. Both in text order."""

    agreed: tuple[Candidate, ...]
    conflicts: tuple[Conflict, ...]


def gather_candidates(outputs: Sequence[TaggerOutput]) -> tuple[Candidate, ...]:
    """Every proposed entity once, with the sorted names of the taggers that proposed it, in text order."""
    taggers: dict[Entity, set[str]] = {}
    for output in outputs:
        for entity in output.decoded.entities:
            taggers.setdefault(entity, set()).add(output.tagger)
    return tuple(Candidate(entity, tuple(sorted(taggers[entity]))) for entity in in_order(taggers))


def detect_conflicts(candidates: Iterable[Candidate], voters: Iterable[str], nesting: Nesting = ANYWHERE) -> Agreement:
    """Splits candidates into agreed ones (proposed by every voter) and conflicts.

    A conflict is a connected component of disputed candidates by character overlap. Agreed entities that overlap its
    region are its context; they are not in question, but count for its kind. Entities that ``nesting`` forbids
    beside one another are disputed even when every voter proposed them: they cannot all be right. The order of voters
    and candidates never changes the result.
    """
    everyone = set(voters)
    ordered = sorted(candidates, key=_place)
    unanimous = [candidate for candidate in ordered if everyone <= set(candidate.taggers)]
    agreed = tuple(_apart(unanimous, nesting))
    certain = {candidate.entity for candidate in agreed}
    disputed = [candidate for candidate in ordered if candidate.entity not in certain]
    conflicts = tuple(_conflict(group, agreed) for group in _components(disputed))
    return Agreement(agreed, tuple(replace(item, id=f"c{number}") for number, item in enumerate(conflicts)))


def _place(candidate: Candidate) -> tuple[int, int, str]:
    return candidate.entity.start, -candidate.entity.end, candidate.entity.label


def _apart(ordered: Sequence[Candidate], nesting: Nesting) -> list[Candidate]:
    """Those that may stand beside all of the others."""
    return [
        one
        for group in _components(ordered)
        for one in group
        if not any(nesting.forbids(one.entity, other.entity) for other in group if other is not one)
    ]


def _components(disputed: Sequence[Candidate]) -> list[list[Candidate]]:
    """Candidates in order of their start: a group ends where the next one starts behind all of its ends."""
    groups: list[list[Candidate]] = []
    reach = 0
    for candidate in disputed:
        if not groups or candidate.entity.start >= reach:
            groups.append([])
            reach = 0
        groups[-1].append(candidate)
        reach = max(reach, candidate.entity.end)
    return groups


def _conflict(group: Sequence[Candidate], agreed: Sequence[Candidate]) -> Conflict:
    region = Span(group[0].entity.start, max(candidate.entity.end for candidate in group))
    context = tuple(candidate.entity for candidate in agreed if candidate.entity.span.overlaps(region))
    return Conflict("", region, _kind([candidate.entity for candidate in group], context), tuple(group), context)


def _kind(disputed: Sequence[Entity], context: Sequence[Entity]) -> ConflictKind:
    """The closest relation a disputed entity has to another one, disputed or agreed."""
    others = [*disputed, *context]
    found = {relation(one, other) for one in disputed for other in others if one != other}
    return next((kind for kind in PRECEDENCE if kind in found), ConflictKind.NO_OVERLAP)


def relation(one: Entity, other: Entity) -> ConflictKind:
    """How two different entities stand to one another."""
    if one.span == other.span:
        return ConflictKind.SAME_SPAN_OTHER_TYPE
    if not one.span.overlaps(other.span):
        return ConflictKind.NO_OVERLAP
    return ConflictKind.OVERLAP_SAME_TYPE if one.label == other.label else ConflictKind.OVERLAP_OTHER_TYPE
