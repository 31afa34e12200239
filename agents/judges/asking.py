"""Asks a chat model: time limit, further attempts, what it thought aloud kept with what it said."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from medner.agents.judges.engine_chat_model import EngineChatModel
from medner.agents.prompts.messages import Message
from medner.agents.prompts.templates import Template
from medner.agents.strategies.automaton import PieceGraph
from medner.core.errors import ExternalError, MednerError, ModelOutputError

_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)
_LONGEST_WAIT_S = 8.0
#: A step-by-step answer of a model of ours comes in two turns; this asks for the second.
_NOW_ANSWER = "只写答案："


@dataclass(frozen=True, slots=True)
class Asking:
    """How a chat model is asked.

    Each of ``attempts`` has ``timeout_s``; the pauses between them begin at ``wait_s`` and double. Models of ours try
    again by themselves, so they are asked once.
    """

    chat: BaseChatModel
    attempts: int = 3
    timeout_s: float = 120.0
    wait_s: float = 0.5

    @property
    def is_ours(self) -> bool:
        """Whether the model can be held to a grammar."""
        return isinstance(self.chat, EngineChatModel)

    async def answer(self, messages: Sequence[Message], template: Template, graph: PieceGraph) -> str:
        """The whole answer, as it is to be kept; ExternalError when there is none, after all attempts.

        A model of ours is held to ``graph``, after its reasoning where the template asks for that.
        """
        if not self.is_ours:
            return await self._ask(messages)
        if template.answer_mark is None:
            return await self._ask(messages, graph=graph)
        reasoned = await self._ask(messages, may_be_cut=True)
        turns = [*messages, Message("assistant", reasoned), Message("user", _NOW_ANSWER)]
        return f"{reasoned}\n{template.answer_mark}{await self._ask(turns, graph=graph)}"

    async def _ask(
        self, messages: Sequence[Message], *, graph: PieceGraph | None = None, may_be_cut: bool = False
    ) -> str:
        reply = await self._reply([(message.role, message.content) for message in messages], graph)
        answer = with_reasoning(reply)
        if reply.response_metadata.get("finish_reason") == "length" and not may_be_cut:
            raise ModelOutputError("the answer was cut off at its greatest length", raw=answer)
        return answer

    async def _reply(self, turns: list[tuple[str, str]], graph: PieceGraph | None) -> BaseMessage:
        # Only our own chat models know what a graph is; others would send it to their server.
        options: dict[str, Any] = {} if graph is None else {"graph": graph}
        last = 1 if self.is_ours else self.attempts
        wait = self.wait_s
        for attempt in range(1, last + 1):
            try:
                async with asyncio.timeout(None if self.is_ours else self.timeout_s):
                    return await self.chat.ainvoke(turns, **options)
            except MednerError:
                raise
            except Exception as error:  # providers raise what they like
                if attempt == last:
                    raise ExternalError(_failure_in_words(error, self.timeout_s, last)) from error
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)
        raise AssertionError("unreachable: the last attempt returns or raises")


def _failure_in_words(error: Exception, timeout_s: float, attempts: int) -> str:
    # A time limit's error has no words of its own.
    what = str(error) or f"no answer within {timeout_s:g} s"
    times = "" if attempts == 1 else f" ({attempts} attempts)"
    return f"{type(error).__name__}: {what}{times}"


def with_reasoning(reply: BaseMessage) -> str:
    """A model\'s reply, with what its server reports apart as its reasoning in ``<think>`` before it."""
    blocks = reply.content if isinstance(reply.content, list) else []
    thoughts = [
        str(block.get("reasoning") or block.get("thinking") or "") for block in blocks if isinstance(block, dict)
    ]
    if isinstance(reply, AIMessage):
        thoughts.append(str(reply.additional_kwargs.get("reasoning_content") or ""))
    thought = "\n".join(filter(None, thoughts))
    return f"<think>{thought}</think>{reply.text}" if thought else str(reply.text)


def final_part(answer: str, mark: str | None) -> str:
    """What a model says when it has thought; chat templates that open ``<think>`` leave only its end to be seen.

    ``mark`` is what stands before an answer that follows reasoning: the last one counts. ModelOutputError when the
    answer ends before.
    """
    spoken = _THINKING.sub("", answer).rpartition("</think>")[2]
    if "<think>" in spoken:
        raise ModelOutputError("the model was still thinking when its answer ended", raw=answer)
    if mark is None:
        return spoken.strip()
    _, found, last = spoken.replace(f"{mark[:-1]}:", mark).rpartition(mark)
    if not found:
        raise ModelOutputError(f"the answer ends without {mark}", raw=answer)
    return last.strip()


def as_text(messages: Iterable[Message]) -> str:
    """A chat as one text, for the record."""
    return "\n\n".join(f"{message.role}: {message.content}" for message in messages)
