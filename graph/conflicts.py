"""Where taggers disagree (§3.3, step 1), and where their scores leave doubt: pure logic, no framework."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from medner.core.nesting import ANYWHERE, Nesting
from medner.core.records import Candidate, Conflict, ConflictKind, Entity, Span, TaggerOutput, in_order
from medner.core.wider_conflicts import DISAGREEMENTS, WiderConflicts

#: The paper's kinds, from the closest disagreement to the loosest. A conflict in which taggers disagree is of the
#: first kind that any of its pairs shows; without a disagreement it is doubtful, else maybe.
PRECEDENCE = (
    ConflictKind.SAME_SPAN_OTHER_TYPE,
    ConflictKind.OVERLAP_SAME_TYPE,
    ConflictKind.OVERLAP_OTHER_TYPE,
    ConflictKind.NO_OVERLAP,
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What all voters proposed alike and nothing questions, and the conflicts about the rest. Both in text order.

    ``left_out`` are the candidates that were not questioned because there were more than the most allowed.
    """

    agreed: tuple[Candidate, ...]
    conflicts: tuple[Conflict, ...]
    left_out: tuple[Candidate, ...] = ()


def gather_candidates(outputs: Sequence[TaggerOutput]) -> tuple[Candidate, ...]:
    """Every proposed entity once, with the sorted names of the taggers that proposed it, in text order."""
    taggers: dict[Entity, set[str]] = {}
    for output in outputs:
        for entity in output.decoded.entities:
            taggers.setdefault(entity, set()).add(output.tagger)
    return tuple(Candidate(entity, tuple(sorted(taggers[entity]))) for entity in in_order(taggers))


def detect_conflicts(
    candidates: Iterable[Candidate],
    voters: Iterable[str],
    nesting: Nesting = ANYWHERE,
    wider: WiderConflicts = DISAGREEMENTS,
) -> Agreement:
    """Splits candidates into agreed ones (proposed by every voter) and conflicts.

    A conflict is a connected component of disputed candidates by character overlap. Agreed entities that overlap its
    region are its context; they are not in question, but count for its kind. Entities that ``nesting`` forbids
    beside one another are disputed even when every voter proposed them: they cannot all be right. ``wider`` disputes
    agreed entities of a low score too, and candidates of no tagger. The order of voters and candidates never changes
    the result.
    """
    everyone = set(voters)
    ordered = sorted(candidates, key=_place)
    unanimous = [candidate for candidate in ordered if everyone <= set(candidate.taggers)]
    certain = _apart(unanimous, nesting)
    doubtful = sorted((one for one in certain if _is_below(one.score, wider.doubtful)), key=_least_likely_first)
    questioned = {candidate.entity for candidate in doubtful[: wider.most]}
    agreed = tuple(candidate for candidate in certain if candidate.entity not in questioned)
    settled = {candidate.entity for candidate in agreed}
    disputed = [candidate for candidate in ordered if candidate.entity not in settled]
    left_out = doubtful[wider.most :]
    if wider.maybe is None:
        # A run that is judged again may have had some.
        disputed = [one for one in disputed if one.taggers]
    else:
        disputed, unlikely = _with_the_likeliest(disputed, agreed, nesting, wider.most)
        left_out += unlikely
    conflicts = tuple(_conflict(group, agreed, questioned) for group in _components(disputed))
    numbered = tuple(replace(item, id=f"c{number}") for number, item in enumerate(conflicts))
    return Agreement(agreed, numbered, tuple(sorted(left_out, key=_place)))


def counted_by_kind(left_out: Iterable[Candidate]) -> dict[str, int]:
    """How many candidates of each kind there are: doubtful ones have taggers, maybes have none."""
    kinds = [ConflictKind.DOUBTFUL if candidate.taggers else ConflictKind.MAYBE for candidate in left_out]
    return dict(sorted(Counter(kind.value for kind in kinds).items()))


def _is_below(score: float | None, bound: float | None) -> bool:
    return score is not None and bound is not None and score < bound


def _least_likely_first(candidate: Candidate) -> tuple[float, tuple[int, int, str]]:
    return candidate.score or 0.0, _place(candidate)


def _likeliest_first(candidate: Candidate) -> tuple[float, tuple[int, int, str]]:
    return -(candidate.score or 0.0), _place(candidate)


def _with_the_likeliest(
    disputed: Sequence[Candidate], agreed: Sequence[Candidate], nesting: Nesting, most: int
) -> tuple[list[Candidate], list[Candidate]]:
    """The disputed candidates with at most ``most`` of those that no tagger proposed, and the rest of these.

    One that may not be kept beside an agreed entity is no question: whatever a judge says, it could not stay.
    """
    maybes = [
        one
        for one in disputed
        if not one.taggers and not any(nesting.excludes(one.entity, other.entity) for other in agreed)
    ]
    ordered = sorted(maybes, key=_likeliest_first)
    likeliest = {one.entity for one in ordered[:most]}
    return [one for one in disputed if one.taggers or one.entity in likeliest], ordered[most:]


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


def _conflict(group: Sequence[Candidate], agreed: Sequence[Candidate], doubtful: AbstractSet[Entity]) -> Conflict:
    region = Span(group[0].entity.start, max(candidate.entity.end for candidate in group))
    context = tuple(candidate.entity for candidate in agreed if candidate.entity.span.overlaps(region))
    return Conflict("", region, _kind(group, context, doubtful), tuple(group), context)


def _kind(group: Sequence[Candidate], context: Sequence[Entity], doubtful: AbstractSet[Entity]) -> ConflictKind:
    """The closest relation that an entity with some votes has to another one with votes; without such an entity
    doubtful, or maybe."""
    proposed = [candidate.entity for candidate in group if candidate.taggers]
    disputed = [entity for entity in proposed if entity not in doubtful]
    if not disputed:
        return ConflictKind.DOUBTFUL if proposed else ConflictKind.MAYBE
    others = [*proposed, *context]
    found = {relation(one, other) for one in disputed for other in others if one != other}
    return next((kind for kind in PRECEDENCE if kind in found), ConflictKind.NO_OVERLAP)


def relation(one: Entity, other: Entity) -> ConflictKind:
    """How two different entities stand to one another."""
    if one.span == other.span:
        return ConflictKind.SAME_SPAN_OTHER_TYPE
    if not one.span.overlaps(other.span):
        return ConflictKind.NO_OVERLAP
    return ConflictKind.OVERLAP_SAME_TYPE if one.label == other.label else ConflictKind.OVERLAP_OTHER_TYPE
