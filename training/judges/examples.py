"""What a judge learns from: conflicts whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from medner.agents.judges.judge import Case
from medner.agents.prompts.filter import candidate_part
from medner.agents.prompts.trained_judge import conflict_part
from medner.core.records import Entity
from medner.training.filters.packing import LONGEST_ROW, PackedRow, split_rows
from medner.training.sentences import text_number

Tokens = Callable[[str], list[int]]
#: One text of so many is held back.
_HELD_BACK = 5


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """A conflict and which of its candidates are right.

    ``agreed`` and ``agreed_right`` count what all taggers found in the sentence and how much of that is gold, ``gold``
    the sentence's gold entities: they stand with a sentence's first conflict alone, so that sums are right.
    ``complete_gold`` is all gold of the sentence, with each of its conflicts; None where only the candidates were
    decided.
    """

    case: Case
    right: frozenset[Entity]
    agreed: int = 0
    agreed_right: int = 0
    gold: int = 0
    complete_gold: frozenset[Entity] | None = None

    @property
    def truth(self) -> list[bool]:
        """Whether each candidate is right, in their order."""
        return [one.entity in self.right for one in self.case.conflict.candidates]


def part_of(text: str, parts: int, *, salt: str = "") -> int:
    """Which of ``parts`` a text belongs to, by its hash: the same everywhere, and equal texts together."""
    return text_number(salt + text) % parts


def held_apart(cases: Iterable[JudgedCase]) -> tuple[list[JudgedCase], list[JudgedCase]]:
    """What is learnt from, and one text in five held back for calibration."""
    learnt: list[JudgedCase] = []
    held: list[JudgedCase] = []
    for one in cases:
        (held if is_held_back(one.case.sentence.text) else learnt).append(one)
    return learnt, held


def is_held_back(text: str) -> bool:
    """Whether the conflicts of a text are held back for calibration."""
    return part_of(text, _HELD_BACK, salt="held back") == 0


def case_rows(tokens: Tokens, cases: Sequence[JudgedCase]) -> list[PackedRow]:
    """A row a conflict: what its candidates share, then each of them; a long one in several."""
    rows: list[PackedRow] = []
    for one in cases:
        text, conflict, labels = one.case.sentence.text, one.case.conflict, one.case.labels
        head = tuple(tokens(conflict_part(text, conflict, labels)))
        parts = [tuple(tokens(candidate_part(text, each.entity, labels))) for each in conflict.candidates]
        rows += split_rows(head, list(zip(parts, map(float, one.truth), strict=True)), LONGEST_ROW)
    return rows
