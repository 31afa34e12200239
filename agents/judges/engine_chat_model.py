"""An engine as a LangChain chat model, so that a local model can be a judge like any other provider's."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict

from medner.agents.engines.engine import Engine, Request
from medner.agents.prompts.messages import Message
from medner.core.errors import UserError

_ROLES: dict[str, Literal["system", "user", "assistant"]] = {"system": "system", "human": "user", "ai": "assistant"}


class EngineChatModel(BaseChatModel):
    """A chat model that answers greedily through an engine.

    Takes one extra call option: ``graph``, a PieceGraph that the answer is held to. UserError for any other option,
    for stop strings and for messages that are not text of the system, the user or the assistant: ignoring them would
    change what is asked.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    engine: Any
    model_name: str
    adapter: str | None = None
    max_tokens: int = 256

    @property
    def _llm_type(self) -> str:
        return "medner-engine"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name, "adapter": self.adapter}

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        if stop:
            raise UserError("this chat model answers greedily to its end: stop strings are not supported")
        unknown = sorted(kwargs.keys() - {"graph"})
        if unknown:
            raise UserError(f"this chat model answers greedily: it has no option {', '.join(unknown)}")
        engine: Engine = self.engine
        chat = tuple(_turn(message) for message in messages)
        completion = await engine.complete(
            Request(chat, graph=kwargs.get("graph"), adapter=self.adapter, max_tokens=self.max_tokens)
        )
        ended = {"finish_reason": "length" if completion.truncated else "stop", "model_name": self.model_name}
        message = AIMessage(content=completion.text, response_metadata=ended)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._agenerate(messages, stop, **kwargs))
        raise UserError("invoke() would block the event loop that the engine answers on; await ainvoke() instead")


def _turn(message: BaseMessage) -> Message:
    role = _ROLES.get(message.type)
    if role is None:
        raise UserError(f"this chat model takes no {message.type} messages; it takes {', '.join(_ROLES)}")
    blocks = message.content if isinstance(message.content, list) else []
    if any(isinstance(block, dict) and block.get("type") != "text" for block in blocks):
        raise UserError("this chat model reads text only")
    return Message(role, str(message.text))
