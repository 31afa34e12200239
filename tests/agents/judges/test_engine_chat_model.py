"""An engine as a LangChain chat model."""

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from medner.agents.engines.engine import Completion, Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.engine_chat_model import EngineChatModel
from medner.agents.judges.select import SelectionGraph
from medner.core.errors import ExternalError, UserError

CHAT = [SystemMessage("规则"), HumanMessage("一"), AIMessage("无"), HumanMessage("二")]


def model(answer: str | Exception = "1") -> tuple[EngineChatModel, ScriptedEngine]:
    engine = ScriptedEngine(lambda _: answer)
    return EngineChatModel(engine=engine, model_name="m", adapter="tuned", max_tokens=7), engine


def check(request: Request) -> None:
    """The request of :data:`CHAT`."""
    assert [(turn.role, turn.content) for turn in request.messages] == [
        ("system", "规则"),
        ("user", "一"),
        ("assistant", "无"),
        ("user", "二"),
    ]
    assert (request.adapter, request.max_tokens) == ("tuned", 7)


async def test_ainvoke_maps_roles_and_options() -> None:
    """System, human and AI messages become system, user and assistant; the grammar reaches the engine."""
    chat, engine = model()
    grammar = SelectionGraph(3)
    said = await chat.ainvoke(CHAT, graph=grammar)
    assert said.content == "1"
    assert said.response_metadata["finish_reason"] == "stop"
    check(engine.requests[0])
    assert engine.requests[0].graph is grammar


def test_invoke_works_outside_a_loop() -> None:
    """Plain scripts need no asyncio."""
    chat, engine = model()
    assert chat.invoke(CHAT).content == "1"
    check(engine.requests[0])


async def test_invoke_inside_a_loop_says_what_to_do() -> None:
    """It would block the loop the engine answers on."""
    with pytest.raises(UserError, match="await ainvoke"):
        model()[0].invoke(CHAT)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"stop": ["。"]}, "stop strings are not supported"), ({"temperature": 0.7}, "no option temperature")],
)
async def test_what_it_cannot_do_is_refused(options: dict[str, Any], message: str) -> None:
    """An option that would be ignored is an error, and the engine is not asked."""
    chat, engine = model()
    with pytest.raises(UserError, match=message):
        await chat.ainvoke(CHAT, **options)
    assert engine.requests == []


@pytest.mark.parametrize(
    "messages",
    [
        [ToolMessage("x", tool_call_id="1")],
        [HumanMessage([{"type": "image_url", "image_url": "data:"}])],
    ],
)
async def test_messages_it_cannot_read_are_refused(messages: Sequence[BaseMessage]) -> None:
    """Neither tools nor pictures are passed on as something else."""
    with pytest.raises(UserError, match="chat model"):
        await model()[0].ainvoke(list(messages))


async def test_text_blocks_are_joined() -> None:
    """Content in blocks of text is the text, not its Python form."""
    chat, engine = model()
    await chat.ainvoke([HumanMessage([{"type": "text", "text": "患者"}, "咽痛"])])
    assert engine.requests[0].messages[0].content == "患者咽痛"


async def test_a_cut_answer_says_so() -> None:
    """`finish_reason` is `length`, as with other providers."""

    class Cuts(ScriptedEngine):
        async def complete(self, request: Request) -> Completion:
            return Completion("1", truncated=True)

    chat = EngineChatModel(engine=Cuts(lambda _: ""), model_name="m")
    assert (await chat.ainvoke("一")).response_metadata["finish_reason"] == "length"


async def test_an_engines_failure_comes_through() -> None:
    """Errors of ours are not wrapped."""
    with pytest.raises(ExternalError, match="gone"):
        await model(ExternalError("gone"))[0].ainvoke(CHAT)
