"""The select judge: an LLM chooses among numbered candidates. It can keep or drop, never invent."""

from __future__ import annotations

import re
import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel

from medner.agents.chat import EngineChatModel
from medner.agents.judges.judge import Case, verdict
from medner.agents.prompts.judge import NONE, VERSION, select_messages
from medner.agents.prompts.messages import Message
from medner.agents.strategies.automaton import Edge
from medner.agents.strategies.escaping import utf8
from medner.store.errors import ExternalError, MednerError, ModelOutputError
from medner.store.records import Verdict

_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)
_NUMBER = "[0-9０-９]{1,4}"
_ANSWER = re.compile(
    r"(?:(?:正确的?)?(?:候选)?(?:实体)?(?:的)?(?:编号|序号|答案)(?:是|为)?\s*[:：]?\s*)?"
    rf"[“\"]?(?P<said>{NONE}|{_NUMBER}(?:(?:\s*[,，、;；和]\s*|\s+){_NUMBER})*)[”\"]?\s*[。.]?"
)


class _Place(NamedTuple):
    """How far a list of numbers is written: the last number, or 0; the later ones ruled out; whether it is over."""

    last: int
    barred: frozenset[int] = frozenset()
    over: bool = False


class SelectionGraph:
    """Legal answers of the select judge: 无, or numbers in rising order, commas between.

    ``exclusions`` are the numbers that may not stand beside a number; its own when it may not be chosen at all.
    """

    def __init__(self, count: int, exclusions: Mapping[int, frozenset[int]] | None = None) -> None:
        self.count = count
        self.exclusions = exclusions or {}

    def start(self) -> Hashable:
        """Before the first number."""
        return _Place(0)

    def edges(self, node: Hashable) -> Iterable[Edge]:
        """A further number, or 无 in place of the first."""
        assert isinstance(node, _Place)  # noqa: S101  tells mypy what start() made
        if node.over:
            return []
        comma = "," if node.last else ""
        edges: list[Edge] = [
            (utf8(f"{comma}{number}"), self._after(node, number))
            for number in range(node.last + 1, self.count + 1)
            if number not in node.barred and number not in self._excluded_by(number)
        ]
        return edges if node.last else [*edges, (utf8(NONE), _Place(0, over=True))]

    def _after(self, node: _Place, number: int) -> _Place:
        barred = node.barred | self._excluded_by(number)
        return _Place(number, frozenset(other for other in barred if other > number))

    def _excluded_by(self, number: int) -> frozenset[int]:
        return self.exclusions.get(number, frozenset())

    def is_final(self, node: Hashable) -> bool:
        """After 无, or after any number."""
        assert isinstance(node, _Place)  # noqa: S101
        return node.over or node.last > 0

    def draft(self, node: Hashable) -> bytes:  # noqa: ARG002  nothing to guess
        """No guess."""
        return b""


@dataclass(frozen=True, slots=True)
class SelectJudge:
    """A chat model that answers with the numbers of the right candidates.

    A model of ours is held to the grammar; another provider's answer is read, and refused when it is anything else,
    or when it chooses overlapping candidates in a flat label set.
    """

    chat: BaseChatModel
    name: str
    version: str = "1"

    async def judge(self, case: Case) -> Verdict:
        """The candidates whose numbers the model gave."""
        messages = _messages(case)
        count, barred = len(case.conflict.candidates), exclusions(case)
        began = time.perf_counter()
        answer = await self._ask(messages, SelectionGraph(count, barred))
        chosen = read_numbers(answer, count)
        if any(barred.get(number, frozenset()).intersection(chosen) for number in chosen):
            raise ModelOutputError("chose entities that overlap, in a label set that is flat", raw=answer)
        kept = {case.conflict.candidates[number - 1].entity for number in chosen}
        return replace(
            verdict(self, case, kept, mode=VERSION),
            prompt=_as_text(messages),
            answer=answer,
            seconds=time.perf_counter() - began,
            exemplars=case.exemplars,
        )

    def prompt(self, case: Case) -> str:
        """The chat the model gets, as one text."""
        return _as_text(_messages(case))

    async def _ask(self, messages: list[Message], graph: SelectionGraph) -> str:
        # Only our own chat models know what a graph is; others would send it to their server.
        options: dict[str, Any] = {"graph": graph} if isinstance(self.chat, EngineChatModel) else {}
        try:
            said = await self.chat.ainvoke([(message.role, message.content) for message in messages], **options)
        except MednerError:
            raise
        except Exception as error:  # providers raise what they like
            raise ExternalError(f"judge {self.name}: {type(error).__name__}: {error}") from error
        answer = str(said.text)
        if said.response_metadata.get("finish_reason") == "length":
            raise ModelOutputError("the answer was cut off at its greatest length", raw=answer)
        return answer


def _messages(case: Case) -> list[Message]:
    return select_messages(case.sentence, case.conflict, case.labels, case.exemplars)


def _as_text(messages: Iterable[Message]) -> str:
    return "\n\n".join(f"{message.role}: {message.content}" for message in messages)


def exclusions(case: Case) -> dict[int, frozenset[int]]:
    """By candidate number, the numbers that cannot be right beside it: in a flat label set those it overlaps.

    A candidate that overlaps an agreed entity there excludes itself. Empty where entities may nest.
    """
    if case.labels.nested:
        return {}
    numbered = list(enumerate((candidate.entity for candidate in case.conflict.candidates), 1))
    agreed = case.conflict.context
    return {
        number: frozenset(
            other
            for other, neighbour in numbered
            if (other != number and entity.span.overlaps(neighbour.span))
            or (other == number and any(entity.span.overlaps(known.span) for known in agreed))
        )
        for number, entity in numbered
    }


def read_numbers(answer: str, count: int) -> list[int]:
    """The candidate numbers of an answer, rising; ModelOutputError unless it is 无 or numbers from 1 to ``count``.

    Full-width digits, Chinese separators and a leading 编号： are read; what a model thinks aloud in ``<think>`` is
    passed over. A sentence that merely holds numbers is refused, not guessed at.
    """
    match = _ANSWER.fullmatch(_without_thinking(answer))
    if match is None:
        raise ModelOutputError(f"expected numbers from 1 to {count} or {NONE}", raw=answer)
    numbers = sorted({int(digits) for digits in re.findall(_NUMBER, match["said"])})
    if numbers == [0]:
        return []
    if any(not 1 <= number <= count for number in numbers):
        raise ModelOutputError(f"a number is not from 1 to {count}", raw=answer)
    return numbers


def _without_thinking(answer: str) -> str:
    """What a model says when it has thought; chat templates that open ``<think>`` leave only its end to be seen."""
    said = _THINKING.sub("", answer).rpartition("</think>")[2]
    if "<think>" in said:
        raise ModelOutputError("the model was still thinking when its answer ended", raw=answer)
    return said.strip()
