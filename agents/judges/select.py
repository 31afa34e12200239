"""The select judge: an LLM chooses among numbered candidates. It can keep or drop, never invent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from langchain_core.language_models import BaseChatModel

from medner.agents.judges.asking import Asking, as_text
from medner.agents.judges.judge import Case, abstention, verdict
from medner.agents.judges.selection import (
    SelectionGraph,
    chosen_beside,
    exclusions,
    read_numbers,
    says_unsure,
)
from medner.agents.prompts.judge import judge_messages
from medner.agents.prompts.messages import Message
from medner.agents.prompts.templates import Template, load_template
from medner.core.errors import ExternalError, ModelOutputError
from medner.core.records import Exemplar, Verdict

__all__ = ["SelectJudge", "SelectionGraph", "exclusions", "read_numbers"]


@dataclass(frozen=True, slots=True)
class SelectJudge:
    """A chat model that answers with the numbers of the right candidates.

    A model of ours is held to the grammar; another provider's answer is read, and refused when it is anything else,
    or when it chooses overlapping candidates in a flat label set. ``joint``: the conflicts of a sentence are asked
    about at once. ``asking`` None: the chat model is asked in the usual way.
    """

    chat: BaseChatModel
    name: str
    version: str = "1"
    template: Template = field(default_factory=lambda: load_template("select"))
    joint: bool = False
    may_abstain: bool = False
    asking: Asking | None = None

    async def judge(self, case: Case) -> Verdict:
        """The candidates whose numbers the model gave."""
        return (await self.judge_jointly((case,)))[0]

    async def judge_jointly(self, cases: Sequence[Case]) -> list[Verdict]:
        """The verdicts on conflicts of one sentence out of one answer; each has the whole prompt and answer.

        Their ``seconds`` are shares of what the answer took.
        """
        messages = self._messages(cases)
        count = sum(len(case.conflict.candidates) for case in cases)
        barred = exclusions(*cases)
        began = time.perf_counter()
        answer = await self._answer(messages, SelectionGraph(count, barred, may_abstain=self.may_abstain))
        seconds = (time.perf_counter() - began) / len(cases)
        mark = self.template.answer_mark
        if self.may_abstain and says_unsure(answer, mark=mark):
            decided = [abstention(self, case, "the model is unsure") for case in cases]
        else:
            numbers = read_numbers(answer, count, mark=mark)
            if chosen_beside(numbers, barred):
                raise ModelOutputError("chose entities that overlap where the label set forbids it", raw=answer)
            decided = list(_shared_out(self, cases, numbers))
        prompt = as_text(messages)
        return [
            replace(one, prompt=prompt, answer=answer, seconds=seconds, exemplars=case.exemplars)
            for one, case in zip(decided, cases, strict=True)
        ]

    def prompt(self, case: Case) -> str:
        """The chat the model gets, as one text."""
        return as_text(self._messages((case,)))

    def _messages(self, cases: Sequence[Case]) -> list[Message]:
        first = cases[0]
        exemplars: dict[Exemplar, None] = dict.fromkeys(one for case in cases for one in case.exemplars)
        conflicts = [case.conflict for case in cases]
        return judge_messages(
            self.template, first.sentence, conflicts, first.labels, tuple(exemplars), may_abstain=self.may_abstain
        )

    async def _answer(self, messages: list[Message], graph: SelectionGraph) -> str:
        try:
            return await (self.asking or Asking(self.chat, attempts=1)).answer(messages, self.template, graph)
        except ExternalError as error:
            raise ExternalError(f"judge {self.name}: {error}") from error


def _shared_out(judge: SelectJudge, cases: Sequence[Case], numbers: Sequence[int]) -> Sequence[Verdict]:
    """The numbers through all cases as each case's own verdict."""
    decided, before = [], 0
    for case in cases:
        candidates = case.conflict.candidates
        kept = {candidates[n - before - 1].entity for n in numbers if before < n <= before + len(candidates)}
        decided.append(verdict(judge, case, kept, mode=judge.template.version))
        before += len(candidates)
    return decided
