"""Where two systems differ, entity by entity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from medner.core.records import Document, Entity, in_order
from medner.evaluation.measures.matching import Pair
from medner.evaluation.measures.scoring import nested_entities, touching


class Outcome(StrEnum):
    """What systems A and B did with an entity: gold ones are found or missed, others are invented."""

    BOTH_RIGHT = "both_right"
    ONLY_A_RIGHT = "only_a_right"
    ONLY_B_RIGHT = "only_b_right"
    BOTH_MISSED = "both_missed"
    ONLY_A_WRONG = "only_a_wrong"
    ONLY_B_WRONG = "only_b_wrong"
    BOTH_WRONG = "both_wrong"


DIFFERING = (Outcome.ONLY_A_RIGHT, Outcome.ONLY_B_RIGHT, Outcome.ONLY_A_WRONG, Outcome.ONLY_B_WRONG)

# in gold, given by A, given by B
_OUTCOMES: Mapping[tuple[bool, bool, bool], Outcome] = {
    (True, True, True): Outcome.BOTH_RIGHT,
    (True, True, False): Outcome.ONLY_A_RIGHT,
    (True, False, True): Outcome.ONLY_B_RIGHT,
    (True, False, False): Outcome.BOTH_MISSED,
    (False, True, False): Outcome.ONLY_A_WRONG,
    (False, False, True): Outcome.ONLY_B_WRONG,
    (False, True, True): Outcome.BOTH_WRONG,
}


@dataclass(frozen=True, slots=True)
class ComparedEntity:
    """An entity of gold or of one of the systems, and what the systems did with it.

    ``nested`` says whether it counts in the score of nested entities (see `scoring.touching`).
    """

    document: Document
    entity: Entity
    outcome: Outcome
    nested: bool = False

    @property
    def text(self) -> str:
        """The entity's text."""
        return self.entity.text_in(self.document.text)

    def around(self, width: int) -> tuple[str, str]:
        """Up to ``width`` characters of text before and after the entity."""
        text = self.document.text
        return text[max(0, self.entity.start - width) : self.entity.start], text[self.entity.end :][:width]


def judge_entities(a: Sequence[Pair], b: Sequence[Pair]) -> tuple[ComparedEntity, ...]:
    """Every entity of gold or of a system with its outcome, in the order of the documents and of the text.

    Both sequences hold the same gold documents in the same order.
    """
    judged = []
    for pair_a, pair_b in zip(a, b, strict=True):
        gold, by_a, by_b = pair_a.expected, pair_a.given, pair_b.given
        nested = nested_entities(gold)
        nested |= touching(by_a | by_b, nested, gold)
        for entity in in_order(gold | by_a | by_b):
            outcome = _OUTCOMES[entity in gold, entity in by_a, entity in by_b]
            judged.append(ComparedEntity(pair_a.gold, entity, outcome, entity in nested))
    return tuple(judged)


def count_outcomes(judged: Iterable[ComparedEntity]) -> dict[Outcome, int]:
    """How often each outcome occurs; outcomes that do not occur count 0."""
    counts = Counter(entry.outcome for entry in judged)
    return {outcome: counts[outcome] for outcome in Outcome}
