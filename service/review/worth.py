"""What a person's look at a conflict is worth: how unsure the judge was, else the filter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from medner.core.records import Annotation, Conflict, Verdict
from medner.store.reviews import Decided, ReviewItem

#: Shares of the doubt for which the number of decisions is told.
SHARES = (0.5, 0.8, 0.95)
_MOST_CONFLICTS = 1_000


def review_items(annotation: Annotation, number: int) -> Iterator[Decided]:
    """The conflicts of a sentence that have a verdict; ``number`` is the sentence's place in its run."""
    verdicts = {one.conflict_id: one for one in annotation.verdicts}
    for place, conflict in enumerate(annotation.conflicts):
        verdict = verdicts.get(conflict.id)
        if verdict is None:
            continue
        item = ReviewItem(
            sentence=annotation.sentence.id,
            conflict=conflict.id,
            kind=conflict.kind.value,
            labels=tuple(sorted({one.entity.label for one in conflict.candidates})),
            margin=margin(conflict, verdict),
            abstained=verdict.abstained,
            place=number * _MOST_CONFLICTS + min(place, _MOST_CONFLICTS - 1),
        )
        person = verdict.overruled
        yield Decided(item) if person is None else Decided(item, person.by, _seconds(person.at))


def margin(conflict: Conflict, verdict: Verdict) -> float:
    """How far the least certain candidate is from a half, from 0 to 1; 0 where nobody gave a score.

    By the judge's probabilities; where it gave none, by the filter's.
    """
    scores = verdict.scores or tuple(one.score for one in conflict.candidates if one.score is not None)
    return min((abs(2 * score - 1) for score in scores), default=0.0)


def decisions_for(waiting: Sequence[ReviewItem], settled: float, shares: Iterable[float] = SHARES) -> dict[float, int]:
    """How many more decisions, in the order of the queue, settle each share of the whole doubt."""
    total = settled + sum(one.doubt for one in waiting)
    found: dict[float, int] = {}
    for share in shares:
        reached, number = settled, 0
        while number < len(waiting) and reached < share * total - 1e-9:
            reached += waiting[number].doubt
            number += 1
        found[share] = number
    return found


def _seconds(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0
