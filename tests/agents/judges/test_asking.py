"""Asking a chat model: attempts, time limits, and thoughts that come apart from the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from medner.agents.judges.asking import Asking, final_part, with_reasoning
from medner.agents.judges.select import SelectJudge
from medner.agents.prompts.templates import load_template
from medner.core.errors import ExternalError, ModelOutputError
from medner.core.records import Entity
from tests.agents.judges.conftest import make_case

TEXT = "右肺上叶腺癌"
CASE = make_case(TEXT, {Entity(0, 6, "dis"): "a", Entity(4, 6, "dis"): "b"})


class Provider(BaseChatModel):
    """Another provider's model: does what the script says at each call."""

    replies: list[Callable[[], Any]]
    calls: int = 0

    @property
    def _llm_type(self) -> str:
        return "provider"

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        reply = self.replies[min(self.calls, len(self.replies) - 1)]
        self.calls += 1
        said = reply()
        if asyncio.iscoroutine(said):
            said = await said
        return ChatResult(generations=[ChatGeneration(message=said)])


def says(content: Any, **more: Any) -> Callable[[], AIMessage]:
    return lambda: AIMessage(content, **more)


def fails(error: Exception) -> Callable[[], AIMessage]:
    def reply() -> AIMessage:
        raise error

    return reply


def asked(*replies: Callable[[], Any], **settings: Any) -> tuple[SelectJudge, Provider]:
    chat = Provider(replies=list(replies))
    return SelectJudge(chat, "p", asking=Asking(chat, wait_s=0.0, **settings)), chat


async def test_a_broken_connection_is_tried_again() -> None:
    """Until the last attempt; then the error says how many there were."""
    judge, chat = asked(fails(ConnectionError("reset")), fails(ConnectionError("reset")), says("1"))
    assert (await judge.judge(CASE)).answer == "1"
    assert chat.calls == 3
    judge, chat = asked(fails(ConnectionError("reset")), attempts=2)
    with pytest.raises(ExternalError, match=r"judge p: ConnectionError: reset \(2 attempts\)"):
        await judge.judge(CASE)
    assert chat.calls == 2


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    """Each attempt has its time limit."""
    judge, _ = asked(lambda: asyncio.sleep(60), timeout_s=0.01, attempts=1)
    with pytest.raises(ExternalError, match=r"no answer within 0\.01 s"):
        await judge.judge(CASE)


async def test_an_unusable_answer_is_not_asked_for_again() -> None:
    """A model that is greedy would say the same; the bench decides who steps in."""
    judge, chat = asked(says("都对"))
    with pytest.raises(ModelOutputError):
        await judge.judge(CASE)
    assert chat.calls == 1


@pytest.mark.parametrize(
    "said",
    [
        AIMessage([{"type": "reasoning", "reasoning": "第二个太短"}, {"type": "text", "text": "1"}]),
        AIMessage([{"type": "thinking", "thinking": "第二个太短"}, {"type": "text", "text": "1"}]),
        AIMessage("1", additional_kwargs={"reasoning_content": "第二个太短"}),
        AIMessage("<think>第二个太短</think>1"),
    ],
)
async def test_thoughts_are_kept_and_passed_over(said: AIMessage) -> None:
    """Wherever a provider puts them: the trace has them, the answer is read without."""
    assert with_reasoning(said) == "<think>第二个太短</think>1"
    verdict = await asked(lambda: said)[0].judge(CASE)
    assert verdict.kept == (Entity(0, 6, "dis"),)
    assert "第二个太短" in verdict.answer


async def test_a_foreign_model_reasons_in_one_answer() -> None:
    """What stands after the last mark counts."""
    chat = Provider(replies=[says("1. 范围。答案：2 是错的。\n答案：1")])
    judge = SelectJudge(chat, "p", template=load_template("select", "step-by-step"))
    verdict = await judge.judge(CASE)
    assert verdict.kept == (Entity(0, 6, "dis"),)
    assert verdict.mode == "select-steps-1"
    assert "请逐步推理" in verdict.prompt


def test_reasoning_without_an_answer_is_refused() -> None:
    """An answer that never comes to its mark is not guessed at; a half-width colon is read."""
    with pytest.raises(ModelOutputError, match="ends without 答案："):
        final_part("1 最好", "答案：")
    assert final_part("答案: 1", "答案：") == "1"
