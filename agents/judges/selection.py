"""Legal answers of a select judge, and how answers are read."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from medner.agents.judges.asking import final_part
from medner.agents.judges.judge import Case
from medner.agents.prompts.judge import NONE, UNSURE
from medner.agents.strategies.automaton import Edge
from medner.agents.strategies.escaping import utf8
from medner.core.errors import ModelOutputError

_NUMBER = "[0-9０-９]{1,4}"
_ANSWER = re.compile(
    r"(?:(?:正确的?)?(?:候选)?(?:实体)?(?:的)?(?:编号|序号|答案)(?:是|为)?\s*[:：]?\s*)?"
    rf"[“\"]?(?P<said>{NONE}|{UNSURE}|{_NUMBER}(?:(?:\s*[,，、;；和]\s*|\s+){_NUMBER})*)[”\"]?\s*[。.]?"
)


class Place(NamedTuple):
    """How far a list of numbers is written: the last number, or 0; the later ones ruled out; whether it is over."""

    last: int
    barred: frozenset[int] = frozenset()
    over: bool = False


class SelectionGraph:
    """Legal answers of the select judge: 无, or numbers in rising order, commas between; 存疑 where it may abstain.

    ``exclusions`` are the numbers that may not stand beside a number; its own when it may not be chosen at all.
    """

    def __init__(
        self, count: int, exclusions: Mapping[int, frozenset[int]] | None = None, *, may_abstain: bool = False
    ) -> None:
        self.count = count
        self.exclusions = exclusions or {}
        self._words = (NONE, UNSURE) if may_abstain else (NONE,)

    def start(self) -> Hashable:
        """Before the first number."""
        return Place(0)

    def edges(self, node: Hashable) -> Iterable[Edge]:
        """A further number, or a word in place of the first."""
        assert isinstance(node, Place)  # noqa: S101  tells mypy what start() made
        if node.over:
            return []
        comma = "," if node.last else ""
        edges: list[Edge] = [
            (utf8(f"{comma}{number}"), self._after(node, number))
            for number in range(node.last + 1, self.count + 1)
            if number not in node.barred and number not in self._excluded_by(number)
        ]
        return edges if node.last else [*edges, *((utf8(word), Place(0, over=True)) for word in self._words)]

    def _after(self, node: Place, number: int) -> Place:
        barred = node.barred | self._excluded_by(number)
        return Place(number, frozenset(other for other in barred if other > number))

    def _excluded_by(self, number: int) -> frozenset[int]:
        return self.exclusions.get(number, frozenset())

    def is_final(self, node: Hashable) -> bool:
        """After a word, or after any number."""
        assert isinstance(node, Place)  # noqa: S101
        return node.over or node.last > 0

    def draft(self, node: Hashable) -> bytes:  # noqa: ARG002  nothing to guess
        """No guess."""
        return b""


def exclusions(*cases: Case) -> dict[int, frozenset[int]]:
    """By candidate number, the numbers that the label set forbids beside it.

    Numbers go through all the cases, which are of one sentence. A candidate that is forbidden beside an agreed entity
    excludes itself. Empty where nothing is forbidden.
    """
    nesting = cases[0].labels.nesting
    numbered = list(enumerate((one.entity for case in cases for one in case.conflict.candidates), 1))
    agreed = [entity for case in cases for entity in case.conflict.context]
    found = {
        number: frozenset(
            other
            for other, neighbour in numbered
            if (other != number and nesting.forbids(entity, neighbour))
            or (other == number and any(nesting.forbids(entity, known) for known in agreed))
        )
        for number, entity in numbered
    }
    return {number: others for number, others in found.items() if others}


def read_numbers(answer: str, count: int, *, mark: str | None = None) -> list[int]:
    """The candidate numbers of an answer, rising; ModelOutputError unless it is 无 or numbers from 1 to ``count``.

    Full-width digits, Chinese separators and a leading 编号： are read; what a model thinks aloud in ``<think>`` is
    passed over, and what stands before the last ``mark``. A sentence that merely holds numbers is refused.
    """
    match = _ANSWER.fullmatch(final_part(answer, mark))
    if match is None or match["said"] == UNSURE:
        raise ModelOutputError(f"expected numbers from 1 to {count} or {NONE}", raw=answer)
    numbers = sorted({int(digits) for digits in re.findall(_NUMBER, match["said"])})
    if numbers == [0]:
        return []
    if any(not 1 <= number <= count for number in numbers):
        raise ModelOutputError(f"a number is not from 1 to {count}", raw=answer)
    return numbers


def says_unsure(answer: str, *, mark: str | None = None) -> bool:
    """Whether an answer leaves the decision to a person."""
    match = _ANSWER.fullmatch(final_part(answer, mark))
    return match is not None and match["said"] == UNSURE


def chosen_beside(numbers: Sequence[int], barred: Mapping[int, frozenset[int]]) -> bool:
    """Whether two of the numbers exclude one another, or one itself."""
    return any(barred.get(number, frozenset()).intersection(numbers) for number in numbers)
