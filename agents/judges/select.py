"""The select judge: an LLM chooses among numbered candidates. It can keep or drop, never invent."""

from __future__ import annotations

import re
import time
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from langchain_core.language_models import BaseChatModel

from medner.agents.chat import EngineChatModel
from medner.agents.judges.judge import Case, verdict
from medner.agents.prompts.judge import NONE, VERSION, select_messages
from medner.agents.strategies.automaton import Edge
from medner.agents.strategies.escaping import utf8
from medner.store.errors import ExternalError, MednerError, ModelOutputError
from medner.store.records import Verdict

_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)
_ANSWER = re.compile(r"\s*(?:\d+(?:\s*[,，、和]\s*\d+)*)\s*[。.]?\s*")


class _Place(NamedTuple):
    """How far a list of numbers is written: the last number, or 0; whether the answer is over."""

    last: int
    over: bool = False


class SelectionGraph:
    """Legal answers of the select judge: 无, or numbers in rising order, commas between."""

    def __init__(self, count: int) -> None:
        self.count = count

    def start(self) -> Hashable:
        """Before the first number."""
        return _Place(0)

    def edges(self, node: Hashable) -> Iterable[Edge]:
        """A further number, or 无 in place of the first."""
        assert isinstance(node, _Place)  # noqa: S101  tells mypy what start() made
        if node.over:
            return []
        comma = "," if node.last else ""
        edges: list[Edge] = [(utf8(f"{comma}{n}"), _Place(n)) for n in range(node.last + 1, self.count + 1)]
        return edges if node.last else [*edges, (utf8(NONE), _Place(0, over=True))]

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

    A model of ours is held to the grammar; another provider's answer is read, and refused when it is anything else.
    """

    chat: BaseChatModel
    name: str
    version: str = "1"

    async def judge(self, case: Case) -> Verdict:
        """The candidates whose numbers the model gave."""
        messages = select_messages(case.sentence, case.conflict, case.labels, case.exemplars)
        count = len(case.conflict.candidates)
        began = time.perf_counter()
        answer = await self._ask([(message.role, message.content) for message in messages], count)
        chosen = read_numbers(answer, count)
        kept = {case.conflict.candidates[number - 1].entity for number in chosen}
        return replace(
            verdict(self, case, kept, mode=VERSION),
            prompt="\n\n".join(f"{message.role}: {message.content}" for message in messages),
            answer=answer,
            seconds=time.perf_counter() - began,
        )

    async def _ask(self, messages: list[tuple[str, str]], count: int) -> str:
        # Only our own chat models know what a graph is; others would send it to their server.
        options = {"graph": SelectionGraph(count)} if isinstance(self.chat, EngineChatModel) else {}
        try:
            said = await self.chat.ainvoke(messages, **options)
        except MednerError:
            raise
        except Exception as error:  # providers raise what they like
            raise ExternalError(f"judge {self.name}: {type(error).__name__}: {error}") from error
        return said.content if isinstance(said.content, str) else str(said.text)


def read_numbers(answer: str, count: int) -> list[int]:
    """The candidate numbers of an answer; ModelOutputError when it holds anything but numbers from 1 to ``count``.

    What a model thinks aloud in ``<think>`` is passed over.
    """
    said = _THINKING.sub("", answer).strip()
    if said.rstrip("。.") in (NONE, "0"):
        return []
    if not _ANSWER.fullmatch(said):
        raise ModelOutputError(f"expected numbers from 1 to {count} or {NONE}", raw=answer)
    numbers = [int(digits) for digits in re.findall(r"\d+", said)]
    if any(not 1 <= number <= count for number in numbers):
        raise ModelOutputError(f"a number is not from 1 to {count}", raw=answer)
    return sorted(set(numbers))
